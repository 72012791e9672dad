package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// With one hardware queue a completion goes by way of a softirq, and nothing is batched.
func TestNoBatchOfOneQueue(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.Batch = true
		d.SubmitBio(k, d.bio())
		rq := d.driver.queued[0]
		rq.MarkComplete(k)
		var b Batch
		require.False(t, b.Add(rq, kernel.BLK_STS_OK))
		rq.End(k, kernel.BLK_STS_OK)
		require.Contains(t, d.token.stages, "free single")
	})
}

// CMP-3a: bios end one by one, tags go together, for each hardware queue; errors and what
// has an end of its own are not collected.
func TestBatch(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := &disk{driver: &fakeDriver{}, token: &fakeToken{}}
		d.Queue = NewTagsetOf(k, "tags", 4, 2, 0).NewQueue(k, "disk", size, Limits{DmaAlignment: 3}, d.driver, fakeDesign{})
		d.use = token.Use{Token: d.token}
		d.Batch = true
		for cpu := range 3 {
			k.MoveTo(cpu)
			d.SubmitBio(k, d.bio())
		}
		require.Equal(t, []int{0, 1, 0}, []int{d.driver.queued[0].Hctx.Num, d.driver.queued[1].Hctx.Num, d.driver.queued[2].Hctx.Num})
		var b Batch
		rqs := d.driver.queued
		rqs[0].MarkComplete(k)
		require.False(t, b.Add(rqs[0], kernel.BLK_STS_IOERR))
		for _, rq := range rqs[1:] {
			rq.MarkComplete(k)
			require.True(t, b.Add(rq, kernel.BLK_STS_OK))
		}
		require.Equal(t, 2, b.Len())
		require.Empty(t, d.ended)
		b.End(k)
		require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
		require.Equal(t, 1, d.Tags.InUse())
		rqs[0].End(k, kernel.BLK_STS_IOERR)
		require.Zero(t, d.usage)
		require.Equal(t, []string{"free batch", "free batch", "free single"}, d.token.stages[6:])
	})
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 4)
		d.SubmitBio(k, d.bio())
		rq := d.driver.queued[0]
		rq.MarkComplete(k)
		require.False(t, new(Batch).Add(rq, kernel.BLK_STS_OK), "a queue that does not batch")
		rq.End(k, kernel.BLK_STS_OK)
	})
}

// A completion may be moved to a softirq; a polled one never is.
func TestCompleteRemote(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d, _ := newTimed(k, nil)
		d.SoftirqDone = true
		var where []kernel.Ctx
		b := d.bio()
		b.EndIO = func(k *kernel.Task, _ *Bio) { where = append(where, k.Context()) }
		d.SubmitBio(k, b)
		k.Interrupt("irq", func(k *kernel.Task) { d.driver.queued[0].CompleteRemote(k) })
		k.Explore()
		require.Equal(t, []kernel.Ctx{kernel.InSoftirq}, where)
	})
}

// poller completes what was queued when it is asked.
type poller struct{ *fakeDriver }

func (p poller) Poll(k *kernel.Task, h *Hctx) int {
	n := len(p.queued)
	p.finish(k)
	return n
}

func TestPoll(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newPolled(k)
		d.Ops = poller{d.driver}
		b := d.bio()
		b.Flags = REQ_POLLED
		p := StartPlug(k, 1)
		d.SubmitBio(k, b)
		require.Zero(t, b.Poll(k), "it has no cookie before it was started")
		p.Finish(k)
		require.Equal(t, 1, b.Poll(k))
		require.Equal(t, ok, d.ended)
	})
	passes(t, func(k *kernel.Task) { // a queue without polling
		d := newDisk(k, 1)
		b := d.bio()
		b.Flags = REQ_POLLED
		d.SubmitBio(k, b)
		require.Equal(t, []kernel.Errno{kernel.EOPNOTSUPP}, d.ended)
	})
}

// Passthrough: a command with data, executed in place, and freed by its owner.
func TestPassthrough(t *testing.T) {
	always(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.driver.complete = true
		ioctl := func(k *kernel.Task) {
			rq, err := d.AllocRequest(k, REQ_OP_DRV_OUT, 0)
			require.Equal(t, kernel.OK, err)
			b := d.plain(0, 8)
			require.Equal(t, kernel.OK, rq.Append(k, b))
			n := len(d.ended)
			require.Equal(t, kernel.BLK_STS_OK, rq.Execute(k))
			require.Len(t, d.ended, n+1)
			rq.Free(k)
		}
		k.Go("ioctl", ioctl)
		k.Go("ioctl", ioctl)
		k.Explore()
		require.Zero(t, d.usage)
	})
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		rq, _ := d.AllocRequest(k, REQ_OP_DRV_IN, 0)
		_, err := d.AllocRequest(k, REQ_OP_DRV_IN, REQ_NOWAIT)
		require.Equal(t, kernel.EAGAIN, err)
		rq.Free(k)
		d.Freeze(k)
		_, err = d.AllocRequest(k, REQ_OP_DRV_IN, REQ_NOWAIT)
		require.Equal(t, kernel.EAGAIN, err)
		d.MarkDead(k)
		_, err = d.AllocRequest(k, REQ_OP_DRV_IN, 0)
		require.Equal(t, kernel.ENODEV, err)
	})
}

