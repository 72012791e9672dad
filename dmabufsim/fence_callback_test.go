package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// node is a callback as part of something that was allocated.
type node struct {
	kernel.Mem
	cb FenceCB
}

func newNode(k *kernel.Task) *node {
	n := &node{}
	k.Alloc(kernel.GFP_KERNEL, &n.Mem, "node")
	n.cb.In = &n.Mem
	return n
}

var _ = conform(cases{
	{"C-FENCE-02", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			order := ""
			for _, name := range []string{"a", "b"} {
				f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, g *Fence, _ *FenceCB) {
					if !g.Signaled() || g.Timestamp(k) != 7 {
						k.BUG("the callback runs too early")
					}
					order += name
				})
			}
			k.Go("waiter", func(k *kernel.Task) {
				f.Wait(k)
				if order != "ab" {
					k.BUG("the waiter got the lock before %q", order)
				}
			})
			for range 2 {
				k.Interrupt("signaller", func(k *kernel.Task) { f.SignalTimestamp(k, 7) })
			}
			k.Explore()
			require.Equal(t, "ab", order)
			f.Put(k)
		})
	}},
	{"C-FENCE-04", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.Signal(k)
			cb := &FenceCB{}
			require.Equal(t, kernel.ENOENT, f.AddCallback(k, cb, never(t)))
			require.False(t, f.RemoveCallback(k, cb), "the node was initialised")
			f.Signal(k)
			f.Put(k)
		})
		fails(t, sim.Warn, "dma_fence_add_callback", func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			require.Equal(t, kernel.EINVAL, f.AddCallback(k, &FenceCB{}, nil))
			f.Put(k)
		})
		fails(t, sim.Warn, "dma_fence_add_callback", func(k *kernel.Task) {
			require.Equal(t, kernel.EINVAL, (*Fence)(nil).AddCallback(k, &FenceCB{}, never(t)))
		})
		// Added while others' callbacks run: there is no need to wait for the lock.
		out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			f := newFence(k, 1, 1)
			running := simtest.NewVar(k, false)
			f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) {
				running.Set(k, true)
				step(k)
				running.Set(k, false)
			})
			k.Interrupt("signaller", func(k *kernel.Task) { f.Signal(k) })
			k.Go("late", func(k *kernel.Task) {
				ran := false
				err := f.AddCallback(k, &FenceCB{}, func(*kernel.Task, *Fence, *FenceCB) { ran = true })
				say("%v %v", err, running.Get(k))
				require.Equal(t, err == kernel.ENOENT, f.Signaled() && !ran)
			})
			k.Explore()
			f.Put(k)
		})
		require.Equal(t, set("0 false", "-ENOENT true", "-ENOENT false"), out)
	}},
	{"C-FENCE-05", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			early, late := &FenceCB{}, &FenceCB{}
			ran := 0
			f.AddCallback(k, early, never(t))
			f.AddCallback(k, late, func(*kernel.Task, *Fence, *FenceCB) { ran++ })
			require.True(t, f.RemoveCallback(k, early))
			require.False(t, f.RemoveCallback(k, early), "not twice")
			f.Signal(k)
			require.Equal(t, 1, ran)
			require.False(t, f.RemoveCallback(k, late))
			f.Put(k)
		})
		fails(t, sim.Misuse, "the callback was never added", func(k *kernel.Task) { newFence(k, 1, 1).RemoveCallback(k, &FenceCB{}) })
		fails(t, sim.Misuse, "list_add corruption", func(k *kernel.Task) {
			cb := &FenceCB{}
			newFence(k, 1, 1).AddCallback(k, cb, never(t))
			newFence(k, 1, 2).AddCallback(k, cb, never(t))
		})
	}},
	{"C-FENCE-06", func(t *testing.T) {
		// Whoever has removed the callback may free what it uses; who has not, may not.
		using := func(remove bool, removed map[bool]bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				f, n := newFence(k, 1, 1), newNode(k)
				data := newNode(k)
				f.AddCallback(k, &n.cb, func(k *kernel.Task, _ *Fence, _ *FenceCB) { step(k); k.Check(&data.Mem) })
				k.Interrupt("signaller", func(k *kernel.Task) { f.Signal(k) })
				k.Go("remover", func(k *kernel.Task) {
					step(k)
					if remove {
						removed[f.RemoveCallback(k, &n.cb)] = true
					}
					k.Free(&n.Mem)
					k.Free(&data.Mem)
				})
				k.Explore()
				f.Put(k)
			}
		}
		removed := map[bool]bool{}
		always(t, using(true, removed))
		require.Len(t, removed, 2, "in time, and too late")
		sometimes(t, kernel.UseAfterFree, "uses node#", using(false, nil))
	}},
	{"C-FENCE-07", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			f, g, n := newFence(k, 1, 1), newFence(k, 2, 1), newNode(k)
			g.Init(k, &g.Mem, "other driver", 2, 1)
			order := ""
			f.AddCallback(k, &n.cb, func(k *kernel.Task, _ *Fence, cb *FenceCB) {
				order += "f"
				require.Equal(t, kernel.OK, g.AddCallback(k, cb, func(k *kernel.Task, _ *Fence, cb *FenceCB) {
					order += "g"
					k.Free(&n.Mem)
				}))
			})
			f.Signal(k)
			g.Signal(k)
			require.Equal(t, "fg", order)
			f.Put(k)
			g.Put(k)
		})
		for name, touch := range map[string]func(k *kernel.Task, f *Fence, cb *FenceCB){
			"signal": func(k *kernel.Task, f *Fence, _ *FenceCB) { f.Signal(k) },
			"remove": func(k *kernel.Task, f *Fence, cb *FenceCB) { f.RemoveCallback(k, cb) },
			"status": func(k *kernel.Task, f *Fence, _ *FenceCB) { f.GetStatus(k) },
			"lock":   func(k *kernel.Task, f *Fence, _ *FenceCB) { f.Lock(k) },
		} {
			t.Run(name, func(t *testing.T) {
				fails(t, sim.Deadlock, "takes the lock of fence test:1:1", func(k *kernel.Task) {
					f := newFence(k, 1, 1)
					f.AddCallback(k, &FenceCB{}, touch)
					f.Signal(k)
				})
			})
		}
		fails(t, kernel.LockOrder, "possible recursive locking", func(k *kernel.Task) { // nor of another one of the same driver
			f, g := newFence(k, 1, 1), newFence(k, 1, 2)
			f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { g.Signal(k) })
			f.Signal(k)
			f.Put(k)
			g.Put(k)
		})
		passes(t, func(k *kernel.Task) { // of a signalled one it takes no lock
			f, g := newFence(k, 1, 1), newFence(k, 1, 2)
			g.Signal(k)
			f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) {
				require.Equal(t, kernel.ENOENT, g.AddCallback(k, &FenceCB{}, never(t)))
			})
			f.Signal(k)
			f.Put(k)
			g.Put(k)
		})
		fails(t, kernel.Context, "mutex_lock(a) in", func(k *kernel.Task) { // nor may it sleep
			var a kernel.Mutex
			a.Init(k, nil, "a")
			f := newFence(k, 1, 1)
			f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { a.Lock(k) })
			f.Signal(k)
		})
	}},
	{"C-FENCE-08", func(t *testing.T) {
		for _, works := range []bool{true, false} {
			always(t, func(k *kernel.Task) {
				asked, ran := 0, 0
				f := newFenceOf(k, FenceOps{EnableSignaling: func(k *kernel.Task, f *Fence) bool {
					require.True(t, k.IrqsDisabled())
					require.True(t, f.lock.held(k))
					asked++
					step(k)
					return works
				}}, nil)
				f.IsSignaled(k)
				f.GetStatus(k)
				require.Zero(t, asked)
				k.Go("adder", func(k *kernel.Task) {
					err := f.AddCallback(k, &FenceCB{}, func(*kernel.Task, *Fence, *FenceCB) { ran++ })
					require.Equal(t, works, err == kernel.OK, "%v", err)
				})
				k.Go("waiter", func(k *kernel.Task) { f.WaitTimeout(k, false, 0) })
				k.Go("enabler", func(k *kernel.Task) { f.EnableSwSignaling(k) })
				k.Explore()
				require.Equal(t, 1, asked)
				require.Equal(t, works, !f.Signaled())
				f.Signal(k)
				require.Equal(t, works, ran == 1)
				f.Put(k)
			})
		}
	}},
})

