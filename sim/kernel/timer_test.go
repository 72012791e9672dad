package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func newTimer(k *Task, in *Mem, fn func(*Task)) *TimerList {
	tm := &TimerList{}
	tm.Setup(k, in, "tm", fn)
	return tm
}

func TestTimer(t *testing.T) {
	passes(t, func(k *Task) {
		var at []Jiffies
		tm := newTimer(k, nil, func(k *Task) {
			require.Equal(t, InSoftirq, k.Context())
			at = append(at, k.K.Jiffies(k))
		})
		require.False(t, tm.Mod(k, 10))
		require.True(t, tm.Mod(k, 20), "moves it")
		require.True(t, tm.Pending(k))
		k.Msleep(30)
		require.Equal(t, []Jiffies{20}, at)
		require.False(t, tm.Pending(k))
		require.False(t, tm.Mod(k, 0), "of the past: fires with the next tick")
		k.Msleep(5)
		require.Equal(t, []Jiffies{20, 31}, at)
		tm.Mod(k, 100)
		require.True(t, tm.Del(k))
		require.False(t, tm.Del(k))
		require.False(t, tm.DelSync(k))
		k.Msleep(100)
		require.Len(t, at, 2)
	})
	fails(t, Context, "mutex_lock(m) in softirq context", func(k *Task) {
		var mu Mutex
		mu.Init(k, nil, "m")
		newTimer(k, nil, mu.Lock).Mod(k, 1)
		k.Explore()
	})
	fails(t, UseAfterFree, "uses object#1", func(k *Task) {
		o := newObject(k, 0)
		newTimer(k, &o.Mem, func(*Task) {}).Mod(k, 1)
		k.Free(&o.Mem)
		k.Explore()
	})
}

// A timer that is armed and taken back fires or not, and says which.
func TestTimerDelete(t *testing.T) {
	for _, del := range []func(tm *TimerList, k *Task) bool{(*TimerList).Del, (*TimerList).DelSync, (*TimerList).Shutdown, (*TimerList).ShutdownSync} {
		gives(t, set("fired", "deleted"), func(k *Task, say func(string, ...any)) {
			k.K.Race("tm")
			tm := newTimer(k, nil, func(k *Task) { say("fired") })
			k.Go("arming", func(k *Task) {
				tm.Mod(k, 5)
				if del(tm, k) {
					say("deleted")
				}
			})
			k.Explore()
		})
	}
	gives(t, set("-1 fired", "0 fired", "1"), func(k *Task, say func(string, ...any)) {
		k.K.Race("tm")
		var x Shared[int]
		x.Init(k, nil, "x", 0)
		fired := false
		tm := newTimer(k, nil, func(k *Task) { x.Store(k, 1); fired = true })
		k.Go("arming", func(k *Task) { tm.Mod(k, 5); say("%d", tm.TryDelSync(k)) })
		k.Explore()
		if fired {
			say("fired")
		}
	})
}

// After del_timer the function may run still, and what it uses must not be freed.
func TestTimerDeleteThenFree(t *testing.T) {
	body := func(del func(tm *TimerList, k *Task) bool) func(k *Task) {
		return func(k *Task) {
			k.K.Race("tm")
			o := newObject(k, 0)
			tm := newTimer(k, nil, func(k *Task) { k.Use(&o.Mem) })
			k.Go("arming", func(k *Task) {
				tm.Mod(k, 5)
				del(tm, k)
				k.Free(&o.Mem)
			})
			k.Explore()
		}
	}
	sometimes(t, UseAfterFree, "tm (task", body((*TimerList).Del))
	always(t, body((*TimerList).DelSync))
	always(t, body((*TimerList).ShutdownSync))
}

