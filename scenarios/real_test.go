//go:build linux

package scenarios_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/explore/draw"
	"dmasim/sim/hw"
	"dmasim/token"
	"dmasim/uringsim/realhw"
)

// onReal opens the real path for a test, or skips it, naming what is missing. DMASIM_DRIVE
// names a block device to be used, which is overwritten.
func onReal(t testing.TB, overlap bool) *realhw.Backend {
	t.Helper()
	b, err := realhw.Open(realhw.Options{Dir: t.TempDir(), Drive: os.Getenv("DMASIM_DRIVE"), Overlap: overlap})
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.ENOMEM, unix.ENOSPC} {
		if errors.Is(err, missing) {
			t.Skip(err)
		}
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Err())
		require.NoError(t, b.Close())
	})
	return b
}

// Every scenario says the same of every design, run by run, whether its bytes are real or
// not.
func TestRealBytesChangeNothing(t *testing.T) {
	b := onReal(t, false)
	executions := 10 * scale()
	if testing.Short() {
		executions = 1
	}
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			c, err := scenarios.NewCase(s, d, 0)
			require.NoError(t, err)
			report := func(c scenarios.Case) *explore.Report {
				r := explore.Run(t.Context(), c.Program(), explore.NewRandom(7), explore.Options{Executions: executions, CountTraces: true, ShowAll: true, MinimizeRuns: 20})
				if r.Found != nil {
					r.Found.Machine.Close()
				}
				return r
			}
			model := report(c)
			c.Real = b
			real := report(c)
			require.Equal(t, [...]int{model.Executions, model.Steps, model.Traces}, [...]int{real.Executions, real.Steps, real.Traces}, s.Name+" "+d.Name)
			if f, g := model.Found, real.Found; f != nil || g != nil {
				require.NotNil(t, f, s.Name+" "+d.Name)
				require.NotNil(t, g, s.Name+" "+d.Name)
				t.Log(s.Name, d.Name, g.Failure)
				require.Equal(t, f.Failure.Kind, g.Failure.Kind, g.Failure)
				require.Equal(t, f.Schedule, g.Schedule)
				require.Equal(t, []any{f.Hash, f.Fingerprint, f.Execution}, []any{g.Hash, g.Fingerprint, g.Execution})
			}
		}
	}
	t.Log(b.Note())
	t.Logf("%+v", b.Moved())
	require.NotZero(t, b.Moved().Requests)
}

// TestWorkloadsOverlapped draws workloads, and schedules in which real transfers overlap: what
// TestWorkloads has not, since such runs are not replayable.
//
// DMASIM_CHECKS multiplies the number of schedules for each workload.
func TestWorkloadsOverlapped(t *testing.T) {
	for _, d := range scenarios.Designs() {
		if d.Name == "rfc-v2" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			b := onReal(t, true)
			m := sim.NewMachine()
			defer m.Close()
			each := schedulesEach / 2 * scale()
			if testing.Short() {
				each = 1
			}
			rapid.Check(t, func(rt *rapid.T) {
				w := scenarios.Draw(drawn{rt})
				program := b.Program(scenarios.Program(d, 0, w))
				for range each {
					if r := draw.Run(rt, m, program, draw.Schedule(6, 30)); r.Failure != nil {
						rt.Logf("workload: %v", w)
						draw.Fail(rt, r)
					}
				}
			})
		})
	}
}

// TestWorkloadsFindTheRaceOnRealBytes has to fall in both modes: see
// TestWorkloadsFindTheRace.
func TestWorkloadsFindTheRaceOnRealBytes(t *testing.T) {
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	on := token.AllFixes() &^ token.FixPublishUnderResv
	n := 4 * scale()
	if testing.Short() {
		n = 1
	}
	for _, overlap := range []bool{false, true} {
		b := onReal(t, overlap)
		really := 0
		for i := range n {
			w := workloads.Workload(i)
			if i == 0 { // one that is known to show it
				w, err = scenarios.ParseWorkload("moves=2,io=r0+8/r0+8")
				require.NoError(t, err)
			}
			r := explore.Run(t.Context(), b.Program(scenarios.Program(d, on, w)), explore.NewRandom(uint64(i)), explore.Options{Executions: 200, MinimizeRuns: -1})
			if f := r.Found; f != nil {
				require.Equal(t, hw.StaleDMA, f.Failure.Kind, f.Failure)
				if strings.Contains(f.Failure.Message, "; really: byte ") {
					really++
				}
				f.Machine.Close()
			}
		}
		require.NotZero(t, really)
	}
}

