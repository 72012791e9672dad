package dmabufsim

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// locked is a reservation object, locked, whose references are dropped and whose
// fences are signalled at the end.
func locked(body func(k *kernel.Task, r *Resv)) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		r := &Resv{}
		r.Init(k, "resv")
		r.Lock(k, nil)
		body(k, r)
		r.Unlock(k)
		r.fini(k)
	}
}

// add adds a fence that the list alone has a reference on.
func add(k *kernel.Task, r *Resv, f *testFence, u Usage) {
	r.AddFence(k, &f.Fence, u)
	f.Put(k)
}

// contents lists the fences: "context.seqno usage".
func contents(r *Resv) (out []string) {
	if r.fences == nil {
		return nil
	}
	for _, e := range r.fences.entries {
		out = append(out, fmt.Sprintf("%d.%d %v", e.fence.Context, e.fence.Seqno, e.usage))
	}
	return out
}

var usages = []Usage{UsageKernel, UsageWrite, UsageRead, UsageBookkeep}

var _ = conform(cases{
	{"C-RESV-01", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			for _, u := range usages {
				require.True(t, r.TestSignaled(k, u))
				r.Wait(k, u)
				require.Equal(t, kernel.Jiffies(1), r.WaitTimeout(k, u, false, 0))
				require.Equal(t, kernel.Jiffies(5), r.WaitTimeout(k, u, true, 5))
				all, err := r.GetFences(k, u)
				require.Equal(t, kernel.OK, err)
				require.Nil(t, all)
			}
		}))
	}},
	{"C-RESV-02", func(t *testing.T) {
		for _, have := range usages {
			for _, ask := range usages {
				passes(t, locked(func(k *kernel.Task, r *Resv) {
					require.Equal(t, kernel.OK, r.ReserveFences(k, 1))
					add(k, r, newFence(k, 1, 1), have)
					require.Equal(t, have > ask, r.TestSignaled(k, ask), "%v asked for %v", have, ask)
				}))
				wait := locked(func(k *kernel.Task, r *Resv) {
					r.ReserveFences(k, 1)
					add(k, r, newFence(k, 1, 1), have)
					r.Wait(k, ask)
				})
				if have > ask {
					passes(t, wait)
				} else {
					fails(t, sim.LostWakeup, "init waits for dma_fence_wait", wait)
				}
			}
		}
	}},
	{"C-RESV-03", func(t *testing.T) {
		fails(t, sim.Misuse, "dma_resv_reserve_fences without the reservation lock", func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			r.ReserveFences(k, 1)
		})
		fails(t, sim.Misuse, "dma_resv_add_fence without the reservation lock", func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			r.AddFence(k, &newFence(k, 1, 1).Fence, UsageRead)
		})
		fails(t, sim.Misuse, "without the reservation lock (other", func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			r.Lock(k, nil)
			k.Go("other", func(k *kernel.Task) { r.ReserveFences(k, 1) })
			k.Explore()
		})
		fails(t, sim.Warn, "dma_resv_reserve_fences", locked(func(k *kernel.Task, r *Resv) {
			require.Equal(t, kernel.EINVAL, r.ReserveFences(k, 0))
		}))
	}},
	{"C-RESV-04", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			require.Equal(t, kernel.OK, r.ReserveFences(k, 1))
			require.Equal(t, 5, r.fences.max.Peek(), "4, and what the slab of 64 bytes has room for")
			k.K.FailAlloc("dma_resv_list", 1)
			for i := range 5 {
				require.Equal(t, kernel.OK, r.ReserveFences(k, 1), "within the capacity it cannot fail")
				add(k, r, newFence(k, uint64(i), 1), UsageRead)
			}
			require.Equal(t, kernel.ENOMEM, r.ReserveFences(k, 1))
			require.Equal(t, kernel.OK, r.ReserveFences(k, 1))
			require.Equal(t, 13, r.fences.max.Peek(), "twice as many, in 128 bytes")
			require.Equal(t, kernel.OK, r.ReserveFences(k, 40))
			require.Equal(t, 61, r.fences.max.Peek(), "as many as asked for, in 512 bytes")
		}))
	}},
	{"C-RESV-05", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 2)
			signalled := newFence(k, 1, 1)
			signalled.Signal(k)
			add(k, r, newFence(k, 2, 1), UsageRead)
			add(k, r, signalled, UsageRead)
			before := contents(r)
			k.K.FailAlloc("dma_resv_list", 1)
			require.Equal(t, kernel.ENOMEM, r.ReserveFences(k, 9))
			require.Equal(t, before, contents(r), "not even signalled fences are gone")
			require.True(t, signalled.Alive())
		}))
	}},
	{"C-RESV-06", func(t *testing.T) {
		fails(t, sim.Bug, "no slot was reserved (5 fences, room for 5)", locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 4)
			for i := range 4 {
				add(k, r, newFence(k, uint64(i), 1), UsageRead)
			}
			r.ReserveFences(k, 1)
			r.ReserveFences(k, 1) // promises the same slot
			add(k, r, newFence(k, 8, 1), UsageRead)
			add(k, r, newFence(k, 9, 1), UsageRead)
		}))
	}},
	{"C-RESV-07", func(t *testing.T) {
		replaces(t, UsageRead, 1, 2, UsageRead, "7.2 READ")
		replaces(t, UsageRead, 1, 2, UsageKernel, "7.2 KERNEL")
	}},
	{"C-RESV-08", func(t *testing.T) { replaces(t, UsageWrite, 1, 2, UsageRead, "7.1 WRITE", "7.2 READ") }},
	{"C-RESV-09", func(t *testing.T) { replaces(t, UsageRead, 2, 1, UsageRead, "7.2 READ", "7.1 READ") }},
	{"C-RESV-10", func(t *testing.T) { replaces(t, UsageRead, 1, 1, UsageRead, "7.1 READ", "7.1 READ") }},
	{"C-RESV-11", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 2)
			f := newFence(k, 7, 1)
			add(k, r, f, UsageRead)
			r.AddFence(k, &f.Fence, UsageKernel)
			require.Equal(t, []string{"7.1 KERNEL"}, contents(r), "promoted in place")
			require.Equal(t, 1, f.refs)
			r.AddFence(k, &f.Fence, UsageBookkeep)
			require.Equal(t, []string{"7.1 KERNEL", "7.1 BOOKKEEP"}, contents(r))
			require.Equal(t, 2, f.refs)
		}))
	}},
	{"C-RESV-12", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 4)
			signalled := newFence(k, 1, 1)
			add(k, r, signalled, UsageKernel)
			add(k, r, newFence(k, 7, 1), UsageRead)
			signalled.Signal(k)
			add(k, r, newFence(k, 7, 2), UsageRead)
			require.Equal(t, []string{"7.2 READ", "7.1 READ"}, contents(r), "the first that can be replaced, and only that")
			require.False(t, signalled.Alive())
		}))
	}},
	{"C-RESV-13", func(t *testing.T) {
		fails(t, sim.Bug, "no slot was ever reserved", locked(func(k *kernel.Task, r *Resv) {
			add(k, r, newFence(k, 1, 1), UsageRead)
		}))
		passes(t, locked(func(k *kernel.Task, r *Resv) { // a full list with a fence to replace will do
			r.ReserveFences(k, 1)
			for i := range 5 {
				add(k, r, newFence(k, uint64(i), 1), UsageRead)
			}
			add(k, r, newFence(k, 2, 2), UsageRead)
			require.Len(t, r.fences.entries, 5)
		}))
	}},
	{"C-RESV-14", func(t *testing.T) {
		fails(t, sim.Bug, "no slot was reserved", locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 1)
			r.Unlock(k)
			r.Lock(k, nil)
			add(k, r, newFence(k, 1, 1), UsageRead)
		}))
	}},
	{"C-RESV-25", func(t *testing.T) {
		passes(t, locked(func(k *kernel.Task, r *Resv) {
			r.ReserveFences(k, 4)
			for i := range 5 {
				add(k, r, newFence(k, uint64(i), 1), UsageRead)
			}
			r.fences.entries[1].fence.Signal(k)
			require.True(t, r.TestSignaled(k, UsageWrite))
			require.Len(t, r.fences.entries, 5)
			require.Equal(t, kernel.OK, r.ReserveFences(k, 1))
			require.Equal(t, []string{"0.1 READ", "2.1 READ", "3.1 READ", "4.1 READ"}, contents(r), "pruned when the list grows")
		}))
	}},
	{"C-RESV-28", func(t *testing.T) {
		// A wait ends when the fences of the classes that it is for are signalled, and
		// not before.
		require.Equal(t, UsageRead, UsageRW(true))
		require.Equal(t, UsageWrite, UsageRW(false))
		always(t, func(k *kernel.Task) {
			r := &Resv{}
			r.Init(k, "resv")
			r.Lock(k, nil)
			r.ReserveFences(k, 3)
			fences := []*testFence{newFence(k, 1, 1), newFence(k, 2, 1), newFence(k, 3, 1)}
			for i, u := range []Usage{UsageKernel, UsageRead, UsageBookkeep} {
				r.AddFence(k, &fences[i].Fence, u)
			}
			r.Unlock(k)
			k.Go("writer", func(k *kernel.Task) {
				r.Lock(k, nil)
				r.Wait(k, UsageRW(true))
				if !fences[0].Signaled() || !fences[1].Signaled() {
					k.BUG("the wait ended too early")
				}
				r.Unlock(k)
				fences[2].Signal(k) // nobody waited for this one
			})
			k.Interrupt("kernel", func(k *kernel.Task) { fences[0].Signal(k) })
			k.Interrupt("reader", func(k *kernel.Task) { fences[1].Signal(k) })
			k.Explore()
			for _, f := range fences {
				f.Put(k)
			}
			r.fini(k)
		})
	}},
})

