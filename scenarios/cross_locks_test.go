package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Locks of transactions and of reclaim, and the end of what a reference keeps.
var _ = conform(cases{
	{"C-X-05", func(t *testing.T) {
		type object struct {
			kernel.Mem
			ref  kernel.PercpuRef
			free kernel.Work
		}
		released := map[kernel.Ctx]bool{}
		// end kills an object while an I/O has a reference, which its interrupt drops, and
		// somebody else looks for one.
		end := func(flags kernel.RefFlags, release func(k *kernel.Task, o *object)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				o := &object{}
				var confirmed kernel.Completion
				confirmed.Init(k, nil, "confirmed")
				k.Alloc(kernel.GFP_KERNEL, &o.Mem, "object")
				o.free.Init(k, &o.Mem, "free", func(k *kernel.Task) {
					o.ref.Exit(k)
					k.Free(&o.Mem)
				})
				o.ref.InitFlags(k, &o.Mem, "object.ref", flags, kernel.GFP_KERNEL, func(k *kernel.Task) { release(k, o) })
				o.ref.Get(k)
				k.Interrupt("irq", func(k *kernel.Task) { o.ref.Put(k) })
				k.Go("killer", func(k *kernel.Task) {
					o.ref.KillAndConfirm(k, confirmed.Complete)
					confirmed.Wait(k)
				})
				k.Explore()
				if o.Alive() {
					k.BUG("the object was not freed")
				}
			}
		}
		byWorker := func(k *kernel.Task, o *object) {
			released[k.Context()] = true
			k.K.SystemWq.Queue(k, &o.free)
		}
		for _, flags := range []kernel.RefFlags{0, kernel.RefInitAtomic} {
			clear(released)
			always(t, end(flags, byWorker))
			require.True(t, released[kernel.InHardirq], "by the last put")
			other := kernel.InRCUCallback // the end of the switch
			if flags != 0 {
				other = kernel.InTask // the kill itself
			}
			require.True(t, released[other], "%v", other)
		}
		inside := func(k *kernel.Task, o *object) {
			o.ref.Exit(k)
			k.K.SystemWq.Queue(k, &o.free)
		}
		sometimes(t, sim.Deadlock, "percpu_ref_switch_lock, which it holds already", end(kernel.RefInitAtomic, inside))
		asleep := func(k *kernel.Task, o *object) {
			k.SynchronizeRCU()
			byWorker(k, o)
		}
		sometimes(t, kernel.Context, "synchronize_rcu", end(0, asleep))
	}},
	{"C-X-11", func(t *testing.T) {
		died := map[int]int{}
		// both is two importers that lock two buffers, each the other's first one last.
		both := func(with bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				bus := dmabufsim.NewBus(k)
				k.K.Lockdep.Off = !with // it would say so before it happens
				bufs := [2]*dmabufsim.DmaBuf{bus.Export(k, "a", hw.PageSize, inert{}), bus.Export(k, "b", hw.PageSize, inert{})}
				deaths, finished := 0, 0
				for n := range 2 {
					k.Go("importer", func(k *kernel.Task) {
						first, second := &bufs[n].Resv, &bufs[1-n].Resv
						if !with {
							first.Lock(k, nil)
							second.Lock(k, nil)
						} else {
							ctx := k.WWClass("reservation_ww_class", kernel.WaitDie).AcquireInit(k)
							defer ctx.Fini(k)
							deaths += lockBoth(k, ctx, first, second)
						}
						second.Unlock(k)
						first.Unlock(k)
						finished++
					})
				}
				k.Explore()
				require.Equal(t, 2, finished)
				died[deaths]++
				for _, b := range bufs {
					b.Put(k)
				}
			}
		}
		always(t, both(true))
		require.NotZero(t, died[0])
		require.NotZero(t, died[1])
		require.Zero(t, died[2], "only the younger one dies, and once")
		sometimes(t, sim.Deadlock, "", both(false))
		sometimes(t, kernel.LockOrder, "possible recursive locking", func(k *kernel.Task) { // lockdep needs no bad luck
			bus := dmabufsim.NewBus(k)
			a, b := bus.Export(k, "a", hw.PageSize, inert{}), bus.Export(k, "b", hw.PageSize, inert{})
			a.Resv.Lock(k, nil)
			b.Resv.Lock(k, nil)
			b.Resv.Unlock(k)
			a.Resv.Unlock(k)
			a.Put(k)
			b.Put(k)
		})
	}},
	{"C-X-16", func(t *testing.T) {
		skipped, shrunk := 0, 0
		// reserve asks for a slot while memory is short; the shrinker wants the same object.
		reserve := func(shrink func(k *kernel.Task, r *dmabufsim.Resv) bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				bus := dmabufsim.NewBus(k)
				bufs := [2]*dmabufsim.DmaBuf{bus.Export(k, "a", hw.PageSize, inert{}), bus.Export(k, "b", hw.PageSize, inert{})}
				k.K.Pressure(1, 0, "user of a")
				k.K.RegisterShrinker("ttm", func(k *kernel.Task) {
					for _, b := range bufs {
						if shrink(k, &b.Resv) {
							shrunk++
						} else {
							skipped++
						}
					}
				})
				for _, b := range bufs {
					k.Go("user of "+b.Name, func(k *kernel.Task) {
						b.Resv.Lock(k, nil)
						b.Resv.ReserveFences(k, 1)
						b.Resv.Unlock(k)
					})
				}
				k.Explore()
				for _, b := range bufs {
					b.Put(k)
				}
			}
		}
		always(t, reserve(func(k *kernel.Task, r *dmabufsim.Resv) bool {
			if !r.Trylock(k) {
				return false
			}
			r.Unlock(k)
			return true
		}))
		require.NotZero(t, skipped)
		require.NotZero(t, shrunk, "the other one's")
		lock := func(k *kernel.Task, r *dmabufsim.Resv) bool {
			r.Lock(k, nil)
			r.Unlock(k)
			return true
		}
		sometimes(t, sim.Deadlock, "holds it already", reserve(lock))
		sometimes(t, kernel.LockOrder, "fs_reclaim", func(k *kernel.Task) { // with memory enough
			b := newBuffer(k, "a")
			k.K.RegisterShrinker("ttm", func(k *kernel.Task) { lock(k, &b.Resv) })
			k.WakeKswapd()
			k.Go("user", func(k *kernel.Task) {
				b.Resv.Lock(k, nil)
				b.Resv.ReserveFences(k, 1)
				b.Resv.Unlock(k)
			})
			k.Explore()
			b.Put(k)
		})
	}},
	{"C-X-17", func(t *testing.T) {
		died := 0
		// A transaction has a buffer locked, and no memory for it. Reclaim would evict the other
		// buffer, but passes over what is locked; so the transaction locks and evicts it itself.
		// Others lock that one meanwhile.
		evictions := func(keep bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				bus := dmabufsim.NewBus(k)
				class := k.WWClass("reservation_ww_class", kernel.WaitDie)
				a, b := bus.Export(k, "a", hw.PageSize, inert{}), bus.Export(k, "b", hw.PageSize, inert{})
				own, other := &a.Resv, &b.Resv
				k.K.Pressure(1, 2, "validate")
				k.K.RegisterShrinker("ttm", func(k *kernel.Task) {
					if other.Trylock(k) {
						other.Unlock(k)
					}
				})
				k.Go("validate", func(k *kernel.Task) {
					deaths := 0
					ctx := class.AcquireInit(k)
					for {
						own.Lock(k, ctx)
						if k.MayFail(kernel.GFP_KERNEL, "pages") == kernel.OK {
							break
						}
						err := other.Lock(k, ctx)
						if err == kernel.OK {
							other.Unlock(k)
							break
						}
						own.Unlock(k)
						if deaths++; deaths > 1 {
							k.BUG("the transaction dies a second time, and there was one that is older")
						}
						if keep {
							other.LockSlow(k, ctx)
							other.Unlock(k)
							continue
						}
						ctx.Fini(k)
						ctx = class.AcquireInit(k)
					}
					own.Unlock(k)
					ctx.Fini(k)
					died += deaths
				})
				k.Go("others", func(k *kernel.Task) {
					for range 2 {
						ctx := class.AcquireInit(k)
						other.Lock(k, ctx)
						other.Unlock(k)
						ctx.Fini(k)
					}
				})
				k.Explore()
				a.Put(k)
				b.Put(k)
			}
		}
		everyTrace(t, on, evictions(true))
		require.NotZero(t, died)
		sometimes(t, sim.Bug, "dies a second time", evictions(false))
	}},
})

// lockBoth locks two objects in a transaction, and tells how often it had to back off.
func lockBoth(k *kernel.Task, ctx *kernel.AcquireCtx, first, second *dmabufsim.Resv) (deaths int) {
	first.Lock(k, ctx)
	for second.Lock(k, ctx) == kernel.EDEADLK {
		deaths++
		first.Unlock(k)
		second.LockSlow(k, ctx)
		first, second = second, first
	}
	return deaths
}
