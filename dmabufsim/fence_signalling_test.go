package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// signalling is a section that signals a fence at its end.
func signalling(inside func(k *kernel.Task)) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		f := newFence(k, 1, 1)
		cookie := BeginSignalling(k)
		inside(k)
		f.Signal(k)
		EndSignalling(k, cookie)
		f.Put(k)
	}
}

var _ = conform(cases{
	{"C-ANN-01", func(t *testing.T) {
		alloc := func(gfp kernel.GFP) func(k *kernel.Task) {
			return func(k *kernel.Task) { k.MayFail(gfp, "buffer") }
		}
		for _, gfp := range []kernel.GFP{kernel.GFP_KERNEL, kernel.GFP_NOFS, kernel.GFP_NOIO} {
			fails(t, kernel.LockOrder, "possible circular locking dependency", signalling(alloc(gfp)))
			passes(t, func(k *kernel.Task) { signalling(func(*kernel.Task) {})(k); alloc(gfp)(k) })
		}
		for _, gfp := range []kernel.GFP{kernel.GFP_NOWAIT, kernel.GFP_ATOMIC} {
			passes(t, signalling(alloc(gfp)))
		}
	}},
	{"C-ANN-02", func(t *testing.T) {
		locking := func(first bool, lock func(k *kernel.Task, r *Resv)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				r := &Resv{}
				r.Init(k, "resv")
				if first {
					lock(k, r)
					r.Unlock(k)
				}
				signalling(func(k *kernel.Task) {
					if !first {
						lock(k, r)
						r.Unlock(k)
					}
				})(k)
				r.fini(k)
			}
		}
		lock := func(k *kernel.Task, r *Resv) { r.Lock(k, nil) }
		fails(t, kernel.LockOrder, "dma_fence_map -> reservation_ww_class_mutex", locking(false, lock))
		passes(t, locking(true, lock))
		passes(t, locking(false, func(k *kernel.Task, r *Resv) { r.Trylock(k) }))
	}},
	{"C-ANN-03", func(t *testing.T) {
		// A task waits for the fence with the mutex held, and when it is done another one
		// signals a second fence after taking the mutex.
		with := func(held bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				var mu kernel.Mutex
				mu.Init(k, nil, "driver.lock")
				f := newFence(k, 1, 1)
				f.Signal(k)
				if held {
					mu.Lock(k)
				}
				f.Wait(k)
				if held {
					mu.Unlock(k)
				}
				f.Put(k)
				signalling(func(k *kernel.Task) { mu.Lock(k); mu.Unlock(k) })(k)
			}
		}
		fails(t, kernel.LockOrder, "dma_fence_map -> driver.lock", with(true))
		passes(t, with(false))
		// In what it stands for, the deadlock is there in some interleavings.
		ring := func(k *kernel.Task) {
			k.K.Lockdep.Off = true
			var mu kernel.Mutex
			mu.Init(k, nil, "driver.lock")
			f := newFence(k, 1, 1)
			k.Go("waiter", func(k *kernel.Task) { mu.Lock(k); f.Wait(k); mu.Unlock(k) })
			k.Go("signaller", func(k *kernel.Task) { mu.Lock(k); mu.Unlock(k); f.Signal(k) })
			k.Explore()
			f.Put(k)
		}
		sometimes(t, sim.Deadlock, "", ring)
	}},
	{"C-ANN-04", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			m := fenceSystem(k).signalling
			a := BeginSignalling(k)
			b := BeginSignalling(k)
			require.False(t, a)
			require.True(t, b)
			EndSignalling(k, b)
			require.True(t, m.Held(k), "the outer one goes on")
			EndSignalling(k, a)
			require.False(t, m.Held(k))
			k.PreemptDisable()
			require.True(t, BeginSignalling(k))
			require.False(t, m.Held(k), "nothing in atomic context")
			EndSignalling(k, true)
			k.PreemptEnable()
		})
		fails(t, kernel.Context, "allocation(buffer) in an atomic section", func(k *kernel.Task) {
			k.PreemptDisable()
			BeginSignalling(k)
			k.MayFail(kernel.GFP_NOIO, "buffer")
		})
	}},
	{"C-ANN-05", func(t *testing.T) {
		type when uint8
		const (
			before when = iota
			between
			later
		)
		publish := func(strict bool, alloc when, foreign bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				r, s := &Resv{}, &Resv{}
				for _, r := range []*Resv{r, s} {
					r.Strict = strict
					r.Init(k, "resv")
				}
				f := newFence(k, 1, 1)
				if foreign { // somebody else has published it
					s.Lock(k, nil)
					s.ReserveFences(k, 1)
					s.AddFence(k, &f.Fence, UsageRead)
					s.Unlock(k)
				}
				r.Lock(k, nil)
				r.ReserveFences(k, 1)
				for at := before; at <= later; at++ {
					if at == alloc {
						k.MayFail(kernel.GFP_KERNEL, "job")
					}
					switch at {
					case before:
						r.AddFence(k, &f.Fence, UsageRead)
					case between:
						r.Unlock(k)
					}
				}
				f.Signal(k)
				f.Put(k)
				r.fini(k)
				s.fini(k)
			}
		}
		fails(t, kernel.LockOrder, "dma_fence_map -> fs_reclaim", publish(true, between, false))
		passes(t, publish(true, before, false))
		passes(t, publish(true, later, false))
		passes(t, publish(true, between, true))
		passes(t, publish(false, between, false)) // the work may have been submitted before
		// Whoever does not want to be asked can say it.
		fails(t, kernel.LockOrder, "dma_fence_map -> fs_reclaim", func(k *kernel.Task) {
			publish(false, before, true)(k)
			cookie := BeginSignalling(k)
			k.MayFail(kernel.GFP_KERNEL, "job")
			EndSignalling(k, cookie)
		})
	}},
	{"C-ANN-06", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			g := newFence(k, 2, 1)
			g.Signal(k)
			signalling(func(k *kernel.Task) {
				g.Wait(k)
				require.True(t, fenceSystem(k).signalling.Held(k), "the section goes on")
			})(k)
			g.Put(k)
		})
	}},
	{"C-ANN-07", func(t *testing.T) {
		nested := func(mmapFirst bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				r := &Resv{}
				r.Init(k, "resv")
				var mmap kernel.Mutex
				mmap.Init(k, nil, "mmap_lock")
				if mmapFirst {
					mmap.Lock(k)
				}
				r.Lock(k, nil)
				if !mmapFirst {
					mmap.Lock(k)
				}
				mmap.Unlock(k)
				r.Unlock(k)
				r.fini(k)
			}
		}
		fails(t, kernel.LockOrder, "reservation_ww_class_mutex -> mmap_lock", nested(false))
		passes(t, nested(true))
	}},
})

