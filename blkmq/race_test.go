package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// Freezing against submission: the freezer sees none of the requests, and all of the bios
// end. Without the wait it sees one.
func TestFreezeAndSubmit(t *testing.T) {
	program := func(k *kernel.Task, freeze func(k *kernel.Task, d *disk)) {
		d := newDisk(k, 2)
		d.driver.complete = true
		for range 2 {
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
		}
		k.Go("freezer", func(k *kernel.Task) {
			freeze(k, d)
			if d.Tags.InUse() != 0 {
				k.BUG("a request on a frozen queue")
			}
			d.Unfreeze(k)
		})
		k.Explore()
		require.Len(t, d.ended, 2)
		require.Zero(t, d.usage)
	}
	on.Everywhere(t, func(k *kernel.Task) { program(k, func(k *kernel.Task, d *disk) { d.Freeze(k) }) })
	sometimes(t, sim.Bug, "on a frozen queue", func(k *kernel.Task) {
		program(k, func(k *kernel.Task, d *disk) { d.FreezeStart(k) })
	})
}

// DPOR has to see what exhaustive search sees.
func TestFreezeIsDeclared(t *testing.T) {
	body := func(k *kernel.Task) {
		d := newDisk(k, 2)
		d.driver.complete = true
		k.Go("submitter", func(k *kernel.Task) {
			b := d.bio()
			b.Flags |= REQ_NOWAIT
			d.SubmitBio(k, b)
			if len(d.ended) > 0 && d.ended[0] == kernel.EAGAIN {
				k.BUG("frozen")
			}
		})
		k.Go("freezer", func(k *kernel.Task) { d.Freeze(k); d.Unfreeze(k) })
		k.Explore()
	}
	sometimes(t, sim.Bug, "frozen", body)
	on.Finds(t, explore.NewDPOR(), body, sim.Bug)
}

// A task that waits for a tag with a frozen queue behind it: the freeze waits for it.
func TestTagsAndWaiters(t *testing.T) {
	on.Everywhere(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.driver.complete = true
		for range 2 {
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
		}
		k.Go("freezer", func(k *kernel.Task) { d.Freeze(k); d.Unfreeze(k) })
		k.Explore()
		require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
	})
	// A request that nobody frees is found where somebody waits for its tag, and where
	// somebody waits for its reference.
	for _, wait := range []func(k *kernel.Task, d *disk){
		func(k *kernel.Task, d *disk) { d.SubmitBio(k, d.bio()) },
		func(k *kernel.Task, d *disk) { d.Freeze(k) },
		func(k *kernel.Task, d *disk) { d.Remove(k) },
	} {
		fails(t, sim.LostWakeup, "init waits for", func(k *kernel.Task) {
			d := newDisk(k, 1)
			_, err := d.AllocRequest(k, REQ_OP_DRV_IN, 0)
			require.Equal(t, kernel.OK, err)
			wait(k, d)
		})
	}
}

// Requeueing against completion: whoever comes first has the request, and the hardware does
// not complete again what was taken from it. A driver that lets both have it is found.
func TestRequeueAndComplete(t *testing.T) {
	program := func(k *kernel.Task, claims bool) {
		d := newDisk(k, 2)
		d.SubmitBio(k, d.bio())
		rq := d.driver.queued[0]
		d.driver.complete = true
		taken := false
		claim := func() bool {
			first := !taken
			taken = true
			return first || !claims
		}
		k.Go("reset", func(k *kernel.Task) {
			k.Step(sim.Op{Verb: "claim", Obj: &d.requeues.obj})
			if claim() {
				rq.Requeue(k, true)
			}
		})
		k.Interrupt("irq", func(k *kernel.Task) {
			k.Touch(&d.requeues.obj, sim.Write)
			if claim() {
				rq.Complete(k, kernel.BLK_STS_OK)
			}
		})
		k.Explore()
		require.Len(t, d.ended, 1)
		require.Zero(t, d.usage)
	}
	on.Everywhere(t, func(k *kernel.Task) { program(k, true) })
	sometimes(t, iter.DoubleCompletion, "not in flight", func(k *kernel.Task) { program(k, false) })
}

