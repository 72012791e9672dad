package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// passer is a driver with a timeout handler and a ->complete.
type passer struct {
	*fakeDriver
	timeout func(k *kernel.Task, rq *Request) EH
	called  []kernel.Jiffies
}

func (p *passer) Timeout(k *kernel.Task, rq *Request) EH {
	p.called = append(p.called, k.K.Jiffies(k))
	return p.timeout(k, rq)
}

func (p *passer) Complete(k *kernel.Task, rq *Request) { rq.End(k, kernel.BLK_STS_OK) }

// newTimed is a disk with a timeout of a second.
func newTimed(k *kernel.Task, timeout func(k *kernel.Task, rq *Request) EH) (*disk, *passer) {
	d := &disk{driver: &fakeDriver{}, token: &fakeToken{}}
	p := &passer{fakeDriver: d.driver, timeout: timeout}
	d.Queue = NewQueue(k, "disk", size, 4, Limits{LogicalBlock: block, MaxHWSectors: 32, DmaAlignment: 3}, p, fakeDesign{})
	d.Timeout = kernel.HZ
	d.use = token.Use{Token: d.token}
	return d, p
}

func sectorsOf(rqs []*Request) (out []uint64) {
	for _, rq := range rqs {
		out = append(out, rq.Sector)
	}
	return
}

