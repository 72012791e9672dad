package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// tick is the length of a jiffy.
const tick = 1_000_000_000 / int64(kernel.HZ)

// after signals the fence that many ticks from now.
func after(k *kernel.Task, ticks int64, f *Fence) {
	k.After(ticks*tick, sim.Quiet, "hardware", func(*sim.Task) { k.Interrupt("signaller", func(k *kernel.Task) { f.Signal(k) }) })
}

var _ = conform(cases{
	{"C-FENCE-11", func(t *testing.T) {
		// What is decided at once: signalled, timeout, a signal pending for a wait that admits it.
		for _, c := range []struct {
			signaled bool
			timeout  kernel.Jiffies
			pending  bool
			want     kernel.Jiffies
		}{
			{true, 0, false, 1},
			{true, 0, true, 1},
			{true, 5, false, 5},
			{true, 5, true, 5},
			{true, kernel.MaxScheduleTimeout, true, kernel.MaxScheduleTimeout},
			{false, 0, true, restart},
			{false, 5, true, restart},
			{false, kernel.MaxScheduleTimeout, true, restart},
			{false, 0, false, 0},
		} {
			passes(t, func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				if c.signaled {
					f.Signal(k)
				}
				if c.pending {
					k.SendSignal(k, true)
				}
				require.Equal(t, c.want, f.WaitTimeout(k, true, c.timeout), "%+v", c)
				require.Zero(t, k.Machine().Now(), "it did not sleep")
				f.Put(k)
			})
		}
		passes(t, func(k *kernel.Task) { // signalled while sleeping; a signal does not matter
			f := newFence(k, 1, 1)
			k.SendSignal(k, true)
			k.Go("waiter", func(k *kernel.Task) {
				after(k, 3, &f.Fence)
				require.Equal(t, kernel.Jiffies(7), f.WaitTimeout(k, false, 10))
			})
			k.Explore()
			f.Put(k)
		})
		passes(t, func(k *kernel.Task) { // the sleep expires
			f := newFence(k, 1, 1)
			require.Zero(t, f.WaitTimeout(k, false, 3))
			require.EqualValues(t, 3*tick, k.Machine().Now())
			f.Put(k)
		})
		// Expired, and signalled before the lock is taken again.
		out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			k.K.Race("dma_fence_wait_timeout")
			f := newFence(k, 1, 1)
			k.Go("waiter", func(k *kernel.Task) {
				left := f.WaitTimeout(k, false, 5)
				say("%d %v", left, f.Signaled())
			})
			k.Interrupt("signaller", func(k *kernel.Task) { f.Signal(k) })
			k.Explore()
			f.Put(k)
		})
		require.Equal(t, set("5 true", "0 false", "0 true"), out)
		// Woken with a signal pending, and signalled by then.
		out = outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			f := newFence(k, 1, 1)
			w := k.Go("waiter", func(k *kernel.Task) {
				left := f.WaitTimeout(k, true, kernel.MaxScheduleTimeout)
				say("%v %v", left == restart, f.Signaled())
			})
			k.Go("other", func(k *kernel.Task) { k.SendSignal(w, false) })
			k.Interrupt("signaller", func(k *kernel.Task) { f.Signal(k) })
			k.Explore()
			f.Put(k)
		})
		require.Equal(t, set("false true", "true true", "true false"), out)
		for name, atomic := range map[string]func(k *kernel.Task, fn func(*kernel.Task)){
			"an RCU read section": func(k *kernel.Task, fn func(*kernel.Task)) { k.RCUReadLock(); fn(k) },
			"an atomic section":   func(k *kernel.Task, fn func(*kernel.Task)) { k.PreemptDisable(); fn(k) },
			"hardirq context":     func(k *kernel.Task, fn func(*kernel.Task)) { k.Interrupt("irq", fn); k.Explore() },
		} {
			fails(t, kernel.Context, "dma_fence_wait_timeout in "+name, func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				f.Signal(k) // it would not have to wait
				atomic(k, func(k *kernel.Task) { f.WaitTimeout(k, false, 0) })
			})
		}
		fails(t, sim.Warn, "the timeout is negative", func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			require.Equal(t, -kernel.Jiffies(kernel.EINVAL), f.WaitTimeout(k, false, -1))
			f.Put(k)
		})
		passes(t, func(k *kernel.Task) { // the driver's own wait
			f := newFenceOf(k, FenceOps{Wait: func(*kernel.Task, *Fence, bool, kernel.Jiffies) kernel.Jiffies { return 42 }}, nil)
			require.Equal(t, kernel.Jiffies(42), f.WaitTimeout(k, false, 5))
			f.Put(k)
		})
	}},
	{"C-FENCE-12", func(t *testing.T) {
		out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			f := newFence(k, 1, 1)
			r := &Resv{}
			r.Init(k, "resv")
			w := k.Go("waiter", func(k *kernel.Task) {
				fence := f.WaitInterruptible(k)
				lock := r.LockInterruptible(k, nil)
				say("%v %v", fence, lock)
				if lock == kernel.OK {
					r.Unlock(k)
				}
			})
			k.Go("holder", func(k *kernel.Task) {
				r.Lock(k, nil)
				k.SendSignal(w, false)
				r.Unlock(k)
			})
			k.Interrupt("signaller", func(k *kernel.Task) { f.Signal(k) })
			k.Explore()
			f.Put(k)
			r.fini(k)
		})
		require.Equal(t, set("0 0", "0 -EINTR", "-ERESTARTSYS 0", "-ERESTARTSYS -EINTR"), out)
	}},
	{"C-FENCE-13", func(t *testing.T) {
		ended := func(wait func(k *kernel.Task, f *Fence)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				w := k.Go("waiter", func(k *kernel.Task) { wait(k, f.Get(k)); f.Put(k) })
				k.Go("other", func(k *kernel.Task) { k.SendSignal(w, true) })
				k.Explore()
				f.Put(k) // unsignalled; nobody is on the list, or this would warn
			}
		}
		always(t, ended(func(k *kernel.Task, f *Fence) { f.WaitTimeout(k, false, 3) }))
		always(t, ended(func(k *kernel.Task, f *Fence) { f.WaitInterruptible(k) }))
		always(t, ended(func(k *kernel.Task, f *Fence) { WaitAnyTimeout(k, []*Fence{f}, true, 3) }))
		fails(t, kernel.UseAfterFree, "waiter (task 1) uses fence#1", func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			k.Go("waiter", func(k *kernel.Task) { f.Wait(k) })
			k.Go("owner", func(k *kernel.Task) { f.Put(k) }) // warns, and wakes a waiter that had no reference
			k.Explore()
		})
	}},
	{"C-FENCE-22", func(t *testing.T) { // what was stored before the signal is seen after the wait, and by callbacks
		waiting := func(wait func(k *kernel.Task, f *Fence)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				x := simtest.NewVar(k, 0)
				look := func(k *kernel.Task) {
					if x.Get(k) != 1 {
						k.BUG("stale")
					}
				}
				f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { look(k) })
				k.Go("waiter", func(k *kernel.Task) { wait(k, &f.Fence); look(k) })
				k.Interrupt("signaller", func(k *kernel.Task) { step(k); x.Set(k, 1); step(k); f.Signal(k) })
				k.Explore()
				f.Put(k)
			}
		}
		always(t, waiting(func(k *kernel.Task, f *Fence) { f.Wait(k) }))
		always(t, waiting(func(k *kernel.Task, f *Fence) { require.Positive(t, f.WaitTimeout(k, true, 5)) }))
		sometimes(t, sim.Bug, "stale", waiting(func(k *kernel.Task, f *Fence) { f.WaitTimeout(k, false, 0) }))
	}},
})

