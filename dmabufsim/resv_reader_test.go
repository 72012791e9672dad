package dmabufsim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// name is a fence in short: "context.seqno".
func name(f *Fence) string { return fmt.Sprintf("%d.%d", f.Context, f.Seqno) }

// names is the walk of a cursor: "!" is a restart.
func names(k *kernel.Task, it *Iter) string {
	var out []string
	for f := it.Next(k); f != nil; f = it.Next(k) {
		s := name(f)
		if it.Restarted() {
			s = "!" + s
		}
		out = append(out, s)
	}
	it.End(k)
	return strings.Join(out, " ")
}

// walked is an unlocked walk of an object with fences of the contexts 1 and 2, while
// somebody has the lock, and the list has room for more. Fence 2.1 has a further reference if
// it is kept.
func walked(t *testing.T, room int, kept bool, meanwhile func(k *kernel.Task, r *Resv)) map[string]bool {
	return outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		r := &Resv{}
		r.Init(k, "resv")
		r.Lock(k, nil)
		r.ReserveFences(k, 2)
		add(k, r, newFence(k, 1, 1), UsageRead)
		f := newFence(k, 2, 1)
		r.AddFence(k, &f.Fence, UsageRead)
		if !kept {
			f.Put(k)
		}
		r.Unlock(k)
		k.Go("walker", func(k *kernel.Task) { say("%s", names(k, r.Iter(UsageBookkeep))) })
		k.Go("holder", func(k *kernel.Task) {
			r.Lock(k, nil)
			r.fences.max.Set(k, r.fences.max.Get(k)+room)
			meanwhile(k, r)
			r.Unlock(k)
		})
		k.Explore()
		if kept {
			f.Put(k)
		}
		r.fini(k)
	})
}

