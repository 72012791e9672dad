package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func newSpinlock(k *Task, name string) *Spinlock {
	l := &Spinlock{}
	l.Init(k, nil, name)
	return l
}

// section is a way to hold a spinlock.
type section struct {
	name string
	hold func(l *Spinlock, k *Task, inside func())
}

var sections = []section{
	{"spin_lock", func(l *Spinlock, k *Task, inside func()) { l.Lock(k); inside(); l.Unlock(k) }},
	{"spin_lock_bh", func(l *Spinlock, k *Task, inside func()) { l.LockBh(k); inside(); l.UnlockBh(k) }},
	{"spin_lock_irq", func(l *Spinlock, k *Task, inside func()) { l.LockIrq(k); inside(); l.UnlockIrq(k) }},
	{"spin_lock_irqsave", func(l *Spinlock, k *Task, inside func()) {
		flags := l.LockIrqsave(k)
		inside()
		l.UnlockIrqrestore(k, flags)
	}},
	{"spin_trylock", func(l *Spinlock, k *Task, inside func()) {
		if !l.Trylock(k) {
			k.Fail(sim.Misuse, "spin_trylock failed")
		}
		inside()
		l.Unlock(k)
	}},
}

// takenIn has a lock taken by a handler, and by a task in one of the ways.
func takenIn(raise func(k *Task, name string, fn func(*Task)), byHandler, byTask int) func(*Task) {
	return func(k *Task) {
		l := newSpinlock(k, "l")
		raise(k, "handler", func(k *Task) { sections[byHandler].hold(l, k, func() {}) })
		k.Go("task", func(k *Task) { sections[byTask].hold(l, k, func() {}) })
		k.Explore()
	}
}

var _ = conform(cases{
	{"C-SPIN-01", func(t *testing.T) {
		passes(t, func(k *Task) {
			a, b := newSpinlock(k, "a"), newSpinlock(k, "b")
			outer := a.LockIrqsave(k)
			inner := b.LockIrqsave(k)
			require.True(t, k.IrqsDisabled())
			b.UnlockIrqrestore(k, inner)
			require.True(t, k.IrqsDisabled(), "the inner restore enables nothing")
			a.UnlockIrqrestore(k, outer)
			require.False(t, k.IrqsDisabled())
		})
		t.Run("spin_unlock_irq does enable", func(t *testing.T) {
			passes(t, func(k *Task) {
				a, b := newSpinlock(k, "a"), newSpinlock(k, "b")
				flags := a.LockIrqsave(k)
				b.LockIrq(k)
				b.UnlockIrq(k)
				require.False(t, k.IrqsDisabled())
				k.LocalIrqDisable()
				a.UnlockIrqrestore(k, flags)
			})
		})
	}},
	{"C-SPIN-02", func(t *testing.T) {
		for _, s := range sections {
			fails(t, Context, "sleeping function called from invalid context: mutex_lock(m) in a section under spinlock l", func(k *Task) {
				l, mu := newSpinlock(k, "l"), &Mutex{}
				mu.Init(k, nil, "m")
				s.hold(l, k, func() { mu.Lock(k) })
			})
			fails(t, Context, "allocation(x) in a section under spinlock l", func(k *Task) {
				s.hold(newSpinlock(k, "l"), k, func() { k.MayFail(GFP_KERNEL, "x") })
			})
			passes(t, func(k *Task) {
				s.hold(newSpinlock(k, "l"), k, func() { k.MayFail(GFP_ATOMIC, "x") })
				k.MightSleep("afterwards", "")
			})
		}
	}},
	{"C-SPIN-03", func(t *testing.T) {
		const plain, bh, irq, irqsave = 0, 1, 2, 3
		for _, byTask := range []int{plain, bh} {
			sometimes(t, LockOrder, "inconsistent lock state: l is taken in hardirq context, and elsewhere with hardirqs enabled",
				takenIn((*Task).Interrupt, plain, byTask))
		}
		sometimes(t, LockOrder, "inconsistent lock state: l is taken in softirq context, and elsewhere with softirqs enabled",
			takenIn((*Task).Softirq, plain, plain))
		t.Run("with interrupts off", func(t *testing.T) {
			for _, byTask := range []int{irq, irqsave} {
				always(t, takenIn((*Task).Interrupt, plain, byTask))
				always(t, takenIn((*Task).Softirq, plain, byTask))
			}
			always(t, takenIn((*Task).Softirq, plain, bh))
		})
	}},
	{"C-SPIN-04", func(t *testing.T) {
		for _, s := range sections[:4] {
			f := fails(t, sim.Deadlock, "spinlock recursion: init (task 0) locks l, which it holds already", func(k *Task) {
				l := newSpinlock(k, "l")
				s.hold(l, k, func() { l.Lock(k) })
			})
			require.Contains(t, f.Detail[1], "locks held: l (taken by init")
		}
		t.Run("trylock", func(t *testing.T) { // fails, and that is all
			passes(t, func(k *Task) {
				l := newSpinlock(k, "l")
				l.Lock(k)
				require.False(t, l.Trylock(k))
				l.Unlock(k)
				require.False(t, k.InAtomic())
			})
		})
	}},
})