// A fence lock is a lock like others: a callback that takes a lock under which somebody
// signals is reported.
func TestFenceLockOrder(t *testing.T) {
	with := func(held bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			var ring kernel.Spinlock
			ring.Init(k, nil, "ring lock")
			f, g := newFence(k, 1, 1), newFence(k, 1, 2)
			f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { ring.Lock(k); ring.Unlock(k) })
			f.Signal(k)
			flags := ring.LockIrqsave(k)
			if held {
				g.Signal(k)
			}
			ring.UnlockIrqrestore(k, flags)
			f.Put(k)
			g.Put(k)
		}
	}
	fails(t, kernel.LockOrder, "ring lock -> test fence lock", with(true))
	passes(t, with(false))
}

// So is the lock in dma_fence_add_callback.
func TestAddCallbackLockOrder(t *testing.T) {
	with := func(held bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			var ring kernel.Spinlock
			ring.Init(k, nil, "ring lock")
			f, g := newFence(k, 1, 1), newFence(k, 1, 2)
			f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { ring.Lock(k); ring.Unlock(k) })
			f.Signal(k)
			flags := ring.LockIrqsave(k)
			if held {
				g.AddCallback(k, &FenceCB{}, func(*kernel.Task, *Fence, *FenceCB) {})
			}
			ring.UnlockIrqrestore(k, flags)
			g.Signal(k)
			f.Put(k)
			g.Put(k)
		}
	}
	fails(t, kernel.LockOrder, "ring lock -> test fence lock", with(true))
	passes(t, with(false))
}

// Reclaim may wait for any fence that was published before: with one that depends on the
// allocation there is a deadlock in the runs that have memory pressure.
func TestReclaimWaitsForFences(t *testing.T) {
	var waited bool
	passes(t, func(k *kernel.Task) {
		r := &Resv{}
		r.Init(k, "resv")
		f := newFence(k, 1, 1)
		r.Lock(k, nil)
		r.ReserveFences(k, 1)
		r.AddFence(k, &f.Fence, UsageBookkeep)
		r.Unlock(k)
		k.Go("reclaim", func(k *kernel.Task) {
			fenceSystem(k).waitForAll(k)
			waited = f.Signaled()
		})
		k.Interrupt("signaller", func(k *kernel.Task) { step(k); f.Signal(k) })
		k.Explore()
		f.Put(k)
		r.fini(k)
		require.Empty(t, fenceSystem(k).resvs)
	})
	require.True(t, waited)
}

// An allocation on the signalling path needs memory, which may have to wait for the fence.
func TestReclaimInASignallingSection(t *testing.T) {
	submitting := func(late bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			k.K.Lockdep.Off = true
			r := &Resv{}
			r.Init(k, "resv")
			f := newFence(k, 1, 1)
			k.K.Pressure(1, 0)
			k.Go("submitter", func(k *kernel.Task) {
				r.Lock(k, nil)
				r.ReserveFences(k, 1)
				if !late {
					k.MayFail(kernel.GFP_NOIO, "job")
				}
				r.AddFence(k, &f.Fence, UsageBookkeep)
				r.Unlock(k)
				if late {
					k.MayFail(kernel.GFP_NOIO, "job")
				}
				f.Signal(k)
			})
			k.Go("other", step)
			k.Explore()
			f.Put(k)
			r.fini(k)
		}
	}
	sometimes(t, sim.LostWakeup, "submitter waits for dma_fence_wait fence test:1:1", submitting(true))
	always(t, submitting(false))
}