var _ = conform(cases{
	{"C-RESV-15", func(t *testing.T) {
		for what, container := range map[string]func(k *kernel.Task) *Fence{
			"array": func(k *kernel.Task) *Fence {
				return &NewFenceArray(k, []*Fence{&newFence(k, 1, 1).Fence}, 9, 1, false).Fence
			},
			"chain": func(k *kernel.Task) *Fence { return &NewFenceChain(k, nil, &newFence(k, 1, 1).Fence, 1).Fence },
		} {
			fails(t, sim.Warn, "is a container", locked(func(k *kernel.Task, r *Resv) {
				f := container(k)
				r.ReserveFences(k, 1)
				r.AddFence(k, f, UsageRead)
				require.Len(t, contents(r), 1, "%s: stored all the same", what)
				f.Put(k)
			}))
		}
		passes(t, locked(func(k *kernel.Task, r *Resv) { // what one gets and must not put back
			r.ReserveFences(k, 2)
			one, err := r.GetSingleton(k, UsageRead)
			require.Equal(t, kernel.OK, err)
			require.Nil(t, one)
			a, b := newFence(k, 1, 1), newFence(k, 2, 1)
			r.AddFence(k, &a.Fence, UsageRead)
			one, _ = r.GetSingleton(k, UsageRead)
			require.Same(t, &a.Fence, one)
			one.Put(k)
			r.AddFence(k, &b.Fence, UsageWrite)
			k.K.FailAlloc("dma_fence_array", 1)
			_, err = r.GetSingleton(k, UsageRead)
			require.Equal(t, kernel.ENOMEM, err)
			one, _ = r.GetSingleton(k, UsageRead)
			require.True(t, one.IsContainer())
			require.False(t, one.IsSignaled(k))
			a.Signal(k)
			require.False(t, one.IsSignaled(k))
			b.Signal(k)
			require.True(t, one.IsSignaled(k))
			for _, f := range []*Fence{one, &a.Fence, &b.Fence} {
				f.Put(k)
			}
		}))
	}},
	{"C-RESV-16", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReplaceFences(k, 7, nil, UsageRead) // of no list
			r.ReserveFences(k, 3)
			add(k, r, newFence(k, 7, 9), UsageKernel)
			add(k, r, newFence(k, 8, 1), UsageRead)
			add(k, r, newFence(k, 7, 8), UsageBookkeep)
			r.fences.max.Set(k, 3)
			f := newFence(k, 5, 1)
			r.ReplaceFences(k, 7, &f.Fence, UsageWrite)
			require.Equal(t, []string{"5.1 WRITE", "8.1 READ", "5.1 WRITE"}, contents(r))
			require.Equal(t, 3, f.refs)
			f.Put(k)
		}))
		fails(t, sim.Misuse, "dma_resv_replace_fences without the reservation lock", func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			r.ReplaceFences(k, 7, nil, UsageRead)
		})
	}},
	{"C-RESV-17", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 3)
			for c := range 3 {
				add(k, r, newFence(k, uint64(c), 1), Usage(c))
			}
			r.fences.entries[1].fence.Signal(k)
			var all []string
			for f, u := range r.Fences(k, UsageRead) {
				all = append(all, name(f)+" "+u.String())
			}
			require.Equal(t, []string{"0.1 KERNEL", "1.1 WRITE", "2.1 READ"}, all)
			require.Equal(t, "!0.1 2.1", names(k, r.Iter(UsageRead)))
			require.Equal(t, "!0.1", names(k, r.Iter(UsageWrite)))
		}))
		fails(t, sim.Misuse, "dma_resv_iter_first without the reservation lock", func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			for range r.Fences(k, UsageRead) {
			}
		})
	}},
	{"C-RESV-18", func(t *testing.T) {
		require.Equal(t, set("!1.1 2.1"), walked(t, 0, false, func(*kernel.Task, *Resv) {}))
		require.Equal(t, set("!1.1 2.1", "!1.1 !1.1 2.1", "!1.1 2.1 !1.1 2.1"),
			walked(t, 0, false, func(k *kernel.Task, r *Resv) { r.ReserveFences(k, 1) }))
		require.Equal(t, set("!1.1 2.1", "!1.1 2.1 3.1"),
			walked(t, 1, false, func(k *kernel.Task, r *Resv) { add(k, r, newFence(k, 3, 1), UsageRead) }))
		require.Equal(t, set("!1.1 2.1", "!1.1 2.2"),
			walked(t, 0, true, func(k *kernel.Task, r *Resv) { add(k, r, newFence(k, 2, 2), UsageRead) }))
	}},
	{"C-RESV-19", func(t *testing.T) {
		require.Equal(t, set("!1.1 2.1", "!1.1 2.2", "!1.1 !1.1 2.2"),
			walked(t, 0, false, func(k *kernel.Task, r *Resv) { add(k, r, newFence(k, 2, 2), UsageRead) }))
	}},
	{"C-RESV-20", func(t *testing.T) {
		// The walker skips a signalled fence, so that it looks at the array twice.
		growing := func(grow func(k *kernel.Task, r *Resv)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				r := &Resv{}
				r.Init(k, "resv")
				r.Lock(k, nil)
				r.ReserveFences(k, 2)
				f := newFence(k, 1, 1)
				add(k, r, newFence(k, 2, 1), UsageRead)
				add(k, r, f, UsageRead)
				r.fences.entries[0].fence.Signal(k)
				r.Unlock(k)
				k.Go("walker", func(k *kernel.Task) {
					if s := names(k, r.Iter(UsageRead)); !strings.HasSuffix(s, "!1.1") {
						k.BUG("walked %s", s)
					}
				})
				k.Go("holder", func(k *kernel.Task) { r.Lock(k, nil); grow(k, r); r.Unlock(k) })
				k.Explore()
				r.fini(k)
			}
		}
		always(t, growing(func(k *kernel.Task, r *Resv) { r.ReserveFences(k, 1) }))
		sometimes(t, kernel.UseAfterFree, "walker (task 1) uses dma_resv_list#1", growing(func(k *kernel.Task, r *Resv) {
			old := r.fences // as it would be without a grace period
			l := newList(k, 5)
			l.entries = append(l.entries, old.entries...)
			r.publish(k, l)
			k.Free(&old.Mem)
		}))
	}},
	{"C-RESV-21", func(t *testing.T) {
		for _, heldLock := range []bool{true, false} {
			passes(t, func(k *kernel.Task) {
				r := &Resv{}
				r.Init(k, "resv")
				asked := 0
				f := newFenceOf(k, FenceOps{EnableSignaling: func(*kernel.Task, *Fence) bool { asked++; return true }}, nil)
				r.Lock(k, nil)
				r.ReserveFences(k, 1)
				add(k, r, f, UsageRead)
				if !heldLock {
					r.Unlock(k)
				}
				require.False(t, r.TestSignaled(k, UsageRead))
				require.Zero(t, asked)
				require.Zero(t, r.WaitTimeout(k, UsageRead, false, 0))
				require.Equal(t, 1, asked)
				f.Signal(k)
				require.True(t, r.TestSignaled(k, UsageRead))
				require.Equal(t, kernel.Jiffies(1), r.WaitTimeout(k, UsageRead, false, 0))
				if heldLock {
					r.Unlock(k)
				}
				r.fini(k)
			})
		}
		// It may sleep, and so must not be called where that is forbidden.
		fails(t, kernel.Context, "dma_fence_wait_timeout in an RCU read section", locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 1)
			add(k, r, newFence(k, 1, 1), UsageRead)
			k.RCUReadLock()
			r.WaitTimeout(k, UsageRead, false, 0)
		}))
		passes(t, locked(func(k *kernel.Task, r *Resv) { // a test may be anywhere
			r.ReserveFences(k, 1)
			add(k, r, newFence(k, 1, 1), UsageRead)
			k.Interrupt("irq", func(k *kernel.Task) { require.False(t, r.TestSignaled(k, UsageRead)) })
			k.Explore()
		}))
	}},
	{"C-RESV-22", func(t *testing.T) {
		for _, heldLock := range []bool{true, false} {
			passes(t, func(k *kernel.Task) {
				r := &Resv{}
				r.Init(k, "resv")
				k.Go("waiter", func(k *kernel.Task) {
					r.Lock(k, nil)
					r.ReserveFences(k, 2)
					for i, ticks := range []int64{3, 5} {
						f := newFence(k, uint64(i), 1)
						after(k, ticks, &f.Fence)
						add(k, r, f, UsageRead)
					}
					if !heldLock {
						r.Unlock(k)
					}
					require.Equal(t, kernel.Jiffies(5), r.WaitTimeout(k, UsageRead, false, 10))
					if heldLock {
						r.Unlock(k)
					}
				})
				k.Explore()
				r.fini(k)
			})
		}
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 1)
			add(k, r, newFence(k, 1, 1), UsageRead)
			require.Zero(t, r.WaitTimeout(k, UsageRead, false, 4))
			require.EqualValues(t, 4*tick, k.Machine().Now())
		}))
	}},
	{"C-RESV-23", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			asked := 0
			ops := FenceOps{EnableSignaling: func(*kernel.Task, *Fence) bool { asked++; return true }}
			r.ReserveFences(k, 2)
			for i := range 2 {
				f := newFenceOf(k, ops, nil)
				f.Context = uint64(i)
				add(k, r, f, UsageRead)
			}
			k.SendSignal(k, false)
			require.Equal(t, restart, r.WaitTimeout(k, UsageRead, true, 10))
			require.Equal(t, 1, asked, "the second one is not waited for")
		}))
	}},
	{"C-RESV-24", func(t *testing.T) {
		copied := func(k *kernel.Task, fail bool, want ...string) {
			src, dst := &Resv{}, &Resv{}
			src.Init(k, "src")
			dst.Init(k, "dst")
			src.Lock(k, nil)
			src.ReserveFences(k, 3)
			signalled := newFence(k, 2, 1)
			add(k, src, newFence(k, 1, 1), UsageKernel)
			add(k, src, signalled, UsageRead)
			add(k, src, newFence(k, 3, 1), UsageBookkeep)
			signalled.Signal(k)
			src.Unlock(k)
			dst.Lock(k, nil)
			dst.ReserveFences(k, 1)
			add(k, dst, newFence(k, 9, 1), UsageRead)
			if fail {
				k.K.FailAlloc("dma_resv_list", 1)
			}
			require.Equal(t, fail, dst.CopyFences(k, src) == kernel.ENOMEM)
			require.Equal(t, want, contents(dst))
			dst.Unlock(k)
			src.fini(k)
			dst.fini(k)
		}
		passes(t, func(k *kernel.Task) { copied(k, false, "1.1 KERNEL", "3.1 BOOKKEEP") })
		passes(t, func(k *kernel.Task) { copied(k, true, "9.1 READ") })
		passes(t, locked(func(k *kernel.Task, r *Resv) { // of an empty one
			src := &Resv{}
			src.Init(k, "src")
			r.ReserveFences(k, 1)
			add(k, r, newFence(k, 9, 1), UsageRead)
			require.Equal(t, kernel.OK, r.CopyFences(k, src))
			require.Nil(t, r.fences)
		}))
	}},
	{"C-RESV-26", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			f := newFence(k, 1, 1)
			publish(k, r, f, UsageRead)
			list := r.fences
			k.RCUReadLock()
			r.fini(k)
			require.Equal(t, 1, f.refs)
			require.True(t, list.Alive(), "a reader may still have it")
			k.RCUReadUnlock()
			require.False(t, list.Alive())
			f.Put(k)
		})
		fails(t, sim.Warn, "dma_resv_fini: the lock is held", func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			r.Lock(k, nil)
			r.fini(k)
			r.Unlock(k)
		})
	}},
	{"C-RESV-27", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			ctx := resvClass(k).AcquireInit(k)
			require.Equal(t, kernel.OK, r.Lock(k, ctx))
			require.Same(t, ctx, r.LockingCtx(k))
			require.Equal(t, kernel.EALREADY, r.Lock(k, ctx))
			r.Unlock(k)
			ctx.Fini(k)
			require.Nil(t, r.LockingCtx(k))
			require.True(t, r.Trylock(k))
			require.Nil(t, r.LockingCtx(k))
			r.Unlock(k)
			r.Lock(k, nil)
			require.Nil(t, r.LockingCtx(k))
			r.Unlock(k)
			r.fini(k)
		})
	}},
})

