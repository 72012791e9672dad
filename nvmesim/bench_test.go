package nvmesim

import (
	"testing"

	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// The walk of a transfer of 2 MiB, lists included: less than 10 us, and no allocation.
func BenchmarkPRPWalk2MiB(b *testing.B) {
	b.ReportAllocs()
	passes(benchT{b}, func(k *kernel.Task) {
		r, array := newRig(k, Config{}, 0), fakeArray(514)
		io, _ := r.build(k, true, array, 512, 2<<20)
		segs := make([]hw.Segment, 0, 600)
		k.Step(sim.Op{Verb: "walk"})
		b.ResetTimer()
		for range b.N {
			var s Status
			if segs, s = r.ctrl.walker.walk(k, &io.cmd, io.bytes, segs[:0]); s != Success {
				b.Fatal(s)
			}
		}
		b.StopTimer()
	})
}

// benchT makes a benchmark what tests are.
type benchT struct{ *testing.B }

// A read of 4 KiB by an ordinary request and by a token, from the bio to its end, 32 at once.
func BenchmarkRead4KiB(b *testing.B) {
	for _, useToken := range []bool{false, true} {
		b.Run(map[bool]string{false: "vectors", true: "token"}[useToken], func(b *testing.B) {
			b.ReportAllocs()
			m := sim.NewMachine()
			m.StepLimit = 1 << 40
			defer m.Close()
			const rounds, depth = 32, 32
			for n := 0; n < b.N; n += rounds * depth {
				r := m.Run(sim.Default{}, on.Body(func(k *kernel.Task) {
					r := newRig(k, Config{Depth: depth}, depth)
					bio := r.bio
					if useToken {
						r.premap(k)
						bio = r.tokenBio
					}
					for range rounds {
						for i := range depth {
							r.queue.SubmitBio(k, bio(blkmq.REQ_OP_READ, uint64(8*i), 4096*i, 4096))
						}
					}
					k.Explore()
				}))
				if r.Failure != nil {
					b.Fatal(r.Failure)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ios/s")
		})
	}
}
