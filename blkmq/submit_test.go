package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// submitted is what a bio ends with, changed as the case says, and before submit_bio
// returns.
func submitted(t *testing.T, change func(d *disk, b *Bio)) (ended []kernel.Errno, stages []string, tags int) {
	t.Helper()
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 2)
		b := d.bio()
		change(d, b)
		d.SubmitBio(k, b)
		ended, stages, tags = d.ended, d.token.stages, d.Tags.InUse()
	})
	return
}

var _ = conform(cases{
	{"C-BLK-01", func(t *testing.T) {
		// Every error of the submission: one end, with the errno, and no tag left
		// unless the design says so.
		for name, c := range map[string]struct {
			change func(d *disk, b *Bio)
			errno  kernel.Errno
			stages []string
			tags   int
		}{
			"size":   {func(d *disk, b *Bio) { b.Size = 513 }, kernel.EIO, nil, 0},
			"sector": {func(d *disk, b *Bio) { d.Limits.LogicalBlock, b.Sector = 4096, 1 }, kernel.EIO, nil, 0},
			"offset": {func(d *disk, b *Bio) { b.Done = 2 }, kernel.EINVAL, nil, 0},
			"a split, nowait": {func(d *disk, b *Bio) { b.Size, b.Flags = 17<<10, REQ_NOWAIT },
				kernel.EAGAIN, nil, 0},
			"submit stage: again": {func(d *disk, b *Bio) { d.token.submit = token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true} },
				kernel.EAGAIN, []string{"submit", "free never queued"}, 0},
			"submit stage: again, request kept": {func(d *disk, b *Bio) { d.token.submit = token.Outcome{Status: kernel.BLK_STS_AGAIN} },
				kernel.EAGAIN, []string{"submit"}, 1},
			// SUB-3: whatever else it is, it is a matter of resources.
			"submit stage: other": {func(d *disk, b *Bio) { d.token.submit = token.Outcome{Status: kernel.BLK_STS_IOERR, FreeRequest: true} },
				kernel.ENOMEM, []string{"submit", "free never queued"}, 0},
			"queue stage": {func(d *disk, b *Bio) { d.token.queue.Status = kernel.BLK_STS_INVAL },
				kernel.EINVAL, []string{"submit", "queue", "free single"}, 0},
			"queue_rq": {func(d *disk, b *Bio) { d.driver.status = kernel.BLK_STS_IOERR }, // C-BLK-09
				kernel.EIO, []string{"submit", "queue", "free single"}, 0},
		} {
			t.Run(name, func(t *testing.T) {
				ended, stages, tags := submitted(t, c.change)
				require.Equal(t, []kernel.Errno{c.errno}, ended)
				require.Equal(t, c.stages, stages)
				require.Equal(t, c.tags, tags)
			})
		}
	}},
	{"C-BLK-03", func(t *testing.T) {
		ended, _, _ := submitted(t, func(d *disk, b *Bio) { b.Sector = size / 512 })
		require.Equal(t, []kernel.Errno{kernel.EIO}, ended)
	}},
	{"C-BLK-05", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.SubmitBio(k, d.bio())
			require.Empty(t, d.ended)
			b := d.bio()
			b.Flags |= REQ_NOWAIT
			d.SubmitBio(k, b)
			require.Equal(t, []kernel.Errno{kernel.EAGAIN}, d.ended)
			d.driver.queued[0].Complete(k, kernel.BLK_STS_OK)
		})
		always(t, func(k *kernel.Task) { // without, it sleeps until a tag is freed
			d := newDisk(k, 1)
			d.driver.complete = true
			for range 2 {
				k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
			}
			k.Explore()
			require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
			require.Zero(t, d.Tags.InUse())
		})
		fails(t, sim.LostWakeup, "init waits for", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.SubmitBio(k, d.bio())
			d.SubmitBio(k, d.bio())
		})
	}},
	{"C-BLK-10", func(t *testing.T) {
		fails(t, kernel.Context, "in an RCU read section", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.queue = func(k *kernel.Task, _ *Request) { k.MayFail(kernel.GFP_KERNEL, "x") }
			d.SubmitBio(k, d.bio())
		})
	}},
	{"C-BLK-11", func(t *testing.T) {
		fails(t, iter.DoubleCompletion, "request with tag 0 completed, but it is not in flight", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.queue = func(k *kernel.Task, rq *Request) { rq.Complete(k, kernel.BLK_STS_OK) } // not started
			d.SubmitBio(k, d.bio())
		})
		fails(t, sim.Warn, "blk_mq_start_request: the request is not idle", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.queue = func(k *kernel.Task, rq *Request) { rq.Start(k) }
			d.SubmitBio(k, d.bio())
			d.driver.queued[0].Complete(k, kernel.BLK_STS_OK)
		})
	}},
	{"C-BLK-12", func(t *testing.T) {
		fails(t, iter.DoubleCompletion, "request with tag 0 completed, but it is not in flight", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.SubmitBio(k, d.bio())
			for range 2 {
				d.driver.queued[0].Complete(k, kernel.BLK_STS_OK)
			}
		})
		fails(t, iter.DoubleCompletion, "bio of sector 8 completed twice", func(k *kernel.Task) {
			d := newDisk(k, 2)
			b := d.bio()
			d.SubmitBio(k, b)
			d.SubmitBio(k, b)
			for _, rq := range d.driver.queued {
				rq.Complete(k, kernel.BLK_STS_OK)
			}
		})
	}},
	{"C-BLK-18", func(t *testing.T) {
		fails(t, kernel.Context, "in hardirq context", func(k *kernel.Task) {
			d := newDisk(k, 1)
			d.driver.complete = true
			var mu kernel.Mutex
			mu.Init(k, nil, "m")
			b := d.bio()
			b.EndIO = func(k *kernel.Task, b *Bio) { mu.Lock(k) }
			d.SubmitBio(k, b)
			k.Explore()
		})
	}},
	{"C-BLK-21", func(t *testing.T) {
		for s := kernel.BLK_STS_OK; s <= kernel.BLK_STS_DURATION_LIMIT; s++ {
			require.Equal(t, s, kernel.BlkStatusOf(s.Errno()), "%v", s)
		}
		require.Equal(t, kernel.BLK_STS_IOERR, kernel.BlkStatusOf(kernel.EFAULT), "an errno that is nobody's")
		require.Equal(t, kernel.ENOMEM, kernel.BLK_STS_RESOURCE.Errno())
		require.Equal(t, kernel.EAGAIN, kernel.BLK_STS_AGAIN.Errno())
		require.Equal(t, kernel.EOPNOTSUPP, kernel.BLK_STS_NOTSUPP.Errno())
	}},
	{"C-CTX-05", func(t *testing.T) {
		fails(t, kernel.Context, "submit_bio in hardirq context", func(k *kernel.Task) {
			d := newDisk(k, 1)
			b := d.bio()
			b.Size = 513 // it would fail anyhow
			k.Interrupt("irq", func(k *kernel.Task) { d.SubmitBio(k, b) })
			k.Explore()
		})
	}},
})

