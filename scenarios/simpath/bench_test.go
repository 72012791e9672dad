//go:build linux

package simpath

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/uringsim/realpath"
	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// BenchmarkWorkloads runs drawn workloads on the simulated path, on the kernel, and on both. The
// drawing is not counted.
func BenchmarkWorkloads(b *testing.B) {
	dir := b.TempDir()
	var all []*workload.Workload
	for i := range 200 {
		all = append(all, draw.Workload(regular).Example(i))
	}
	m := sim.NewMachine()
	defer m.Close()
	walk := explore.NewRandom(1)
	o := Options{Profile: kernel.RFCBase, Traits: regular, MemAlign: 512, MayBlock: true}
	simulated := func(b *testing.B, w *workload.Workload) {
		_, err := Run(m, walk, w, o)
		require.NoError(b, err)
	}
	kernel := func(b *testing.B, w *workload.Workload) {
		machine, err := realpath.NewMachine(w, realpath.Options{Dir: dir})
		if err != nil {
			b.Skip(err)
		}
		if w.Validate(machine.Traits()) == nil {
			_, err = workload.Run(machine, w)
			require.NoError(b, err)
		}
		require.NoError(b, machine.Close())
	}
	both := func(b *testing.B, w *workload.Workload) { simulated(b, w); kernel(b, w) }
	for _, c := range []struct {
		name string
		run  func(*testing.B, *workload.Workload)
	}{{"simulated", simulated}, {"kernel", kernel}, {"both", both}} {
		b.Run(c.name, func(b *testing.B) {
			for i := range b.N {
				c.run(b, all[i%len(all)])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "workloads/s")
		})
	}
}