// The first of several fences ends the wait, whichever that is.
func TestWaitAny(t *testing.T) {
	anyOf := func(k *kernel.Task, say func(string, ...any), timeout kernel.Jiffies, also func(k, w *kernel.Task)) {
		fs := []*testFence{newFence(k, 1, 1), newFence(k, 2, 1)}
		w := k.Go("waiter", func(k *kernel.Task) {
			left, i := WaitAnyTimeout(k, []*Fence{&fs[0].Fence, &fs[1].Fence}, true, timeout)
			if left > 0 && !fs[i].Signaled() {
				k.BUG("it has not signalled")
			}
			say("%d %d", left, i)
			require.Empty(t, fs[0].cbs)
			require.Empty(t, fs[1].cbs)
		})
		k.Interrupt("signaller", func(k *kernel.Task) { fs[1].Signal(k) })
		if also != nil {
			also(k, w)
		}
		k.Explore()
		for _, f := range fs {
			f.Put(k)
		}
	}
	require.Equal(t, set("9 1"), outcomes(t, func(k *kernel.Task, say func(string, ...any)) { anyOf(k, say, 9, nil) }))
	require.Equal(t, set("1 1", "0 0"), outcomes(t, func(k *kernel.Task, say func(string, ...any)) { anyOf(k, say, 0, nil) }))
	require.Equal(t, set("9 1", "-512 0"), outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		anyOf(k, say, 9, func(k, w *kernel.Task) { k.Go("other", func(k *kernel.Task) { k.SendSignal(w, false) }) })
	}))
	require.Equal(t, set("9 1", "0 0"), outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		k.K.Race("dma_fence_wait_any_timeout")
		anyOf(k, say, 9, nil)
	}))
	passes(t, func(k *kernel.Task) {
		f, g := newFence(k, 1, 1), newFence(k, 2, 1)
		both := []*Fence{&f.Fence, &g.Fence}
		k.K.FailAlloc("dma_fence_wait_any", 1)
		left, _ := WaitAnyTimeout(k, both, false, 5)
		require.Equal(t, -kernel.Jiffies(kernel.ENOMEM), left)
		left, _ = WaitAnyTimeout(k, both, false, 5)
		require.Zero(t, left)
		f.Signal(k)
		g.Signal(k)
		left, i := WaitAnyTimeout(k, both, false, 5)
		require.Equal(t, kernel.Jiffies(5), left)
		require.Zero(t, i)
		f.Put(k)
		g.Put(k)
	})
	fails(t, sim.Warn, "dma_fence_wait_any_timeout", func(k *kernel.Task) {
		left, _ := WaitAnyTimeout(k, nil, false, 5)
		require.Equal(t, -kernel.Jiffies(kernel.EINVAL), left)
	})
	fails(t, kernel.Context, "allocation(dma_fence_wait_any) in an RCU read section", func(k *kernel.Task) {
		f := newFence(k, 1, 1)
		k.RCUReadLock()
		WaitAnyTimeout(k, []*Fence{&f.Fence}, false, 5)
	})
}

// A waiter that another fence has woken finds a fence signalled whose callback has not come
// to it yet: the first of all is what it returns.
func TestWaitAnyLooksAtTheFlags(t *testing.T) {
	out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		fs := []*testFence{newFence(k, 1, 1), newFence(k, 2, 1), newFence(k, 3, 1)}
		fs[0].AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) {
			k.Await("until it has looked", &fs[2].obj, sim.Read, func() bool { return len(fs[2].cbs) == 0 })
		})
		k.Go("waiter", func(k *kernel.Task) {
			_, i := WaitAnyTimeout(k, []*Fence{&fs[0].Fence, &fs[1].Fence, &fs[2].Fence}, false, kernel.MaxScheduleTimeout)
			say("%d", i)
		})
		k.Go("signallers", func(k *kernel.Task) {
			k.Await("until it waits", &fs[2].obj, sim.Read, func() bool { return len(fs[2].cbs) == 1 })
			k.Interrupt("1", func(k *kernel.Task) { fs[1].Signal(k) })
			k.Interrupt("0", func(k *kernel.Task) { fs[0].Signal(k) })
		})
		k.Explore()
		for _, f := range fs {
			f.Put(k)
		}
	})
	require.Equal(t, set("0", "1"), out)
}
