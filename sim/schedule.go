package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Schedule names a run by its departures from the default rule: at these steps
// another task was picked, and these choices had another value than 0. It is what
// is printed, replayed, minimised and drawn at random.
type Schedule struct {
	Switches []Switch
	Choices  []Chosen
}

// Switch is a scheduling point at which not the default task was picked.
type Switch struct {
	// Step is the number of the point, from 1.
	Step int
	// Task is the ID of the task that was picked.
	Task string
	// Preemption is set if the task that was running could have gone on. It is
	// not part of the printed form: it follows from the run.
	Preemption bool
}

// Chosen is a choice whose value was not 0.
type Chosen struct {
	// N counts the choices of a run, from 0.
	N     int
	Value int
}

// Preemptions counts the switches away from a task that could have gone on.
func (s Schedule) Preemptions() int {
	n := 0
	for _, sw := range s.Switches {
		if sw.Preemption {
			n++
		}
	}
	return n
}

// Clone returns a copy that shares nothing with s.
func (s Schedule) Clone() Schedule {
	return Schedule{append([]Switch(nil), s.Switches...), append([]Chosen(nil), s.Choices...)}
}

// String prints the schedule: "@6>2,9>1.1?0=1". The default schedule is "".
func (s Schedule) String() string {
	var b strings.Builder
	sep := byte('@')
	for _, sw := range s.Switches {
		b.WriteByte(sep)
		fmt.Fprintf(&b, "%d>%s", sw.Step, sw.Task)
		sep = ','
	}
	sep = '?'
	for _, c := range s.Choices {
		b.WriteByte(sep)
		fmt.Fprintf(&b, "%d=%d", c.N, c.Value)
		sep = ','
	}
	return b.String()
}

// ParseSchedule reads what Schedule.String printed.
func ParseSchedule(text string) (Schedule, error) {
	var s Schedule
	switches, choices, _ := strings.Cut(text, "?")
	if strings.Contains(text, "?") && choices == "" {
		return s, fmt.Errorf("schedule %q: nothing after '?'; a choice looks like ?0=1", text)
	}
	if switches != "" {
		list, ok := strings.CutPrefix(switches, "@")
		if !ok {
			return s, fmt.Errorf("schedule %q: a list of switches begins with '@', as in @6>2,9>1", text)
		}
		for _, e := range strings.Split(list, ",") {
			step, task, ok := strings.Cut(e, ">")
			n, err := strconv.Atoi(step)
			if !ok || err != nil || n < 1 || !validID(task) {
				return s, fmt.Errorf("schedule %q: %q is not a switch; one looks like 6>2, step and task", text, e)
			}
			if k := len(s.Switches); k > 0 && s.Switches[k-1].Step >= n {
				return s, fmt.Errorf("schedule %q: step %d comes after step %d; steps must rise", text, n, s.Switches[k-1].Step)
			}
			s.Switches = append(s.Switches, Switch{Step: n, Task: task})
		}
	}
	if choices != "" {
		for _, e := range strings.Split(choices, ",") {
			at, val, ok := strings.Cut(e, "=")
			n, err1 := strconv.Atoi(at)
			v, err2 := strconv.Atoi(val)
			if !ok || err1 != nil || err2 != nil || n < 0 || v < 1 {
				return s, fmt.Errorf("schedule %q: %q is not a choice; one looks like 0=1, number and value", text, e)
			}
			if k := len(s.Choices); k > 0 && s.Choices[k-1].N >= n {
				return s, fmt.Errorf("schedule %q: choice %d comes after choice %d; numbers must rise", text, n, s.Choices[k-1].N)
			}
			s.Choices = append(s.Choices, Chosen{n, v})
		}
	}
	return s, nil
}
