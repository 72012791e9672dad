package scenarios_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/explore/draw"
	"dmasim/sim/hw"
	"dmasim/token"
)

// TestWorkloads draws a workload and a schedule together: who reads and writes what
// and how often the buffer moves, and a sparse list of switches. The designs that are
// to be right must pass every oracle; rapid makes what fails smaller in both.
//
// DMASIM_CHECKS multiplies the number of schedules for each workload.
func TestWorkloads(t *testing.T) {
	for _, d := range scenarios.Designs() {
		if d.Name == "rfc-v2" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			m := sim.NewMachine()
			defer m.Close()
			rapid.Check(t, func(rt *rapid.T) {
				w := drawWorkload(rt)
				program := scenarios.Program(d, 0, w)
				for range schedulesEach * scale() {
					if r := draw.Run(rt, m, program, draw.Schedule(6, 30)); r.Failure != nil {
						rt.Logf("workload: %+v", w)
						draw.Fail(rt, r)
					}
				}
			})
		})
	}
}

// TestWorkloadsOfAnyExporter is the same with exporters of all kinds, rings of all modes, several
// buffers and importers, and memory pressure.
func TestWorkloadsOfAnyExporter(t *testing.T) {
	for _, name := range []string{"drain", "toy", "rfc-v2-repaired"} {
		t.Run(name, func(t *testing.T) {
			d, err := scenarios.FindDesign(name)
			require.NoError(t, err)
			m := sim.NewMachine()
			defer m.Close()
			rapid.Check(t, func(rt *rapid.T) {
				w := drawWorkload(rt)
				w.Exporter = rapid.SampledFrom(scenarios.Exporters()).Draw(rt, "exporter")
				w.Without = unjudged
				w.Mode = rapid.SampledFrom(scenarios.RingModes()).Draw(rt, "mode")
				w.Buffers = rapid.IntRange(1, 2).Draw(rt, "buffers")
				w.Clones = rapid.IntRange(0, len(w.Submitters)-1).Draw(rt, "clones")
				w.Reuse = rapid.Bool().Draw(rt, "reuse")
				w.Neighbour = rapid.Bool().Draw(rt, "neighbour")
				w.Reclaims = rapid.IntRange(0, 2).Draw(rt, "reclaims")
				w.Failures = rapid.IntRange(0, 1).Draw(rt, "failures")
				switch w.Exporter {
				case "odd", "revoking", "refusing": // such memory, or not at all
				default:
					w.Distant = rapid.Bool().Draw(rt, "distant")
				}
				r := draw.Run(rt, m, scenarios.Program(d, 0, w), draw.Schedule(6, 30))
				if r.Failure != nil {
					rt.Logf("workload: %+v", w)
					draw.Fail(rt, r)
				}
			})
		})
	}
}

// TestWorkloadsFindTheRace is the same property on the posted design with all repairs
// but one, which must fall: a property that cannot fail proves nothing.
func TestWorkloadsFindTheRace(t *testing.T) {
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	on := token.AllFixes() &^ token.FixPublishUnderResv
	kinds := map[sim.Kind]int{}
	for i := range 20 {
		w := rapid.Custom(drawWorkload).Example(i)
		r := explore.Run(t.Context(), scenarios.Program(d, on, w), explore.NewRandom(uint64(i)), explore.Options{Executions: 300})
		if f := r.Found; f != nil {
			kinds[f.Failure.Kind]++
			f.Machine.Close()
		}
	}
	t.Logf("workloads that fail: %v of 20", kinds)
	require.Len(t, kinds, 1)
	require.NotZero(t, kinds[hw.StaleDMA])
}

// schedulesEach is the number of schedules that are drawn for one workload.
const schedulesEach = 10

func scale() int {
	n, err := strconv.Atoi(os.Getenv("DMASIM_CHECKS"))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// drawWorkload keeps the tasks on ranges of their own: transfers that overlap have no
// defined result.
func drawWorkload(rt *rapid.T) scenarios.Workload {
	w := scenarios.Workload{
		Tags:  rapid.IntRange(1, 4).Draw(rt, "tags"),
		Moves: rapid.IntRange(0, 3).Draw(rt, "moves"),

		Pipelined: rapid.Bool().Draw(rt, "pipelined"),
		Warm:      rapid.Bool().Draw(rt, "warm"),
		Batch:     rapid.Bool().Draw(rt, "batch"),
	}
	for i := range rapid.IntRange(1, 2).Draw(rt, "submitters") {
		ops := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) scenarios.Transfer {
			start := rapid.IntRange(0, 15).Draw(rt, "start")
			return scenarios.Transfer{
				Write: rapid.Bool().Draw(rt, "write"),
				Start: start,
				Len:   rapid.IntRange(1, 16-start).Draw(rt, "len"),
				Lba:   rapid.IntRange(0, 15).Draw(rt, "lba"),
			}
		}), 1, 3).Draw(rt, fmt.Sprintf("task %d", i))
		atOnce := rapid.Bool().Draw(rt, "at once")
		w.Submitters = append(w.Submitters, scenarios.Submitter{AtOnce: atOnce, Transfers: ops})
	}
	return w
}
