package kernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// event is a condition with its wait queue.
type event struct {
	q WaitQueue
	x Shared[int]
}

func newEvent(k *Task) *event {
	e := &event{}
	e.q.Init(k, nil, "q")
	e.x.Init(k, nil, "x", 0)
	return e
}

func (e *event) holds(k *Task) bool { return e.x.Load(k) > 0 }

// take is a condition that is used up.
func (e *event) take(k *Task) bool {
	got := false
	e.x.Update(k, func(v int) int {
		if got = v > 0; got {
			v--
		}
		return v
	})
	return got
}

func (e *event) raise(k *Task) {
	e.x.Store(k, 1)
	e.q.WakeUp(k)
}

func (e *event) add(k *Task) { e.x.Update(k, func(v int) int { return v + 1 }) }

var _ = conform(cases{
	{"C-WAITQ-01", func(t *testing.T) {
		for name, wait := range map[string]func(e *event, k *Task){
			"wait_event":               func(e *event, k *Task) { e.q.WaitEvent(k, e.holds) },
			"wait_event_interruptible": func(e *event, k *Task) { e.q.WaitEventInterruptible(k, e.holds) },
			"wait_event_killable":      func(e *event, k *Task) { e.q.WaitEventKillable(k, e.holds) },
			"exclusive":                func(e *event, k *Task) { e.q.WaitEventInterruptibleExclusive(k, e.holds) },
			"open coded": func(e *event, k *Task) {
				var w WaitEntry
				for {
					e.q.PrepareToWait(k, &w, Uninterruptible)
					if e.holds(k) {
						break
					}
					k.Schedule()
				}
				e.q.FinishWait(k, &w)
			},
		} {
			t.Run(name, func(t *testing.T) {
				gives(t, set(""), func(k *Task, say func(string, ...any)) {
					e := newEvent(k)
					k.Go("waiter", func(k *Task) { wait(e, k) })
					k.Interrupt("waker", e.raise)
					k.Explore()
					require.Empty(t, e.q.entries)
				})
			})
		}
		// The wake-up before the store, and the condition tested before the task is queued,
		// both lose it.
		gives(t, set("", string(sim.LostWakeup)), func(k *Task, say func(string, ...any)) {
			e := newEvent(k)
			k.Go("waiter", func(k *Task) { e.q.WaitEvent(k, e.holds) })
			k.Go("waker", func(k *Task) { e.q.WakeUp(k); e.x.Store(k, 1) })
			k.Explore()
		})
		gives(t, set("", string(sim.LostWakeup)), func(k *Task, say func(string, ...any)) {
			e := newEvent(k)
			k.Go("waiter", func(k *Task) {
				var w WaitEntry
				for !e.holds(k) {
					e.q.PrepareToWait(k, &w, Uninterruptible)
					k.Schedule()
				}
				e.q.FinishWait(k, &w)
			})
			k.Go("waker", e.raise)
			k.Explore()
		})
	}},
	{"C-WAITQ-02", func(t *testing.T) {
		wake := func(barrier bool) func(k *Task, say func(string, ...any)) {
			return func(k *Task, say func(string, ...any)) {
				e := newEvent(k)
				k.Go("waiter", func(k *Task) { e.q.WaitEvent(k, e.holds) })
				k.Go("waker", func(k *Task) {
					var active bool
					store := func(k *Task) { e.x.Store(k, 1) }
					if barrier {
						store(k)
						active = e.q.Active(k)
					} else {
						active = e.q.StoreAndTestActive(k, store)
					}
					if active {
						e.q.WakeUp(k)
					}
				})
				k.Explore()
			}
		}
		gives(t, set(""), wake(true))
		gives(t, set("", string(sim.LostWakeup)), wake(false))
	}},
	{"C-WAITQ-03", func(t *testing.T) {
		// The signal is there when the condition is tested, for the first time or later.
		gives(t, set("0"), func(k *Task, say func(string, ...any)) {
			e := newEvent(k)
			e.x.Store(k, 1)
			target := k.Go("waiter", func(k *Task) {
				for !k.SignalPending() {
					k.Msleep(1)
				}
				say("%v", e.q.WaitEventInterruptible(k, e.holds))
			})
			k.Go("killer", func(k *Task) { k.SendSignal(target, false) })
			k.Explore()
		})
		gives(t, set("0", "-ERESTARTSYS"), func(k *Task, say func(string, ...any)) {
			e := newEvent(k)
			target := k.Go("waiter", func(k *Task) { say("%v", e.q.WaitEventInterruptible(k, e.holds)) })
			k.Go("killer", func(k *Task) { k.SendSignal(target, false) })
			k.Go("waker", e.raise)
			k.Explore()
			require.Empty(t, e.q.entries)
		})
		// The condition became true before the signal was sent: whoever is woken tests it.
		gives(t, set("0"), func(k *Task, say func(string, ...any)) {
			e := newEvent(k)
			target := k.Go("waiter", func(k *Task) { say("%v", e.q.WaitEventInterruptible(k, e.holds)) })
			k.Go("waker", func(k *Task) { e.x.Store(k, 1); k.SendSignal(target, false) })
			k.Explore()
		})
	}},
	{"C-WAITQ-04", func(t *testing.T) {
		for _, c := range []struct {
			wake func(q *WaitQueue, k *Task)
			want map[string]bool
		}{
			{(*WaitQueue).WakeUp, set("shared 0 shared 1 exclusive 2")},
			{func(q *WaitQueue, k *Task) { q.WakeUpNr(k, 2) }, set("shared 0 shared 1 exclusive 2 exclusive 3")},
			{(*WaitQueue).WakeUpAll, set("shared 0 shared 1 exclusive 2 exclusive 3 exclusive 4")},
			{(*WaitQueue).WakeUpInterruptible, set("exclusive 2")},
		} {
			givesMostly(t, c.want, func(k *Task, say func(string, ...any)) {
				var q WaitQueue
				q.Init(k, nil, "q")
				var woken []string
				over := false
				for i := range 5 { // they queue in this order
					kind := "shared"
					if i >= 2 {
						kind = "exclusive"
					}
					quiet(k, "waiter", Jiffies(i+1), func(k *Task) {
						var w WaitEntry
						if i < 2 {
							q.PrepareToWait(k, &w, Uninterruptible)
						} else {
							q.PrepareToWaitExclusive(k, &w, Interruptible)
						}
						k.Schedule()
						if !over {
							woken = append(woken, fmt.Sprint(kind, " ", i))
						}
						q.FinishWait(k, &w)
					})
				}
				quiet(k, "waker", 10, func(k *Task) { c.wake(&q, k) })
				quiet(k, "end", 20, func(k *Task) { over = true; q.WakeUpAll(k) })
				k.Explore()
				slices.SortFunc(woken, func(a, b string) int { return int(a[len(a)-1]) - int(b[len(b)-1]) })
				for _, w := range woken {
					say("%s", w)
				}
			})
		}
		// The one may be a task that is still queued although it has found the condition true
		// already; so of two wake-ups for two things one can be lost, unless whoever takes
		// one hands the rest on.
		for handOn, want := range map[bool]map[string]bool{false: set("", string(sim.LostWakeup)), true: set("")} {
			givesMostly(t, want, func(k *Task, say func(string, ...any)) {
				e := newEvent(k)
				for _, name := range []string{"one", "two"} {
					k.Go(name, func(k *Task) {
						e.q.WaitEventInterruptibleExclusive(k, e.take)
						if handOn && e.holds(k) {
							e.q.WakeUp(k)
						}
					})
				}
				k.Go("waker", func(k *Task) {
					for range 2 {
						e.add(k)
						e.q.WakeUp(k)
					}
				})
				k.Explore()
				require.Empty(t, e.q.entries)
			})
		}
	}},
	{"C-WAITQ-05", func(t *testing.T) {
		exclusive := func(wait func(e *event, k *Task) Errno) func(k *Task, say func(string, ...any)) {
			return func(k *Task, say func(string, ...any)) {
				e := newEvent(k)
				first := k.Go("first", func(k *Task) {
					if wait(e, k) == OK {
						e.add(k) // hands it on
						e.q.WakeUp(k)
					}
				})
				k.Go("second", func(k *Task) { e.q.WaitEventInterruptibleExclusive(k, e.take) })
				k.Go("waker", func(k *Task) { e.add(k); e.q.WakeUp(k) })
				k.Go("killer", func(k *Task) { k.SendSignal(first, false) })
				k.Explore()
			}
		}
		givesMostly(t, set(""), exclusive(func(e *event, k *Task) Errno { return e.q.WaitEventInterruptibleExclusive(k, e.take) }))
		// Who leaves without having tested the condition once more takes the wake-up along.
		givesMostly(t, set("", string(sim.LostWakeup)), exclusive(func(e *event, k *Task) Errno {
			var w WaitEntry
			for {
				e.q.PrepareToWaitExclusive(k, &w, Interruptible)
				if e.take(k) {
					break
				}
				k.Schedule()
				if k.SignalPending() {
					e.q.FinishWait(k, &w)
					return ERESTARTSYS
				}
			}
			e.q.FinishWait(k, &w)
			return OK
		}))
	}},
	{"C-WAITQ-06", func(t *testing.T) {
		body := func(wait func(e *event, k *Task), idle func(e *event, k, target *Task)) func(k *Task, say func(string, ...any)) {
			return func(k *Task, say func(string, ...any)) {
				e := newEvent(k)
				target := k.Go("waiter", func(k *Task) {
					wait(e, k)
					say("%d", e.x.Load(k))
				})
				k.Go("idle waker", func(k *Task) { idle(e, k, target) })
				k.Go("waker", e.raise)
				k.Explore()
			}
		}
		for _, idle := range []func(e *event, k, target *Task){
			func(e *event, k, target *Task) { e.q.WakeUp(k) },
			func(e *event, k, target *Task) { k.WakeUpProcess(target) },
		} {
			givesMostly(t, set("1"), body(func(e *event, k *Task) { e.q.WaitEvent(k, e.holds) }, idle))
			gives(t, set("0", "1"), body(func(e *event, k *Task) {
				var w WaitEntry
				e.q.PrepareToWait(k, &w, Uninterruptible)
				if !e.holds(k) {
					k.Schedule()
				}
				e.q.FinishWait(k, &w)
			}, idle))
		}
	}},
})