// The inconsistency is found from runs in which nothing went wrong, even if task and
// handler do not overlap.
func TestSpinlockUsageOneAfterTheOther(t *testing.T) {
	for _, handler := range []func(*Task, string, func(*Task)){(*Task).Interrupt, (*Task).Softirq} {
		on.Fails(t, LockOrder, "inconsistent lock state", takenIn(handler, 0, 0))
	}
}

// A handler that only tries for the lock does not spin on it.
func TestSpinlockTrylockInHardirq(t *testing.T) {
	try := func(k *Task, taken bool) func(*Task) {
		l := newSpinlock(k, "l")
		k.Go("task", func(k *Task) { l.Lock(k); l.Unlock(k) })
		return func(k *Task) {
			if l.Trylock(k) {
				l.Unlock(k)
			} else if taken {
				k.Warn("taken")
			}
		}
	}
	always(t, func(k *Task) { k.Interrupt("irq", try(k, false)); k.Explore() })
	sometimes(t, sim.Warn, "taken", func(k *Task) { k.Interrupt("irq", try(k, true)); k.Explore() })
}

// Enabling interrupts under a lock that an interrupt takes is as bad as taking it with
// interrupts enabled.
func TestSpinlockIrqsEnabledInside(t *testing.T) {
	for _, enable := range []func(k *Task){
		(*Task).LocalIrqEnable,
		func(k *Task) { b := newSpinlock(k, "b"); b.LockIrq(k); b.UnlockIrq(k) },
	} {
		body := func(wrong bool) func(*Task) {
			return func(k *Task) {
				l := newSpinlock(k, "l")
				k.Interrupt("irq", func(k *Task) { l.Lock(k); l.Unlock(k) })
				k.Go("task", func(k *Task) {
					flags := l.LockIrqsave(k)
					if wrong {
						enable(k)
						k.LocalIrqDisable()
					}
					l.UnlockIrqrestore(k, flags)
				})
				k.Explore()
			}
		}
		sometimes(t, LockOrder, "inconsistent lock state: l", body(true))
		always(t, body(false))
	}
	t.Run("softirqs", func(t *testing.T) {
		sometimes(t, LockOrder, "inconsistent lock state: l is taken in softirq context", func(k *Task) {
			l := newSpinlock(k, "l")
			k.Softirq("softirq", func(k *Task) { l.Lock(k); l.Unlock(k) })
			k.Go("task", func(k *Task) {
				k.LocalBhDisable()
				l.Lock(k)
				k.LocalBhEnable()
				l.Unlock(k)
			})
			k.Explore()
		})
	})
}

// Sections of one lock exclude each other in every way to take it, and what is stored in
// one is seen in the next.
func TestSpinlockExcludes(t *testing.T) {
	for _, a := range sections[:4] {
		for _, b := range sections[:4] {
			require.Equal(t, set("2"), outcomes(t, func(k *Task, say func(string, ...any)) {
				l := newSpinlock(k, "l")
				var x Field[int]
				x.Init(k, nil, "x", 0)
				for _, s := range []section{a, b} {
					k.Go("adder", func(k *Task) {
						s.hold(l, k, func() {
							v := x.Get(k)
							k.Step(sim.Op{Verb: "work"})
							x.Set(k, v+1)
						})
					})
				}
				k.Explore()
				say("%d", x.Peek())
			}), "%s and %s", a.name, b.name)
		}
	}
}

// Two locks in two orders: the deadlock, and its prediction where it does not happen.
func TestSpinlockABBA(t *testing.T) {
	abba := func(off bool, first, second int) func(k *Task) {
		return func(k *Task) {
			k.K.Lockdep.Off = off
			l := []*Spinlock{newSpinlock(k, "a"), newSpinlock(k, "b")}
			k.Go("one", func(k *Task) { l[0].Lock(k); l[1].Lock(k); l[1].Unlock(k); l[0].Unlock(k) })
			k.Go("two", func(k *Task) {
				l[first].Lock(k)
				l[second].Lock(k)
				l[second].Unlock(k)
				l[first].Unlock(k)
			})
			k.Explore()
		}
	}
	sometimes(t, sim.Deadlock, "one waits for spin_lock b held by two; two waits for spin_lock a held by one", abba(true, 1, 0))
	fails(t, LockOrder, "possible circular locking dependency: b -> a -> b", abba(false, 1, 0))
	always(t, abba(false, 0, 1))
}