// What the driver keeps with a tag is there for the next request of the tag.
func TestPduStaysWithTag(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.SubmitBio(k, d.bio())
		d.driver.queued[0].Pdu = "prp"
		d.driver.finish(k)
		d.SubmitBio(k, d.bio())
		require.Equal(t, "prp", d.driver.queued[0].Pdu)
		d.driver.finish(k)
	})
}

// Flushes: without a write cache they are nothing, with one they are a request.
func TestFlush(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 2)
		flush := func() *Bio {
			b := d.bio()
			b.Op, b.Flags, b.Use, b.Size = REQ_OP_WRITE, REQ_PREFLUSH, nil, 0
			return b
		}
		d.SubmitBio(k, flush())
		require.Equal(t, ok, d.ended)
		d.WriteCache = true
		d.SubmitBio(k, flush())
		require.Equal(t, REQ_OP_FLUSH, d.driver.queued[0].Op)
		require.Zero(t, d.driver.queued[0].Nsegs)
		d.driver.finish(k)
		require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
	})
	fails(t, sim.Warn, "a flush is not a write", func(k *kernel.Task) {
		d := newDisk(k, 2)
		b := d.bio()
		b.Flags = REQ_PREFLUSH
		d.SubmitBio(k, b)
	})
}

// A flush before the data, and one after it if the device cannot write through: the driver
// sees three requests, one after the other, and the bio ends after the last, or with the
// first that fails.
func TestFlushAndData(t *testing.T) {
	for name, c := range map[string]struct {
		flags  Flags
		fua    bool
		fail   int // which one fails, from 1
		ops    []Op
		status kernel.Errno
	}{
		"before":           {REQ_PREFLUSH, false, 0, []Op{REQ_OP_FLUSH, REQ_OP_WRITE}, kernel.OK},
		"both":             {REQ_PREFLUSH | REQ_FUA, false, 0, []Op{REQ_OP_FLUSH, REQ_OP_WRITE, REQ_OP_FLUSH}, kernel.OK},
		"after":            {REQ_FUA, false, 0, []Op{REQ_OP_WRITE, REQ_OP_FLUSH}, kernel.OK},
		"written through":  {REQ_FUA, true, 0, []Op{REQ_OP_WRITE}, kernel.OK},
		"the flush fails":  {REQ_PREFLUSH | REQ_FUA, false, 1, []Op{REQ_OP_FLUSH}, kernel.EIO},
		"the data fails":   {REQ_PREFLUSH | REQ_FUA, false, 2, []Op{REQ_OP_FLUSH, REQ_OP_WRITE}, kernel.EIO},
		"the second fails": {REQ_PREFLUSH | REQ_FUA, false, 3, []Op{REQ_OP_FLUSH, REQ_OP_WRITE, REQ_OP_FLUSH}, kernel.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				d := newDiskOf(k, NewTagsetOf(k, "tags", 2, 2, 0))
				d.WriteCache, d.FUA, d.Batch = true, c.fua, true
				b := d.plain(0, 8)
				b.Op, b.Flags = REQ_OP_WRITE, c.flags
				d.SubmitBio(k, b)
				var ops []Op
				for settle(k, 1); len(d.driver.queued) > 0; settle(k, 1) {
					require.Empty(t, d.ended)
					require.Len(t, d.driver.queued, 1)
					rq := d.driver.queued[0]
					require.Same(t, rq, d.Tags.Request(0, rq.Tag()))
					require.Equal(t, c.fua, rq.Flags&REQ_FUA != 0)
					d.driver.queued = nil
					ops = append(ops, rq.Op)
					s := kernel.BLK_STS_OK
					if len(ops) == c.fail {
						s = kernel.BLK_STS_IOERR
					}
					rq.Complete(k, s)
				}
				require.Equal(t, c.ops, ops)
				require.Equal(t, []kernel.Errno{c.status}, d.ended)
				require.Zero(t, d.usage)
				require.Zero(t, d.Tags.InUse())
			})
		})
	}
}

// WRITE_ZEROES has no payload, and a limit of its own.
func TestWriteZeroes(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 4)
		zeroes := func() *Bio {
			b := d.bio()
			b.Op, b.Use, b.Size = REQ_OP_WRITE_ZEROES, nil, 64<<10
			return b
		}
		d.SubmitBio(k, zeroes())
		require.Equal(t, []kernel.Errno{kernel.EOPNOTSUPP}, d.ended)
		d.Limits.MaxWriteZeroesSectors = 64
		d.SubmitBio(k, zeroes())
		require.Equal(t, []uint64{0, 64}, sectorsOf(d.driver.queued))
		d.driver.finish(k)
		require.Equal(t, kernel.OK, d.ended[1])
	})
}