// The race of the posted design is found by a random walk and by bounded search, does its
// damage, and is repeated from its string.
func TestPublishAfterUnlockOnRealBytes(t *testing.T) {
	b := onReal(t, false)
	c := benchCase(t, "publish-after-unlock", "rfc-v2")
	for _, s := range []explore.Strategy{explore.NewRandom(3), explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 2})} {
		model, real := c, c
		real.Real = b
		r := explore.Run(t.Context(), real.Program(), s, explore.Options{Executions: 10_000, MinimizeRuns: 300})
		require.NotNil(t, r.Found, s.Name())
		f := r.Found
		require.Equal(t, hw.StaleDMA, f.Failure.Kind)
		require.Contains(t, f.Failure.Message, "; really: byte 0 of the page is 0x")
		require.Contains(t, f.Failure.Message, "(byte 0 of nvme0) now, and was 0x5a (byte 0 of evicted)")
		program, variant := c.Names()
		text := sim.Replay{Fingerprint: f.Fingerprint, Program: program, Variant: variant, Schedule: f.Schedule, Hash: uint32(f.Hash)}.String()
		first := f.Failure.Message
		f.Machine.Close()

		recorded, err := sim.ParseReplay(text)
		require.NoError(t, err)
		for _, again := range []scenarios.Case{real, model} {
			m := sim.NewMachine()
			defer m.Close()
			require.Equal(t, recorded.Fingerprint, explore.FingerprintOf(m, again.Program()))
			got := m.Run(explore.NewReplay(recorded.Schedule), again.Program())
			require.Equal(t, recorded.Hash, uint32(got.Hash), text)
			require.Equal(t, hw.StaleDMA, got.Failure.Kind)
			require.True(t, strings.HasPrefix(first, got.Failure.Message))
			require.Equal(t, again.Real != nil, first == got.Failure.Message)
		}
	}
}

// Many executions of drawn workloads fit into a short time, on all cores.
func TestManyRunsOnRealBytes(t *testing.T) {
	b := onReal(t, false)
	d, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	each, n := 250, 40*scale()
	if testing.Short() {
		each, n = 20, 4
	}
	begin, runs, steps := time.Now(), 0, 0
	for i := range n {
		w := workloads.Workload(i)
		r := explore.Run(t.Context(), b.Program(scenarios.Program(d, 0, w)), explore.NewRandom(uint64(i)),
			explore.Options{Executions: each, Workers: 2 * runtime.GOMAXPROCS(0)})
		if f := r.Found; f != nil { // a task by itself is nothing to explore
			require.Equal(t, sim.NoSchedulingPoints, f.Failure.Kind, "%v: %v", w, f.Failure)
			f.Machine.Close()
		}
		runs += r.Executions
		steps += r.Steps
	}
	took := time.Since(begin)
	t.Logf("%s: %d executions of %d workloads, %d operations, %.1fs, %.0f executions/s; %+v",
		b.Note(), runs, n, steps, took.Seconds(), float64(runs)/took.Seconds(), b.Moved())
	require.Equal(t, each*n, runs)
}

// BenchmarkRealWorkloads is what an execution of a drawn workload costs on one core, and
// BenchmarkRealPublishAfterUnlock what one of the scenario does.
func BenchmarkRealWorkloads(b *testing.B) {
	d, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(b, err)
	var programs []func(*sim.Task)
	for i := range 40 {
		programs = append(programs, scenarios.Program(d, 0, workloads.Workload(i)))
	}
	benchReal(b, programs...)
}

func BenchmarkRealPublishAfterUnlock(b *testing.B) {
	benchReal(b, benchCase(b, "publish-after-unlock", "rfc-v2-repaired").Program())
}

func benchReal(b *testing.B, programs ...func(*sim.Task)) {
	for _, mode := range []string{"model", "stepped", "overlapped"} {
		b.Run(mode, func(b *testing.B) {
			on := func(p func(*sim.Task)) func(*sim.Task) { return p }
			if mode != "model" {
				on = onReal(b, mode == "overlapped").Program
			}
			m := sim.NewMachine()
			defer m.Close()
			s := explore.NewRandom(1)
			i := 0
			for b.Loop() {
				r := m.Run(s, on(programs[i%len(programs)]))
				if r.Failure != nil {
					b.Fatal(r.Failure)
				}
				s.Done(r)
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
		})
	}
}
