package blkmq

import (
	"testing"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// instant completes what was queued when it is told to.
type instant struct {
	token.Driver
	queued []*Request
}

func (d *instant) QueueRq(t *kernel.Task, rq *Request) kernel.BlkStatus {
	rq.Start(t)
	d.queued = append(d.queued, rq)
	return kernel.BLK_STS_OK
}

// BenchmarkRequests submits and completes bios of a page, 32 at a time. An operation is one
// bio.
func BenchmarkRequests(b *testing.B) {
	for name, vecs := range map[string][]iter.Bvec{"vectors": {{Pages: frames(1, 1), Len: 4096}}, "token": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			m := sim.NewMachine()
			m.StepLimit = 1 << 40
			defer m.Close()
			r := m.Run(sim.Default{}, on.Body(func(k *kernel.Task) {
				d := &instant{}
				q := NewQueue(k, "disk", 1<<30, 32, Limits{MaxHWSectors: 256, DmaAlignment: 3}, d, nil)
				use := token.Use{Token: &fakeToken{}}
				end := func(*kernel.Task, *Bio) {}
				for n := 0; n < b.N; n += 32 {
					for i := range uint64(32) {
						bio := &Bio{BvecIter: BvecIter{Sector: 8 * i, Size: 4096}, Vecs: vecs, EndIO: end}
						if vecs == nil {
							bio.Use = &use
						}
						q.SubmitBio(k, bio)
					}
					for _, rq := range d.queued {
						rq.Complete(k, kernel.BLK_STS_OK)
					}
					d.queued = d.queued[:0]
					use.Token.(*fakeToken).stages = nil
				}
			}))
			if r.Failure != nil {
				b.Fatal(r.Failure)
			}
		})
	}
}