// replaces adds a fence of context 7 after another and compares the list.
func replaces(t *testing.T, u1 Usage, seq1, seq2 uint64, u2 Usage, want ...string) {
	t.Helper()
	passes(t, locked(func(k *kernel.Task, r *Resv) {
		r.ReserveFences(k, 2)
		first := newFence(k, 7, seq1)
		add(k, r, first, u1)
		add(k, r, newFence(k, 7, seq2), u2)
		require.Equal(t, want, contents(r))
		require.Equal(t, len(want) == 2, first.Alive(), "the list dropped its reference")
	}))
}

// Which slot a new fence takes depends on whether an old one is signalled, and so
// conflicts with its signal in both orders.
func TestAddFenceDeclaresWhatItReads(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var old *testFence
	m.Run(sim.Default{}, on.Body(locked(func(k *kernel.Task, r *Resv) {
		r.ReserveFences(k, 2)
		old = newFence(k, 1, 1)
		add(k, r, old, UsageRead)
		add(k, r, newFence(k, 2, 1), UsageRead)
	})))
	declared := false
	for i := range m.Events() {
		e := &m.Events()[i]
		for _, a := range m.Extra(e) {
			declared = declared || e.Verb == "dma_resv_add_fence" && a.Obj == &old.obj
		}
	}
	require.True(t, declared)
}

// ReserveFences promises each caller the slots that it asks for, and all of them the same ones.
// ReserveMore leaves those alone that were promised before.
func TestReserveMore(t *testing.T) {
	type reserve func(r *Resv, k *kernel.Task, n int) kernel.Errno
	fill := func(others int, more reserve) func(*kernel.Task) {
		return locked(func(k *kernel.Task, r *Resv) {
			require.Equal(t, kernel.OK, r.ReserveFences(k, 2))
			for i := range others {
				require.Equal(t, kernel.OK, more(r, k, 1))
				add(k, r, newFence(k, 10+uint64(i), 1), UsageRead)
			}
			add(k, r, newFence(k, 1, 1), UsageRead)
			add(k, r, newFence(k, 2, 1), UsageRead)
			require.Zero(t, r.reserved, "all of it was used")
		})
	}
	for others := range 12 {
		passes(t, fill(others, func(r *Resv, k *kernel.Task, n int) kernel.Errno { return r.ReserveMore(k, n) }))
	}
	fails(t, sim.Bug, "no slot was reserved", fill(5, func(r *Resv, k *kernel.Task, n int) kernel.Errno { return r.ReserveFences(k, n) }))
}
