package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// verdict makes one up: what came of a case, and what was expected of it.
func verdict(t *testing.T, scenario, outcome string, got, want sim.Kind) *scenarios.Verdict {
	t.Helper()
	body := func(t *sim.Task) {
		for _, name := range []string{"io_uring", "exporter"} {
			t.Go(name, func(t *sim.Task) {
				t.At("GET-1", "refs++")
				t.Step(sim.Op{Verb: "inc"})
				if got != "" {
					t.Fail(got, "made up")
				}
			})
		}
		t.Explore()
	}
	d, err := scenarios.FindDesign("drain")
	require.NoError(t, err)
	s := &scenarios.Scenario{Name: scenario, Defects: map[string][]scenarios.Defect{}, Quick: explore.Coverage{Bound: explore.Delays, N: 2}}
	if want != "" {
		s.Defects["drain"] = []scenarios.Defect{{Kind: want}}
	}
	v := &scenarios.Verdict{
		Case:     scenarios.Case{Scenario: s, Design: d, Params: map[string]int{}},
		Report:   explore.Run(context.Background(), body, explore.NewDeepen(s.Quick), explore.Options{}),
		Strategy: "dfs", Outcome: outcome, Promised: s.Quick,
		AsExpected: outcome != "incomplete" && got == want,
	}
	v.Shown = v.Case
	if f := v.Report.Found; f != nil {
		t.Cleanup(f.Machine.Close)
	}
	return v
}

func TestExitStatus(t *testing.T) {
	good := verdict(t, "a", "pass", "", "")
	known := verdict(t, "b", "fail", "leak", "leak")
	other := verdict(t, "c", "fail", "deadlock", "leak")
	missed := verdict(t, "d", "pass", "", "leak")
	short := verdict(t, "e", "incomplete", "", "")
	unlocked := verdict(t, "f", "fail", sim.Misuse, "") // in the words of a debug kernel
	var senseless scenarios.Verdict
	senseless.Report = explore.Run(t.Context(), func(t *sim.Task) {
		for range 2 {
			t.Go("io_uring", func(*sim.Task) { t.Step(sim.Op{Verb: "inc"}) })
		}
		t.Explore()
	}, explore.NewDPOR(), explore.Options{})
	defer senseless.Report.Found.Machine.Close()
	require.Contains(t, senseless.Report.Found.Failure.Message, `io_uring (task 1) announced "inc" with the handle of init`)
	for _, c := range []struct {
		verdicts []*scenarios.Verdict
		want     int
	}{
		{nil, exitOK},
		{[]*scenarios.Verdict{good, known}, exitOK},
		{[]*scenarios.Verdict{good, other}, exitDiffers},
		{[]*scenarios.Verdict{missed}, exitDiffers},
		{[]*scenarios.Verdict{good, short}, exitIncomplete},
		{[]*scenarios.Verdict{nil, good}, exitIncomplete},
		{[]*scenarios.Verdict{short, nil, other, good}, exitDiffers},
		{[]*scenarios.Verdict{unlocked}, exitDiffers},
		{[]*scenarios.Verdict{other, &senseless, short}, exitUnusable},
	} {
		require.Equal(t, c.want, exitStatus(c.verdicts))
	}
}

func TestPrintMany(t *testing.T) {
	verdicts := []*scenarios.Verdict{
		verdict(t, "good", "pass", "", ""),
		verdict(t, "known", "fail", "leak", "leak"),
		verdict(t, "other", "fail", "deadlock", "leak"),
		verdict(t, "missed", "pass", "", "leak"),
		verdict(t, "short", "incomplete", "", ""),
		nil,
	}
	p := &plan{seed: 1}
	for _, v := range verdicts[:5] {
		p.cases = append(p.cases, v.Case)
	}
	p.cases = append(p.cases, verdict(t, "skipped", "pass", "", "").Case)
	var b bytes.Buffer
	p.print(&b, verdicts)
	out := b.String()
	require.Regexp(t, `(?m)^  known  drain  leak  's1\.[^']*'$`, out)
	require.NotContains(t, out, "FAIL known")
	require.Contains(t, out, "FAIL other  design=drain  strategy=dfs  execution 1\ndeadlock: made up\n")
	require.Contains(t, out, "NOT EXPECTED: the verdict expected of drain in this scenario is: fail leak\nreplay: ")
	require.Contains(t, out, "pass missed  design=drain  strategy=dfs\n")
	require.Regexp(t, `(?m)^good +pass +delays<=2$`, out)
	require.Regexp(t, `(?m)^known +FAIL leak +delays<=2$`, out)
	require.Regexp(t, `(?m)^other +FAIL deadlock ! +delays<=2$`, out)
	require.Regexp(t, `(?m)^missed +pass ! +delays<=2$`, out)
	require.Regexp(t, `(?m)^short +incomplete \(delays<=2\) +delays<=2$`, out)
	require.Regexp(t, `(?m)^skipped +- +delays<=2$`, out)
	require.Contains(t, out, "6 verdicts: 2 as expected, 2 not, 2 incomplete; ")
}

func TestOrderOfVerdicts(t *testing.T) {
	p, err := newPlan(checkFlags{given: map[string]bool{"budget": true}, budget: "20", seed: 1}, nil)
	require.NoError(t, err)
	var got []string
	bar := newProgress(io.Discard, false, len(p.cases))
	verdicts := p.run(context.Background(), bar, func(v *scenarios.Verdict) {
		program, variant := v.Case.Names()
		got = append(got, program+" "+variant)
	})
	bar.end()
	var want []string
	for i, c := range p.cases {
		program, variant := c.Names()
		want = append(want, program+" "+variant)
		require.NotNil(t, verdicts[i])
		if f := verdicts[i].Report.Found; f != nil {
			f.Machine.Close()
		}
	}
	require.Equal(t, want, got)
	require.EqualValues(t, len(p.cases), bar.done.Load())
}

// terminal interrupts the process once the progress line has shown up.
type terminal struct {
	mu   sync.Mutex
	text strings.Builder
	once sync.Once
}

func (w *terminal) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.once.Do(func() { _ = syscall.Kill(syscall.Getpid(), syscall.SIGINT) })
	return w.text.Write(b)
}

// TestInterrupt samples for a day, were it not for the interrupt.
func TestInterrupt(t *testing.T) {
	var out bytes.Buffer
	var term terminal
	status := run([]string{"check", "publish-after-unlock", "--strategy", "random", "--budget", "24h"}, &out, &term, true)
	require.Equal(t, exitIncomplete, status)
	require.Contains(t, out.String(), "incomplete (sampled)")
	lines := strings.Split(term.text.String(), "\r")
	require.Regexp(t, `^\d+s: \d of 4 cases, \d+ runs \(\d+/s\), (\d+ traces, )?depth \d+, \d failures`, lines[1])
	require.Contains(t, lines[len(lines)-1], "dmasim check: interrupted when ")
	require.Empty(t, strings.TrimSpace(lines[len(lines)-2]), "the line must be erased")
	require.NotContains(t, term.text.String(), "\x1b", "no escape sequences")
}

func TestProgressLineFits(t *testing.T) {
	p := newProgress(io.Discard, false, 99)
	p.executions[0].Store(123_456_789)
	p.done.Store(99)
	p.failed.Store(99)
	require.LessOrEqual(t, len(p.line(9999*time.Second)), 79)
}