// Who waits for the function must not hold what it needs, nor be it.
func TestTimerDeadlock(t *testing.T) {
	body := func(lockdep, nested bool) func(k *Task) {
		return func(k *Task) {
			k.K.Lockdep.Off = !lockdep
			k.K.Race("tm")
			var l Spinlock
			l.Init(k, nil, "l")
			tm := newTimer(k, nil, func(k *Task) { l.Lock(k); l.Unlock(k) })
			k.Go("task", func(k *Task) {
				tm.Mod(k, 5)
				l.LockBh(k)
				if !nested {
					l.UnlockBh(k)
				}
				tm.DelSync(k)
				if nested {
					l.UnlockBh(k)
				}
			})
			k.Explore()
		}
	}
	sometimes(t, sim.Deadlock, "task waits for del_timer_sync tm held by tm; tm waits for spin_lock l held by task", body(false, true))
	always(t, body(false, false))
	always(t, body(true, false))
	// The order is known from a run in which the timer had fired long before.
	fails(t, LockOrder, "possible circular locking dependency: l -> timer tm -> l", func(k *Task) {
		var l Spinlock
		l.Init(k, nil, "l")
		tm := newTimer(k, nil, func(k *Task) { l.Lock(k); l.Unlock(k) })
		tm.Mod(k, 1)
		k.Msleep(5)
		l.LockBh(k)
		tm.DelSync(k)
		l.UnlockBh(k)
	})

	var tm *TimerList
	own := func(del func(tm *TimerList, k *Task)) func(k *Task) {
		return func(k *Task) {
			tm = newTimer(k, nil, func(k *Task) { del(tm, k) })
			tm.Mod(k, 1)
			k.Explore()
		}
	}
	fails(t, sim.Deadlock, "del_timer_sync(tm) by the function of the timer", own(func(tm *TimerList, k *Task) { tm.DelSync(k) }))
	fails(t, sim.Deadlock, "timer_shutdown_sync(tm) by the function of the timer", own(func(tm *TimerList, k *Task) { tm.ShutdownSync(k) }))
	passes(t, own(func(tm *TimerList, k *Task) { tm.Del(k) }))
	fails(t, sim.Warn, "del_timer_sync(tm) in hardirq context", func(k *Task) {
		tm := newTimer(k, nil, func(*Task) {})
		k.Interrupt("irq", func(k *Task) { tm.DelSync(k) })
		k.Explore()
	})
}

// A function that arms its own timer is stopped by del_timer_sync; somebody else that arms it
// is stopped by a shutdown only.
func TestTimerRearmed(t *testing.T) {
	self := func(del func(tm *TimerList, k *Task) bool) func(k *Task) {
		return func(k *Task) {
			k.K.Race("tm")
			o := newObject(k, 0)
			runs := 0
			var tm *TimerList
			tm = newTimer(k, nil, func(k *Task) {
				k.Use(&o.Mem)
				if runs++; runs < 2 {
					tm.Mod(k, 1)
				}
			})
			k.Go("task", func(k *Task) {
				tm.Mod(k, 1)
				del(tm, k)
				k.Free(&o.Mem)
			})
			k.Explore()
		}
	}
	always(t, self((*TimerList).DelSync))
	always(t, self((*TimerList).ShutdownSync))
	sometimes(t, UseAfterFree, "tm (task", self((*TimerList).Shutdown)) // does not wait

	other := func(del func(tm *TimerList, k *Task) bool) func(k *Task) {
		return func(k *Task) {
			o := newObject(k, 0)
			tm := newTimer(k, nil, func(k *Task) { k.Check(&o.Mem) })
			k.Go("arming", func(k *Task) { tm.Mod(k, 1) })
			k.Go("freeing", func(k *Task) { del(tm, k); k.Free(&o.Mem) })
			k.Explore()
		}
	}
	sometimes(t, UseAfterFree, "tm (task", other((*TimerList).DelSync))
	always(t, other((*TimerList).ShutdownSync))
}

// The function never runs twice at once; armed while it runs, it runs once more.
func TestTimerIsNotReentrant(t *testing.T) {
	gives(t, set("1", "2"), func(k *Task, say func(string, ...any)) {
		k.K.Race("tm")
		runs, running := 0, false
		var x Shared[int]
		x.Init(k, nil, "x", 0)
		tm := newTimer(k, nil, func(k *Task) {
			if running {
				k.BUG("the function runs in parallel with itself")
			}
			running = true
			runs++
			x.Update(k, func(v int) int { return v + 1 })
			running = false
		})
		k.Go("task", func(k *Task) {
			tm.Mod(k, 1)
			tm.Mod(k, 2)
		})
		k.Explore()
		say("%d", runs)
	})
	// Armed while it runs and taken back before it could run again.
	gives(t, set("1 deleted", "2", "1"), func(k *Task, say func(string, ...any)) {
		k.K.Race("tm")
		runs := 0
		var x Shared[int]
		x.Init(k, nil, "x", 0)
		tm := newTimer(k, nil, func(k *Task) { runs++; x.Load(k) })
		deleted := false
		k.Go("task", func(k *Task) {
			if tm.Mod(k, 1); tm.Mod(k, 2) {
				return // it did not run in between
			}
			deleted = tm.Del(k)
		})
		k.Explore()
		say("%d", runs)
		if deleted {
			say("deleted")
		}
	})
}