// wait_event_timeout: the condition decides, then the timeout, then a signal.
func TestWaitEventTimeout(t *testing.T) {
	gives(t, set("0", "1", "5"), func(k *Task, say func(string, ...any)) {
		k.K.Race("wait_event_timeout")
		e := newEvent(k)
		k.Go("waiter", func(k *Task) { say("%d", e.q.WaitEventTimeout(k, e.holds, 5)) })
		k.Go("waker", e.raise)
		k.Explore()
	})
	gives(t, set("0 5"), func(k *Task, say func(string, ...any)) {
		e := newEvent(k)
		k.Go("waiter", func(k *Task) { say("%d %d", e.q.WaitEventTimeout(k, e.holds, 5), k.K.Jiffies(k)) })
		quiet(k, "waker", 6, e.raise)
		k.Explore()
	})
	// Without a wake-up the condition is found true when the time is over.
	gives(t, set("1"), func(k *Task, say func(string, ...any)) {
		e := newEvent(k)
		k.Go("waiter", func(k *Task) { say("%d", e.q.WaitEventTimeout(k, e.holds, 5)) })
		quiet(k, "setter", 2, func(k *Task) { e.x.Store(k, 1) })
		k.Explore()
	})
	gives(t, set("0 0", "0 -ERESTARTSYS"), func(k *Task, say func(string, ...any)) {
		k.K.Race("wait_event_interruptible_timeout")
		e := newEvent(k)
		target := k.Go("waiter", func(k *Task) {
			left, err := e.q.WaitEventInterruptibleTimeout(k, e.holds, 5)
			say("%d %v", left, err)
		})
		k.Go("killer", func(k *Task) { k.SendSignal(target, false) })
		k.Explore()
	})
}