// A callback that does nothing visible costs the signaller nothing, and one that does
// makes it give the lock up in an operation of its own.
func TestSignalIsOneOperation(t *testing.T) {
	for want, cb := range map[int]FenceFunc{1: func(*kernel.Task, *Fence, *FenceCB) {}, 3: func(k *kernel.Task, _ *Fence, _ *FenceCB) { step(k) }} {
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.AddCallback(k, &FenceCB{}, cb)
			before := len(k.Machine().Events())
			f.Signal(k)
			require.Equal(t, want, len(k.Machine().Events())-before)
			require.False(t, k.IrqsDisabled())
			require.False(t, k.InAtomic())
			before = len(k.Machine().Events())
			f.Wait(k)
			require.Equal(t, 1, len(k.Machine().Events())-before)
			f.Put(k)
		})
	}
}

// A driver's lock is taken as any spinlock is, by all fences that share it.
func TestFenceWithTheDriversLock(t *testing.T) {
	fails(t, sim.Deadlock, "spinlock recursion", func(k *kernel.Task) {
		var lock kernel.Spinlock
		lock.Init(k, nil, "ring lock")
		f, g := newFenceOf(k, FenceOps{}, &lock), newFenceOf(k, FenceOps{}, &lock)
		f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { g.Signal(k) })
		f.Signal(k)
	})
	always(t, func(k *kernel.Task) {
		var lock kernel.Spinlock
		lock.Init(k, nil, "ring lock")
		f := newFenceOf(k, FenceOps{}, &lock)
		ran := false
		cb := &FenceCB{}
		f.AddCallback(k, cb, func(k *kernel.Task, f *Fence, _ *FenceCB) {
			require.True(t, lock.Held(k))
			ran = true
		})
		k.Interrupt("ring", func(k *kernel.Task) {
			flags := lock.LockIrqsave(k)
			f.SignalLocked(k)
			lock.UnlockIrqrestore(k, flags)
		})
		k.Go("waiter", func(k *kernel.Task) {
			f.Wait(k)
			require.True(t, ran)
			require.Equal(t, kernel.ENOENT, f.AddCallback(k, cb, never(t)))
		})
		k.Explore()
		require.Equal(t, kernel.Jiffies(5), f.WaitTimeout(k, false, 5))
		f.Put(k)
	})
}