// A section is a read section: a grace period waits for its end.
func TestSpinlockIsReadSection(t *testing.T) {
	body := func(hold func(k *Task, inside func())) func(*Task) {
		return func(k *Task) {
			var inside Shared[bool]
			inside.Init(k, nil, "inside", false)
			k.Go("holder", func(k *Task) {
				hold(k, func() { inside.Store(k, true); inside.Store(k, false) })
			})
			k.Go("waiter", func(k *Task) {
				if inside.Load(k) {
					k.SynchronizeRCU()
					if inside.Load(k) {
						k.BUG("a grace period ended inside the section")
					}
				}
			})
			k.Explore()
		}
	}
	for _, s := range sections {
		always(t, body(func(k *Task, inside func()) { s.hold(newSpinlock(k, "l"), k, inside) }))
	}
	for _, bare := range [][2]func(*Task){
		{(*Task).LocalIrqDisable, (*Task).LocalIrqEnable}, {(*Task).LocalBhDisable, (*Task).LocalBhEnable},
	} {
		always(t, body(func(k *Task, inside func()) { bare[0](k); inside(); bare[1](k) }))
	}
	sometimes(t, sim.Bug, "ended inside the section", body(func(k *Task, inside func()) {
		mu := &Mutex{}
		mu.Init(k, nil, "m")
		mu.Lock(k)
		inside()
		mu.Unlock(k)
	}))
}

// Unlocking is the last access, so an object may be freed by who takes its lock next.
func TestSpinlockFreedByTheNext(t *testing.T) {
	always(t, func(k *Task) {
		o := newObject(k, 2)
		var l Spinlock
		l.Init(k, &o.Mem, "object.lock")
		for range 2 {
			k.Go("user", func(k *Task) {
				l.Lock(k)
				o.v.Set(k, o.v.Get(k)-1)
				last := o.v.Get(k) == 0
				l.Unlock(k)
				if last {
					k.Free(&o.Mem)
				}
			})
		}
		k.Explore()
	})
}

func TestSpinlockMisuse(t *testing.T) {
	fails(t, sim.Misuse, "unlocks l, which nobody holds", func(k *Task) { newSpinlock(k, "l").Unlock(k) })
	fails(t, sim.Misuse, "unlocks l, which init (task 0) holds", func(k *Task) {
		l := newSpinlock(k, "l")
		l.Lock(k)
		k.Go("other", l.Unlock)
		k.Explore()
	})
	fails(t, Context, "task returned with locks held: l (taken", func(k *Task) {
		k.Go("task", newSpinlock(k, "l").Lock)
		k.Explore()
	})
	fails(t, sim.Misuse, "held lock freed: object.lock", func(k *Task) {
		o := newObject(k, 0)
		var l Spinlock
		l.Init(k, &o.Mem, "object.lock")
		l.Lock(k)
		k.Free(&o.Mem)
	})
	fails(t, UseAfterFree, "uses object#1, which was freed", func(k *Task) {
		o := newObject(k, 0)
		var l Spinlock
		l.Init(k, &o.Mem, "object.lock")
		k.Free(&o.Mem)
		l.Trylock(k)
	})
}

func TestIrqMisuse(t *testing.T) {
	for message, fn := range map[string]func(k *Task){
		"interrupts enabled in an interrupt handler (irq": (*Task).LocalIrqEnable,
		"local_bh_disable in hardirq context (irq":        (*Task).LocalBhDisable,
	} {
		fails(t, sim.Warn, message, func(k *Task) { k.Interrupt("irq", fn); k.Explore() })
	}
	fails(t, sim.Warn, "local_irq_restore with interrupts enabled", func(k *Task) { k.LocalIrqRestore(false) })
	fails(t, sim.Warn, "local_bh_enable with interrupts disabled", func(k *Task) {
		k.LocalBhDisable()
		k.LocalIrqDisable()
		k.LocalBhEnable()
	})
	fails(t, Context, "local_bh_enable without local_bh_disable", (*Task).LocalBhEnable)
	fails(t, Context, "returned with interrupts disabled (task)", func(k *Task) {
		k.Go("task", (*Task).LocalIrqDisable)
		k.Explore()
	})
	fails(t, Context, "mutex_lock(m) in a section with interrupts off", func(k *Task) {
		mu := &Mutex{}
		mu.Init(k, nil, "m")
		k.LocalIrqDisable()
		mu.Lock(k)
	})
}
