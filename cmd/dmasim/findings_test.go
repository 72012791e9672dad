package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/token"
)

var (
	ruler       = regexp.MustCompile(`^ +-{4,}`)
	preemptions = regexp.MustCompile(`^(\d+) preemptions?, `)
)

// TestFindingsAreSmall holds what is drawn of the findings to what somebody reads: the diagrams have at
// most 25 lines in the median, and no run more than three preemptions.
func TestFindingsAreSmall(t *testing.T) {
	text, err := os.ReadFile("../../docs/findings-rfc-v2.md")
	require.NoError(t, err)
	var drawn []int
	for _, b := range block.FindAllStringSubmatch(string(text), -1) {
		lines, from := 0, -1
		for _, l := range strings.Split(b[2], "\n") {
			if ruler.MatchString(l) {
				from = lines
			} else if m := preemptions.FindStringSubmatch(l); m != nil && from >= 0 {
				n, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				require.LessOrEqual(t, n, 3, b[1])
				drawn = append(drawn, lines-from)
				break
			}
			if strings.TrimSpace(l) != "" && !ruler.MatchString(l) {
				lines++
			}
		}
	}
	require.Greater(t, len(drawn), 20)
	slices.Sort(drawn)
	t.Logf("%d diagrams of %d to %d lines, %d in the median", len(drawn), drawn[0], drawn[len(drawn)-1], drawn[len(drawn)/2])
	require.LessOrEqual(t, drawn[len(drawn)/2], 25)
}

var (
	findingRow    = regexp.MustCompile("^\\| ([^|]+) \\|(?:[^|]+\\|){3} `([^`|]+)` \\|[^|]+\\|$")
	findingRepair = regexp.MustCompile("^- repair: `([^`]+)`")
)

// TestFindingsAreWhatRepairsRemove: each repair has an entry and a row of the table, with the title by which
// dmasim repair names the defect.
func TestFindingsAreWhatRepairsRemove(t *testing.T) {
	text, err := os.ReadFile("../../docs/findings-rfc-v2.md")
	require.NoError(t, err)
	var want, entries, rows []string // a repair and its title each
	for _, f := range token.Fixes() {
		want = append(want, f.Name+": "+f.Defect)
	}
	title := ""
	for l := range strings.Lines(string(text)) {
		l = strings.TrimSuffix(l, "\n")
		if t, ok := strings.CutPrefix(l, "## "); ok {
			title = t
		} else if m := findingRepair.FindStringSubmatch(l); m != nil {
			entries = append(entries, m[1]+": "+title)
		} else if m := findingRow.FindStringSubmatch(l); m != nil {
			rows = append(rows, m[2]+": "+m[1])
		}
	}
	require.ElementsMatch(t, want, entries)
	require.ElementsMatch(t, want, rows)
}

// TestRepairNamesDefects looks at what stands below the repairs of a set, in both forms.
func TestRepairNamesDefects(t *testing.T) {
	out, stderr, status := call("repair", "no-fence-slot")
	require.Zero(t, status, stderr)
	require.Regexp(t, `(?m)^  without drain-on-reserve-failure \(REM-2\): A failing reservation of a fence slot is a silent return
    stale-dma 's1\.[0-9a-f]{4}\.no-fence-slot\.rfc-v2\+reclaim-queue#[0-9a-f]{8}'$`, out)
	out, stderr, status = call("repair", "no-fence-slot", "--json")
	require.Zero(t, status, stderr)
	var o remedyJSON
	require.NoError(t, json.Unmarshal([]byte(out), &o))
	require.Len(t, o.Without, 2)
	require.Equal(t, "drain-on-reserve-failure", o.Without[0].Fix)
	require.Equal(t, "A failing reservation of a fence slot is a silent return", o.Without[0].Defect)
}

var stringInProse = regexp.MustCompile(`'(s1\.[^'\s]+)'`)

// TestRunsInProse: the replay strings that stand in the text of the findings, and not in what a command prints, are
// runs of the models of today. With -rewrite they are recorded anew, as long as their schedules can be followed and
// the outcome is the same.
func TestRunsInProse(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	for _, name := range []string{"../../docs/findings-rfc-v2.md", "../../docs/findings.md"} {
		whole, err := os.ReadFile(name)
		require.NoError(t, err)
		text := string(whole)
		for _, found := range stringInProse.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
			old := found[1]
			recorded, err := sim.ParseReplay(old)
			require.NoError(t, err)
			c, err := scenarios.ParseCase(recorded.Program, recorded.Variant)
			require.NoError(t, err, old)
			now := recorded
			now.Fingerprint = explore.FingerprintOf(m, c.Program())
			s := explore.NewReplay(recorded.Schedule)
			r := m.Run(s, c.Program())
			require.Empty(t, s.Diverged, old)
			now.Hash = uint32(r.Hash)
			if *rewrite {
				text = strings.ReplaceAll(text, old, now.String())
				continue
			}
			require.Equal(t, now.String(), old, "%s: go test ./cmd/dmasim -run RunsInProse -rewrite makes it so", name)
		}
		if *rewrite {
			require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		}
	}
}