// An array signals when all of its fences have, or any; a chain when all before it have.
func TestContainers(t *testing.T) {
	for _, anyOf := range []bool{false, true} {
		on.Everywhere(t, func(k *kernel.Task) {
			a, b := newFence(k, 1, 1), newFence(k, 2, 1)
			arr := NewFenceArray(k, []*Fence{a.Get(k), b.Get(k)}, 9, 1, anyOf)
			k.Go("waiter", func(k *kernel.Task) {
				arr.Wait(k)
				if n := count(a.Signaled(), b.Signaled()); n < 2 && !(anyOf && n == 1) {
					k.BUG("%d of 2 have signalled", n)
				}
			})
			k.Interrupt("a", func(k *kernel.Task) { a.SetError(k, kernel.EIO); a.Signal(k) })
			k.Interrupt("b", func(k *kernel.Task) { b.Signal(k) })
			k.Explore()
			if !anyOf {
				require.Equal(t, -5, arr.GetStatus(k), "the error of one is the array's")
			}
			arr.Put(k)
			a.Put(k)
			b.Put(k)
		})
	}
	on.Everywhere(t, func(k *kernel.Task) {
		a, b := newFence(k, 1, 1), newFence(k, 2, 1)
		first := NewFenceChain(k, nil, a.Get(k), 1)
		last := NewFenceChain(k, &first.Fence, b.Get(k), 2)
		require.Equal(t, first.Context, last.Context)
		k.Go("waiter", func(k *kernel.Task) {
			last.Wait(k)
			if !a.Signaled() || !b.Signaled() {
				k.BUG("the chain was too fast")
			}
		})
		k.Interrupt("a", func(k *kernel.Task) { a.Signal(k) })
		k.Interrupt("b", func(k *kernel.Task) { b.Signal(k) })
		k.Explore()
		require.True(t, first.IsSignaled(k))
		last.Put(k)
		a.Put(k)
		b.Put(k)
	})
}

