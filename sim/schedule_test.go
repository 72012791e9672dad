package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
)

func drawSchedule(t *rapid.T) sim.Schedule {
	var s sim.Schedule
	step := 0
	for range rapid.IntRange(0, 4).Draw(t, "switches") {
		step += rapid.IntRange(1, 1000).Draw(t, "gap")
		id := ""
		for i := range rapid.IntRange(1, 3).Draw(t, "depth") {
			if i > 0 {
				id += "."
			}
			id += fmt.Sprint(rapid.IntRange(0, 20).Draw(t, "nth"))
		}
		s.Switches = append(s.Switches, sim.Switch{Step: step, Task: id})
	}
	n := -1
	for range rapid.IntRange(0, 4).Draw(t, "choices") {
		n += rapid.IntRange(1, 50).Draw(t, "gap")
		s.Choices = append(s.Choices, sim.Chosen{N: n, Value: rapid.IntRange(1, 9).Draw(t, "value")})
	}
	return s
}

func TestScheduleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		got, err := sim.ParseSchedule(s.String())
		require.NoError(t, err)
		require.Equal(t, s, got)
		require.Equal(t, s, s.Clone())
	})
}

func TestScheduleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"6>2":                    "begins with '@'",
		"@":                      "is not a switch",
		"@6":                     "is not a switch",
		"@6>":                    "is not a switch",
		"@>2":                    "is not a switch",
		"@0>2":                   "is not a switch",
		"@-1>2":                  "is not a switch",
		"@6>2,":                  "is not a switch",
		"@6>2.":                  "is not a switch",
		"@6>02":                  "is not a switch",
		"@6>x":                   "is not a switch",
		"@6>2,6>1":               "steps must rise",
		"@6>2,5>1":               "steps must rise",
		"?":                      "nothing after '?'",
		"@6>2?":                  "nothing after '?'",
		"?0":                     "is not a choice",
		"?0=0":                   "is not a choice",
		"?-1=1":                  "is not a choice",
		"?0=1,":                  "is not a choice",
		"?1=1,0=1":               "numbers must rise",
		"?1=1,1=2":               "numbers must rise",
		"?1=1?2=1":               "is not a choice",
		"?1=1@6>2":               "is not a choice",
		"@6>2@7>1":               "is not a switch",
		"@9999999999999999999>1": "is not a switch",
	} {
		_, err := sim.ParseSchedule(text)
		require.ErrorContains(t, err, want, "%q", text)
		require.ErrorContains(t, err, text, "the error shows what was read")
	}
}

func TestPreemptionsAreCounted(t *testing.T) {
	s := sim.Schedule{Switches: []sim.Switch{{Step: 1, Task: "1"}, {Step: 2, Task: "2", Preemption: true}}}
	require.Equal(t, 1, s.Preemptions())
	require.False(t, strings.Contains(s.String(), "true"))
}
