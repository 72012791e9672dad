package scenarios_test

import (
	"strings"
	"testing"
	"time"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// BenchmarkDetectors runs the same random walks with each detector off, in turns, so that
// what the machine does meanwhile meets all alike. The least time counts.
func BenchmarkDetectors(b *testing.B) {
	for _, design := range []string{"rfc-v2", "rfc-v2-repaired", "drain"} {
		b.Run(design, func(b *testing.B) {
			all := []string{"none"}
			without := [][]string{nil}
			for _, d := range kernel.Detectors() {
				all, without = append(all, d), append(without, []string{d})
			}
			all, without = append(all, "lockdep and fence-rules"), append(without, []string{"lockdep", "fence-rules"})
			least := make([]time.Duration, len(all))
			const walks = 200
			for b.Loop() {
				for i := range all {
					c := benchCase(b, "move-while-busy", design)
					c.Without = without[i]
					m := sim.NewMachine()
					s := explore.NewRandom(1)
					begin := time.Now()
					for range walks {
						r := m.Run(s, c.Program())
						if f := r.Failure; f != nil && !f.Minor {
							b.Fatal(f)
						}
						s.Done(r)
					}
					if d := time.Since(begin); least[i] == 0 || d < least[i] {
						least[i] = d
					}
					m.Close()
				}
			}
			for i, name := range all {
				b.ReportMetric(float64(least[i].Microseconds())/walks, "us/run-without-"+strings.ReplaceAll(name, " ", "-"))
			}
		})
	}
}