var _ = conform(cases{
	{"C-BLK-02", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.ReadOnly = true
			b := d.bio()
			b.Op = REQ_OP_WRITE
			d.SubmitBio(k, b)
			require.Len(t, d.driver.queued, 1)
			d.driver.finish(k)
			require.Equal(t, ok, d.ended)
		})
	}},
	{"C-BLK-04", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.Limits.LogicalBlock = 4096
			b := d.plain(1, 8)
			d.SubmitBio(k, b)
			require.Equal(t, []kernel.Errno{kernel.EIO}, d.ended)
			b = d.plain(0, 16)
			b.Vecs[0].Offset, b.Vecs[0].Len, b.Size = 2, 4094, 8190
			b.Vecs = append(b.Vecs, iter.Bvec{Pages: frames(99, 1), Len: 2})
			b.Size = 8192
			d.SubmitBio(k, b)
			require.Equal(t, []kernel.Errno{kernel.EIO, kernel.EINVAL}, d.ended)
			require.Zero(t, d.usage)
			// On a frozen queue alignment is not looked at yet.
			d.Freeze(k)
			b = d.plain(1, 8)
			b.Flags = REQ_NOWAIT
			d.SubmitBio(k, b)
			require.Equal(t, kernel.EAGAIN, d.ended[2])
			d.Unfreeze(k)
		})
	}},
	{"C-BLK-06", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.complete = true
			k.Go("submitter", func(k *kernel.Task) {
				p := StartPlug(k, 1)
				d.SubmitBio(k, d.bio())
				require.Empty(t, d.driver.handed, "it is in the plug")
				d.SubmitBio(k, d.bio())
				p.Finish(k)
			})
			k.Explore()
			require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
		})
	}},
	{"C-BLK-07", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 1)
			r := kernel.BLK_STS_RESOURCE
			d.driver.script = []kernel.BlkStatus{r, r, r}
			d.SubmitBio(k, d.bio())
			require.Len(t, d.driver.handed, 2, "again at once, from the dispatch list")
			settle(k, 2)
			require.Len(t, d.driver.handed, 2)
			settle(k, 2)
			require.Len(t, d.driver.handed, 3, "and after three milliseconds")
			settle(k, 3)
			require.Len(t, d.driver.queued, 1)
			d.driver.finish(k)
			require.Equal(t, ok, d.ended)
			require.Equal(t, []string{"submit", "queue", "requeue", "queue", "requeue", "queue", "requeue", "queue", "free single"}, d.token.stages)
		})
		passes(t, func(k *kernel.Task) { // the end of another request does it sooner
			d := newDisk(k, 2)
			d.SubmitBio(k, d.bio())
			r := kernel.BLK_STS_RESOURCE
			d.driver.script = []kernel.BlkStatus{r, r}
			d.SubmitBio(k, d.bio())
			d.driver.finish(k)
			settle(k, 1)
			require.Len(t, d.driver.queued, 1)
			d.driver.finish(k)
		})
	}},
	{"C-BLK-08", func(t *testing.T) {
		dev := kernel.BLK_STS_DEV_RESOURCE
		fails(t, iter.LostCompletion, "1 bio of disk never completed", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.script = []kernel.BlkStatus{dev, dev}
			d.SubmitBio(k, d.bio())
			settle(k, 1_000_000)
			require.Len(t, d.driver.handed, 2)
		})
		fails(t, sim.LostWakeup, "blk_mq_freeze_queue_wait", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.script = []kernel.BlkStatus{dev, dev}
			d.SubmitBio(k, d.bio())
			d.Freeze(k)
		})
		passes(t, func(k *kernel.Task) { // its own completion runs the queue
			d := newDisk(k, 2)
			d.SubmitBio(k, d.bio())
			d.driver.script = []kernel.BlkStatus{dev, dev}
			d.SubmitBio(k, d.bio())
			d.driver.finish(k)
			settle(k, 1)
			d.driver.finish(k)
			require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
		})
		passes(t, func(k *kernel.Task) { // so does the driver
			d := newDisk(k, 1)
			d.driver.script = []kernel.BlkStatus{dev, dev}
			d.SubmitBio(k, d.bio())
			d.RunQueues(k, false)
			d.driver.finish(k)
			require.Equal(t, ok, d.ended)
		})
		passes(t, func(k *kernel.Task) { // and somebody who waits for the tag
			d := newDisk(k, 1)
			d.driver.script = []kernel.BlkStatus{dev, dev}
			d.SubmitBio(k, d.bio())
			d.driver.complete = true
			d.SubmitBio(k, d.bio())
		})
	}},
	{"C-BLK-09", func(t *testing.T) {
		for _, s := range []kernel.BlkStatus{kernel.BLK_STS_IOERR, kernel.BLK_STS_INVAL} {
			passes(t, func(k *kernel.Task) {
				d := newDisk(k, 1)
				p := StartPlug(k, 1)
				d.SubmitBio(k, d.plain(0, 8))
				d.SubmitBio(k, d.plain(8, 8))
				d.driver.script = []kernel.BlkStatus{s}
				p.Finish(k)
				require.Equal(t, []kernel.Errno{s.Errno(), s.Errno()}, d.ended, "both bios of the request")
				require.Zero(t, d.Tags.InUse())
			})
		}
	}},
	{"C-BLK-13", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 1)
			p := StartPlug(k, 1)
			first, second := d.plain(0, 8), d.plain(8, 16)
			d.SubmitBio(k, first)
			d.SubmitBio(k, second)
			p.Finish(k)
			rq := d.driver.queued[0]
			require.EqualValues(t, 3, rq.Nsegs)
			rq.MarkComplete(k)
			require.True(t, rq.Update(k, kernel.BLK_STS_OK, 4096+1024))
			require.Equal(t, ok, d.ended)
			require.Equal(t, BvecIter{Sector: 10, Size: 7168, Done: 1024}, second.BvecIter)
			require.Equal(t, []any{uint64(10), uint32(7168), uint32(2)}, []any{rq.Sector, rq.Bytes, rq.Nsegs})
			require.True(t, rq.Update(k, kernel.BLK_STS_MEDIUM, 3072))
			require.EqualValues(t, 1, rq.Nsegs)
			rq.End(k, kernel.BLK_STS_OK)
			require.Equal(t, []kernel.Errno{kernel.OK, kernel.ENODATA}, d.ended, "an error of a part stays")
		})
		fails(t, sim.Bug, "something is left", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.SubmitBio(k, d.plain(0, 8))
			rq := d.driver.queued[0]
			rq.Bytes -= 512
			rq.End(k, kernel.BLK_STS_OK)
		})
	}},
	{"C-BLK-14", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			ends := 0
			parent := &Bio{EndIO: func(_ *kernel.Task, b *Bio) {
				ends++
				require.Equal(t, kernel.BLK_STS_MEDIUM, b.Status())
			}}
			for range 2 {
				c := &Bio{}
				c.Chain(k, parent)
				k.Interrupt("irq", func(k *kernel.Task) { c.End(k, kernel.BLK_STS_MEDIUM) })
			}
			k.Interrupt("irq", func(k *kernel.Task) { parent.End(k, kernel.BLK_STS_OK) })
			k.Explore()
			require.Equal(t, 1, ends)
		})
		fails(t, iter.DoubleCompletion, "completed twice", func(k *kernel.Task) {
			parent, c := &Bio{}, &Bio{}
			c.Chain(k, parent)
			c.End(k, kernel.BLK_STS_OK)
			c.End(k, kernel.BLK_STS_OK)
		})
	}},
	{"C-BLK-15", func(t *testing.T) {
		always(t, func(k *kernel.Task) { // a requeued request is waited for
			d := newDisk(k, 1)
			d.driver.complete = true
			d.driver.script = []kernel.BlkStatus{kernel.BLK_STS_RESOURCE}
			d.SubmitBio(k, d.bio())
			k.Go("freezer", func(k *kernel.Task) {
				d.Freeze(k)
				require.Equal(t, ok, d.ended)
				d.Unfreeze(k)
			})
			k.Explore()
		})
		passes(t, func(k *kernel.Task) { // and freezes are counted
			d := newDisk(k, 1)
			d.driver.complete = true
			d.Freeze(k)
			d.Freeze(k)
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
			k.Go("unfreezer", func(k *kernel.Task) {
				d.Unfreeze(k)
				settle(k, 1)
				require.Empty(t, d.ended)
				d.Unfreeze(k)
			})
			k.Explore()
			require.Equal(t, ok, d.ended)
		})
		fails(t, sim.Warn, "not frozen", func(k *kernel.Task) { newDisk(k, 1).Unfreeze(k) })
	}},
	{"C-BLK-16", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d, p := newTimed(k, func(k *kernel.Task, rq *Request) EH {
				rq.Complete(k, kernel.BLK_STS_TIMEOUT)
				return BLK_EH_DONE
			})
			d.SubmitBio(k, d.bio())
			d.Freeze(k) // ends with the request, which ends with its time
			require.Equal(t, []kernel.Errno{kernel.ETIMEDOUT}, d.ended)
			require.Equal(t, []kernel.Jiffies{kernel.HZ}, p.called)
			d.Unfreeze(k)
		})
		always(t, func(k *kernel.Task) { // completion and timeout race: the handler sees no request that completed
			k.K.Race("disk timeout")
			d, _ := newTimed(k, func(k *kernel.Task, rq *Request) EH {
				require.True(t, rq.InFlight())
				return BLK_EH_DONE
			})
			d.SubmitBio(k, d.bio())
			rq := d.driver.queued[0]
			k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
			k.Explore()
			require.Equal(t, ok, d.ended)
		})
		sometimes(t, iter.DoubleCompletion, "not in flight", func(k *kernel.Task) { // which the driver has to see to
			k.K.Race("disk timeout")
			d, _ := newTimed(k, func(k *kernel.Task, rq *Request) EH {
				k.Step(sim.Op{Verb: "look at the hardware"})
				rq.Complete(k, kernel.BLK_STS_TIMEOUT)
				return BLK_EH_DONE
			})
			d.SubmitBio(k, d.bio())
			rq := d.driver.queued[0]
			k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
			k.Explore()
		})
	}},
	{"C-BLK-17", func(t *testing.T) {
		fails(t, iter.LostCompletion, "1 bio of disk never completed", func(k *kernel.Task) {
			d, p := newTimed(k, func(*kernel.Task, *Request) EH { return BLK_EH_DONE })
			d.SubmitBio(k, d.bio())
			settle(k, 100_000)
			require.Equal(t, []kernel.Jiffies{kernel.HZ}, p.called, "once")
		})
		passes(t, func(k *kernel.Task) {
			n := 0
			d, p := newTimed(k, func(k *kernel.Task, rq *Request) EH {
				if n++; n < 3 {
					return BLK_EH_RESET_TIMER
				}
				rq.Complete(k, kernel.BLK_STS_IOERR)
				return BLK_EH_DONE
			})
			d.SubmitBio(k, d.bio())
			settle(k, 100_000)
			require.Equal(t, []kernel.Jiffies{kernel.HZ, 2 * kernel.HZ, 3 * kernel.HZ}, p.called)
			require.Equal(t, []kernel.Errno{kernel.EIO}, d.ended)
		})
		passes(t, func(k *kernel.Task) { // what the driver has taken care of is not its business twice
			d, p := newTimed(k, func(*kernel.Task, *Request) EH { return BLK_EH_DONE })
			d.SubmitBio(k, d.bio())
			settle(k, 1500)
			d.SubmitBio(k, d.bio())
			settle(k, 10_000)
			require.Equal(t, []kernel.Jiffies{kernel.HZ, 3 * kernel.HZ}, p.called)
			d.driver.finish(k)
		})
		passes(t, func(k *kernel.Task) { // blk_abort_request
			d, p := newTimed(k, func(k *kernel.Task, rq *Request) EH {
				rq.Cancel()
				rq.Complete(k, kernel.BLK_STS_IOERR)
				return BLK_EH_DONE
			})
			d.SubmitBio(k, d.bio())
			d.driver.queued[0].Abort(k)
			settle(k, 1)
			require.Equal(t, []kernel.Jiffies{0}, p.called)
			require.Equal(t, "free cancelled", d.token.stages[2])
		})
	}},
	{"C-BLK-19", func(t *testing.T) {
		var order []string
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 8)
			depth := 0
			log := func(name string) { order = append(order, name) }
			d.driver.queue = func(_ *kernel.Task, rq *Request) { log("disk") }
			var mid, top *Queue
			mid = NewStacked(k, "mid", size, Limits{}, submitter(func(k *kernel.Task, _ *Queue, b *Bio) {
				require.Zero(t, depth, "no recursion")
				log("mid")
				d.SubmitBio(k, d.plain(0, 1))
				b.End(k, kernel.BLK_STS_OK)
			}))
			n := 0
			top = NewStacked(k, "top", size, Limits{}, submitter(func(k *kernel.Task, _ *Queue, b *Bio) {
				depth++
				log("top")
				if n++; n == 1 {
					top.SubmitBio(k, d.plain(0, 1))
					mid.SubmitBio(k, d.plain(0, 1))
					mid.SubmitBio(k, d.plain(0, 1))
				}
				b.End(k, kernel.BLK_STS_OK)
				depth--
			}))
			top.SubmitBio(k, d.plain(0, 1))
			d.driver.finish(k)
		})
		require.Equal(t, []string{"top", "mid", "disk", "mid", "disk", "top"}, order)
	}},
	{"C-BLK-20", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			d := newDisk(k, 2)
			quiet := false
			d.driver.queue = func(k *kernel.Task, _ *Request) {
				require.False(t, quiet, "queue_rq while the queue is quiesced")
				k.Step(sim.Op{Verb: "doorbell"})
				require.False(t, quiet, "queue_rq while the queue is quiesced")
			}
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
			k.Go("quiescer", func(k *kernel.Task) {
				d.Quiesce(k)
				quiet = true
				k.Step(sim.Op{Verb: "step"})
				quiet = false
				d.Unquiesce(k)
			})
			k.Explore()
			require.Len(t, d.driver.queued, 1)
			d.driver.finish(k)
		})
		passes(t, func(k *kernel.Task) { // what is in flight is not waited for, and new I/O waits in the queue
			d := newDisk(k, 2)
			d.SubmitBio(k, d.bio())
			d.Quiesce(k)
			d.SubmitBio(k, d.bio())
			require.Len(t, d.driver.queued, 1)
			d.driver.finish(k)
			d.Unquiesce(k)
			settle(k, 1)
			d.driver.finish(k)
			require.Len(t, d.ended, 2)
		})
		sometimes(t, sim.Bug, "late", func(k *kernel.Task) { // without the wait, one may be on its way
			d := newDisk(k, 2)
			quiet := simtest.NewVar(k, false)
			d.driver.queue = func(k *kernel.Task, _ *Request) {
				k.Step(sim.Op{Verb: "doorbell"})
				if quiet.Get(k) {
					k.BUG("late")
				}
			}
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
			k.Go("quiescer", func(k *kernel.Task) {
				d.QuiesceNowait(k)
				quiet.Set(k, true)
			})
			k.Explore()
			d.driver.finish(k)
		})
	}},
	{"C-BLK-22", func(t *testing.T) {
		ret, completions, _ := rw(t, false, iter.O_DIRECT, 0, 0, 4096, func(d *disk) { d.driver.status = kernel.BLK_STS_IOERR })
		require.Equal(t, queued, ret)
		require.Equal(t, []int64{iter.Neg(kernel.EIO)}, completions, "before the return")
	}},
	{"C-BLK-23", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 4)
			p := StartPlug(k, 1)
			var order []uint64
			for _, s := range []uint64{8, 16, 0} { // at the back, and at the front
				b := d.plain(s, 8)
				b.EndIO = func(*kernel.Task, *Bio) { order = append(order, s) }
				d.SubmitBio(k, b)
			}
			p.Finish(k)
			require.Len(t, d.driver.queued, 1)
			rq := d.driver.queued[0]
			require.Equal(t, []any{uint64(0), uint32(12288), uint32(3)}, []any{rq.Sector, rq.Bytes, rq.Nsegs})
			d.driver.finish(k)
			require.Equal(t, []uint64{0, 8, 16}, order)
		})
		for name, c := range map[string]func(d *disk, a, b *Bio){
			"another operation": func(_ *disk, a, b *Bio) { b.Op = REQ_OP_WRITE },
			"NOMERGE":           func(_ *disk, a, b *Bio) { b.Flags = REQ_NOMERGE },
			"a hole":            func(_ *disk, a, b *Bio) { b.Sector++ },
			"max_segments":      func(d *disk, a, b *Bio) { d.Limits.MaxSegments = 1 },
			"max_sectors":       func(d *disk, a, b *Bio) { d.Limits.MaxSectors = 8 },
			"chunk":             func(d *disk, a, b *Bio) { d.Limits.ChunkSectors = 8 },
			"gap":               func(d *disk, a, b *Bio) { d.Limits.VirtBoundary = 4095; b.Vecs[0].Offset = 512 },
			"tokens":            func(d *disk, a, b *Bio) { a.Use, b.Use = &d.use, &d.use },
		} {
			t.Run(name, func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					d := newDisk(k, 4)
					a, b := d.plain(0, 8), d.plain(8, 7)
					c(d, a, b)
					if a.Use != nil {
						a.Flags, b.Flags = REQ_NOMERGE, REQ_NOMERGE
					}
					p := StartPlug(k, 1)
					d.SubmitBio(k, a)
					d.SubmitBio(k, b)
					p.Finish(k)
					require.Len(t, d.driver.queued, 2)
					d.driver.finish(k)
				})
			})
		}
	}},
	{"C-BLK-24", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 8)
			p := StartPlug(k, 1)
			for s := range uint64(4) {
				d.SubmitBio(k, d.plain(20*s, 8))
			}
			r := kernel.BLK_STS_RESOURCE
			d.driver.script = []kernel.BlkStatus{0, r, r, r}
			p.Finish(k)
			require.Equal(t, []uint64{0}, sectorsOf(d.driver.queued))
			require.Equal(t, []uint64{20}, sectorsOf(d.hctxs[0].dispatch))
			settle(k, 4)
			require.Equal(t, []uint64{0, 20, 40, 60}, sectorsOf(d.driver.queued))
			d.driver.finish(k)
		})
	}},
})