// What a reader collected counts from the last restart on, and nothing of it is lost if
// there is no memory.
func TestGetFences(t *testing.T) {
	always(t, func(k *kernel.Task) {
		r := &Resv{}
		r.Init(k, "resv")
		r.Lock(k, nil)
		r.ReserveFences(k, 2)
		a, b := newFence(k, 1, 1), newFence(k, 2, 1)
		add(k, r, a, UsageWrite)
		add(k, r, b, UsageBookkeep)
		r.Unlock(k)
		k.Go("reader", func(k *kernel.Task) {
			fs, err := r.GetFences(k, UsageRead)
			if err != kernel.OK || len(fs) != 1 || fs[0] != &a.Fence {
				k.BUG("got %v %v", fs, err)
			}
			for _, f := range fs {
				f.Put(k)
			}
		})
		k.Go("holder", func(k *kernel.Task) { r.Lock(k, nil); r.ReserveFences(k, 1); r.Unlock(k) })
		k.Explore()
		k.K.FailAlloc("dma_resv_get_fences", 1)
		_, err := r.GetFences(k, UsageBookkeep)
		require.Equal(t, kernel.ENOMEM, err)
		require.Equal(t, 1, a.refs)
		deadlines := 0
		c := newFenceOf(k, FenceOps{SetDeadline: func(*kernel.Task, *Fence, Ktime) { deadlines++ }}, nil)
		r.Lock(k, nil)
		r.ReserveFences(k, 1)
		c.Context = 5
		add(k, r, c, UsageRead)
		r.Unlock(k)
		r.SetDeadline(k, UsageWrite, 1)
		r.SetDeadline(k, UsageRead, 1)
		require.Equal(t, 1, deadlines)
		r.fini(k)
	})
}