// A request carries what the bio says, and goes through the stages in order.
func TestSubmitGood(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 2)
		b := d.bio()
		b.Done, b.Size, b.Sector = 4096+512, 8192, 8
		d.SubmitBio(k, b)
		rq := d.driver.queued[0]
		require.EqualValues(t, 3, rq.Nsegs)
		require.Equal(t, token.Frag{Use: &d.use, Off: 4096 + 512, Len: 8192}, rq.Frag)
		require.Equal(t, 1, d.Tags.InUse())
		require.Empty(t, d.ended)
		rq.Complete(k, kernel.BLK_STS_TARGET)
		require.Equal(t, []kernel.Errno{kernel.EREMOTEIO}, d.ended)
		require.Equal(t, []string{"submit", "queue", "free single"}, d.token.stages)
		require.Zero(t, d.Tags.InUse())
	})
}

// Requests in flight have different tags, and a tag that was freed is used again.
func TestTags(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 3)
		for range 3 {
			d.SubmitBio(k, d.bio())
		}
		for i, rq := range d.driver.queued {
			require.Equal(t, i, rq.Tag())
		}
		d.driver.queued[1].Complete(k, kernel.BLK_STS_OK)
		d.SubmitBio(k, d.bio())
		require.Equal(t, 1, d.driver.queued[3].Tag())
		for _, i := range []int{0, 2, 3} {
			d.driver.queued[i].Complete(k, kernel.BLK_STS_OK)
		}
	})
}

func TestTagMisuse(t *testing.T) {
	fails(t, kernel.DoubleFree, "request with tag 0 freed twice", func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.SubmitBio(k, d.bio())
		rq := d.driver.queued[0]
		rq.free(k, token.Single)
		rq.free(k, token.Single)
	})
	fails(t, kernel.DoubleFree, "tag 0 is freed by a request that does not have it", func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.SubmitBio(k, d.bio())
		d.Tags.hw[0].put(k, &Request{q: d.Queue})
	})
}