func TestWaitEventKillable(t *testing.T) {
	for _, wait := range []func(e *event, k *Task) Errno{
		func(e *event, k *Task) Errno { return e.q.WaitEventKillable(k, e.holds) },
		func(e *event, k *Task) Errno { return e.q.WaitEventKillableExclusive(k, e.holds) },
	} {
		for _, fatal := range []bool{false, true} {
			want := set("0")
			if fatal {
				want = set("0", "-ERESTARTSYS")
			}
			givesMostly(t, want, func(k *Task, say func(string, ...any)) {
				e := newEvent(k)
				target := k.Go("waiter", func(k *Task) { say("%v", wait(e, k)) })
				k.Go("killer", func(k *Task) { k.SendSignal(target, fatal) })
				k.Go("waker", e.raise)
				k.Explore()
			})
		}
	}
}

// A wake function runs with the lock of the queue held, in the context of whoever wakes; a
// task that needs the queue waits until it has ended.
func TestWakeFunction(t *testing.T) {
	gives(t, set("key 5 raised"), func(k *Task, say func(string, ...any)) {
		var q WaitQueue
		q.Init(k, nil, "q")
		c := newCompletion(k)
		q.AddWaitQueue(k, &WaitEntry{Func: func(k *Task, e *WaitEntry, w Wake) int {
			say("key %v", w.Key)
			c.Complete(k) // has an operation of its own
			return 1
		}})
		k.Go("waiter", func(k *Task) { c.Wait(k); say("raised") })
		k.Go("looker", func(k *Task) { q.Active(k) })
		k.Go("waker", func(k *Task) { q.WakeUpKey(k, "wake_up", 1, Wake{Key: 5}) })
		k.Explore()
		require.Len(t, q.entries, 1)
	})
	mutual := func(k *Task) (*WaitQueue, *bool) {
		var q WaitQueue
		q.Init(k, nil, "q")
		inside := false
		q.AddWaitQueue(k, &WaitEntry{Func: func(k *Task, e *WaitEntry, w Wake) int {
			inside = true
			k.Step(opStep)
			inside = false
			return 1
		}})
		return &q, &inside
	}
	always(t, func(k *Task) {
		q, inside := mutual(k)
		k.Go("waker", q.WakeUp)
		k.Go("adder", func(k *Task) {
			var w WaitEntry
			q.AddWaitQueue(k, &w)
			if *inside {
				k.BUG("the lock of the queue is held")
			}
			q.RemoveWaitQueue(k, &w)
		})
		k.Explore()
	})
	for message, fn := range map[string]func(k *Task, q *WaitQueue){
		"wait_event(q) in": func(k *Task, q *WaitQueue) { q.WaitEvent(k, func(*Task) bool { return true }) },
	} {
		fails(t, Context, message, func(k *Task) {
			var q WaitQueue
			q.Init(k, nil, "q")
			q.AddWaitQueue(k, &WaitEntry{Func: func(k *Task, e *WaitEntry, w Wake) int { fn(k, &q); return 0 }})
			q.WakeUp(k)
		})
	}
	fails(t, sim.Deadlock, "spinlock recursion", func(k *Task) {
		var q WaitQueue
		q.Init(k, nil, "q")
		q.AddWaitQueue(k, &WaitEntry{Func: func(k *Task, e *WaitEntry, w Wake) int { q.WakeUp(k); return 0 }})
		q.WakeUp(k)
	})
	// The order of the lock of the queue and of one that the function takes is known.
	ordered := func(nested bool) func(k *Task) {
		return func(k *Task) {
			var q WaitQueue
			q.Init(k, nil, "q")
			var l Spinlock
			l.Init(k, nil, "l")
			q.AddWaitQueue(k, &WaitEntry{Func: func(k *Task, e *WaitEntry, w Wake) int {
				l.Lock(k)
				l.Unlock(k)
				return 1
			}})
			q.WakeUp(k)
			flags := l.LockIrqsave(k)
			if !nested {
				l.UnlockIrqrestore(k, flags)
			}
			q.AddWaitQueue(k, &WaitEntry{})
			if nested {
				l.UnlockIrqrestore(k, flags)
			}
		}
	}
	fails(t, LockOrder, "possible circular locking dependency: l -> q -> l", ordered(true))
	passes(t, ordered(false))
	// Below zero, the walk ends.
	passes(t, func(k *Task) {
		var q WaitQueue
		q.Init(k, nil, "q")
		calls := 0
		for range 2 {
			q.AddWaitQueue(k, &WaitEntry{Func: func(*Task, *WaitEntry, Wake) int { calls++; return -1 }})
		}
		q.WakeUpAll(k)
		require.Equal(t, 1, calls)
	})
}