// Inside a section of the caller's, a walk that the exchange of the list comes into begins
// again, and asks the driver again.
func TestIterComparesThePointer(t *testing.T) {
	out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		asked := 0
		f := newFenceOf(k, FenceOps{Signaled: func(k *kernel.Task, _ *Fence) bool {
			if k.Name == "walker" {
				asked++
			}
			return false
		}}, nil)
		r := &Resv{}
		r.Init(k, "resv")
		publish(k, r, f, UsageRead)
		k.Go("walker", func(k *kernel.Task) {
			it := r.Iter(UsageBookkeep)
			k.RCUReadLock()
			it.Next(k)
			k.RCUReadUnlock()
			it.End(k)
			say("%d", asked)
		})
		k.Go("holder", func(k *kernel.Task) {
			r.Lock(k, nil)
			r.ReserveFences(k, 16)
			r.Unlock(k)
		})
		k.Explore()
		f.Put(k)
		r.fini(k)
	})
	require.Equal(t, set("1", "2"), out)
}

// A walk that a fence goes away under begins again with what the list is then.
func TestIterRestartsWithTheListOfThen(t *testing.T) {
	out := walked(t, 1, false, func(k *kernel.Task, r *Resv) {
		add(k, r, newFence(k, 2, 2), UsageRead)
		add(k, r, newFence(k, 3, 1), UsageRead)
	})
	for _, want := range []string{"!1.1 2.1", "!1.1 2.2", "!1.1 !1.1 2.2", "!1.1 !1.1 2.2 3.1", "!1.1 2.2 3.1"} {
		require.Contains(t, out, want)
	}
}

// A first list is seen although it is empty: who has come to its end stays there, and who
// has found none begins with it.
func TestFirstListIsPublished(t *testing.T) {
	out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		r := &Resv{}
		r.Init(k, "resv")
		f := newFence(k, 1, 1)
		k.Go("reader", func(k *kernel.Task) {
			it, fresh := r.Iter(UsageBookkeep), r.Iter(UsageBookkeep)
			for _, i := range []*Iter{it, fresh, it} {
				say("%v", i.Next(k) != nil)
			}
			it.End(k)
			fresh.End(k)
		})
		k.Go("holder", func(k *kernel.Task) {
			publish(k, r, f, UsageRead)
		})
		k.Explore()
		f.Put(k)
		r.fini(k)
	})
	require.Contains(t, out, "false true true")
	require.Contains(t, out, "false true false")
}