// What submissions and completions do to the queue commutes: taking a reference, entering
// and leaving, in every order, end in the same state, and each sees the same.
func TestUsingCommutes(t *testing.T) {
	ops := map[string]func(k *kernel.Task, q *Queue) any{
		"get":   func(k *kernel.Task, q *Queue) any { return q.Get(k) },
		"enter": func(k *kernel.Task, q *Queue) any { return q.enter(k, true) },
		"exit":  func(k *kernel.Task, q *Queue) any { q.exit(k, 1); return nil },
		"held":  func(k *kernel.Task, q *Queue) any { return q.held(k, q.hctxs[0]) },
	}
	for frozen := range 2 {
		for dying := range 2 {
			for quiesced := range 2 {
				for a, f := range ops {
					for b, g := range ops {
						try := func(first, second func(k *kernel.Task, q *Queue) any) (x, y any, count, usage int) {
							passes(t, func(k *kernel.Task) {
								q := newDisk(k, 1).Queue
								q.usage, q.frozen, q.dying, q.quiesced = 2, frozen, dying == 1, quiesced
								x, y = first(k, q), second(k, q)
								count, usage = q.count, q.usage
							})
							return
						}
						x, y, c, u := try(f, g)
						y2, x2, c2, u2 := try(g, f)
						require.Equal(t, []any{x, y, c, u}, []any{x2, y2, c2, u2}, "%s and %s", a, b)
					}
				}
			}
		}
	}
}

// The removal waits for what is in flight, and fails what comes later.
func TestRemove(t *testing.T) {
	on.Everywhere(t, func(k *kernel.Task) {
		d := newDisk(k, 2)
		d.driver.complete = true
		k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
		k.Go("remover", func(k *kernel.Task) {
			d.Remove(k)
			if d.Tags.InUse() != 0 {
				k.BUG("a request of a queue that has gone")
			}
		})
		k.Explore()
		require.Len(t, d.ended, 1)
		require.Contains(t, []kernel.Errno{kernel.OK, kernel.EIO}, d.ended[0])
		require.Zero(t, d.Refs())
	})
	passes(t, func(k *kernel.Task) { // who waits for a frozen queue learns that it is dead
		d := newDisk(k, 2)
		d.Freeze(k)
		k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
		k.Go("remover", func(k *kernel.Task) { settle(k, 1); d.Remove(k) })
		k.Explore()
		require.Equal(t, []kernel.Errno{kernel.EIO}, d.ended)
	})
}

// Whoever ends the last child of a bio comes after those who ended the others: what they wrote
// before needs no lock.
func TestLastEndComesAfterTheOthers(t *testing.T) {
	lastComesAfter(t, func(k *kernel.Task, d *disk, done func(*kernel.Task)) (ends []func(*kernel.Task)) {
		parent := &Bio{EndIO: func(k *kernel.Task, _ *Bio) { done(k) }}
		for range 2 {
			b := &Bio{Queue: d.Queue}
			b.Chain(k, parent)
			ends = append(ends, func(k *kernel.Task) { b.End(k, kernel.BLK_STS_OK) })
		}
		return append(ends, func(k *kernel.Task) { parent.End(k, kernel.BLK_STS_OK) })
	})
}

// The same of the bios of a direct transfer.
func TestLastBioComesAfterTheOthers(t *testing.T) {
	lastComesAfter(t, func(k *kernel.Task, d *disk, done func(*kernel.Task)) []func(*kernel.Task) {
		p := &dio{left: 2, k: &iter.Kiocb{Complete: func(k *kernel.Task, _ int64) { done(k) }}}
		k.Own(&p.refs, "dio", "dio refs")
		end := func(k *kernel.Task) { p.put(k, kernel.BLK_STS_OK) }
		return []func(*kernel.Task){end, end}
	})
}

// lastComesAfter has each of some tasks write a plain field and end something, and the last one read
// all fields.
func lastComesAfter(t *testing.T, begin func(k *kernel.Task, d *disk, done func(*kernel.Task)) []func(*kernel.Task)) {
	t.Helper()
	on.Everywhere(t, func(k *kernel.Task) {
		var mem kernel.Mem
		k.Alloc(kernel.GFP_KERNEL, &mem, "private")
		fields := make([]kernel.Field[int], 3)
		var ends []func(*kernel.Task)
		ends = begin(k, newDisk(k, 2), func(k *kernel.Task) {
			for i := range ends {
				require.Equal(t, 1, fields[i].Get(k))
			}
			k.Free(&mem)
		})
		for i, end := range ends {
			fields[i].Init(k, &mem, "done", 0)
			k.Go("end", func(k *kernel.Task) {
				fields[i].Set(k, 1)
				end(k)
			})
		}
		k.Explore()
		require.False(t, mem.Alive())
	})
}