// A task that is about to sleep must not call what may sleep itself.
func TestBlockingWhileNotRunning(t *testing.T) {
	body := func(running bool) func(k *Task) {
		return func(k *Task) {
			e := newEvent(k)
			var mu Mutex
			mu.Init(k, nil, "m")
			var w WaitEntry
			e.q.PrepareToWait(k, &w, Uninterruptible)
			if running {
				k.SetRunning()
			}
			mu.Lock(k)
			mu.Unlock(k)
			e.q.FinishWait(k, &w)
		}
	}
	fails(t, sim.Warn, "do not call blocking ops when !TASK_RUNNING: mutex_lock", body(false))
	passes(t, body(true))
}

// A wait may be over before the wake-up: the waiter has seen the store. So unlike a
// completion, a queue must not be freed by the waiter, unless something else tells it that
// the wake-up is over.
func TestWaitQueueFreed(t *testing.T) {
	body := func(wait func(k *Task, l *Spinlock)) func(k *Task) {
		return func(k *Task) {
			o := newObject(k, 0)
			e := &event{}
			e.q.Init(k, &o.Mem, "q")
			e.x.Init(k, nil, "x", 0)
			var l Spinlock
			l.Init(k, nil, "l")
			k.Go("waiter", func(k *Task) {
				e.q.WaitEvent(k, e.holds)
				wait(k, &l)
				k.Free(&o.Mem)
			})
			k.Go("waker", func(k *Task) {
				l.Lock(k)
				e.raise(k)
				l.Unlock(k)
			})
			k.Explore()
		}
	}
	sometimes(t, UseAfterFree, "waker (task 2) uses object#1", body(func(*Task, *Spinlock) {}))
	always(t, body(func(k *Task, l *Spinlock) { l.Lock(k); l.Unlock(k) }))
}