// A chain whose number does not grow is a timeline of its own, and its number does not fall.
func TestFenceChainNumbers(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		chain := func(prev *Fence, seqno uint64) *FenceChain {
			return NewFenceChain(k, prev, &newFence(k, 1, 1).Fence, seqno)
		}
		first := chain(nil, 5)
		second := chain(&first.Fence, 3)
		require.EqualValues(t, 5, second.Seqno)
		require.NotEqual(t, first.Context, second.Context)
		third := chain(&second.Fence, 6)
		require.EqualValues(t, 6, third.Seqno)
		require.Equal(t, second.Context, third.Context)
		other := chain(&newFence(k, 2, 9).Fence, 3)
		require.EqualValues(t, 3, other.Seqno, "the number of what is no chain does not count")
		third.Put(k)
		other.Put(k)
	})
}

func count(bs ...bool) (n int) {
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}

// The error of an array is that of the fence whose callback came first.
func TestFenceArrayTakesTheFirstError(t *testing.T) {
	out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		a, b := newFence(k, 1, 1), newFence(k, 2, 1)
		arr := NewFenceArray(k, []*Fence{a.Get(k), b.Get(k)}, 9, 1, false)
		arr.EnableSwSignaling(k)
		k.Interrupt("a", func(k *kernel.Task) { a.SetError(k, kernel.EIO); a.Signal(k) })
		k.Interrupt("b", func(k *kernel.Task) { b.SetError(k, kernel.ENOMEM); b.Signal(k) })
		k.Explore()
		say("%d", arr.GetStatus(k))
		arr.Put(k)
		a.Put(k)
		b.Put(k)
	})
	require.Equal(t, set("-5", "-12"), out)
}

// Whoever asks an array asks its fences, until the callbacks do the counting.
func TestFenceArrayAsksUntilEnabled(t *testing.T) {
	for _, first := range []bool{true, false} {
		out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			done := simtest.NewVar(k, false)
			a := newFenceOf(k, FenceOps{Signaled: func(k *kernel.Task, _ *Fence) bool { return done.Get(k) }}, nil)
			arr := NewFenceArray(k, []*Fence{a.Get(k)}, 9, 1, false)
			enable := func() {
				k.Go("enabler", func(k *kernel.Task) { arr.EnableSwSignaling(k) })
			}
			if first {
				enable()
			}
			k.Go("asker", func(k *kernel.Task) {
				step(k)
				done.Set(k, true)
				say("%v", arr.IsSignaled(k))
			})
			if !first {
				enable()
			}
			k.Explore()
			arr.Signal(k)
			a.Signal(k)
			arr.Put(k)
			a.Put(k)
		})
		require.Equal(t, set("true", "false"), out)
	}
}

// Who waits for an array comes after what was done before each of its fences signalled.
func TestFenceArrayComesAfterAllOfIt(t *testing.T) {
	unruled.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
		fences := []*testFence{newFence(k, 1, 1), newFence(k, 2, 1)}
		arr := NewFenceArray(k, []*Fence{fences[0].Get(k), fences[1].Get(k)}, 9, 1, false)
		var mem kernel.Mem
		k.Alloc(kernel.GFP_KERNEL, &mem, "private")
		fields := make([]kernel.Field[int], 2)
		for i, f := range fences {
			fields[i].Init(k, &mem, "done", 0)
			k.Go("signaller", func(k *kernel.Task) {
				fields[i].Set(k, 1)
				f.Signal(k)
			})
		}
		k.Go("waiter", func(k *kernel.Task) {
			arr.Wait(k)
			for i := range fields {
				require.Equal(t, 1, fields[i].Get(k))
			}
		})
		k.Explore()
		k.Free(&mem)
		arr.Put(k)
		for _, f := range fences {
			f.Put(k)
		}
	})
}
