package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// Timeouts that do not race are over in the order of their time, and not before nothing else
// can go on.
func TestTimeoutsInOrder(t *testing.T) {
	gives(t, set("2 at 2 3 at 3 5 at 5"), func(k *Task, say func(string, ...any)) {
		c := newCompletion(k)
		for _, timeout := range []Jiffies{5, 2, 3} {
			k.Go("waiter", func(k *Task) {
				require.Zero(t, c.WaitTimeout(k, timeout))
				say("%d at %d", timeout, k.K.Jiffies(k))
			})
		}
		k.Go("busy", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
}

// All that can end a wait comes at once: what was waited for decides, then the timeout, then
// the signal, whichever came first; but what comes when the wait is over comes too late.
func TestWaitEndsEarly(t *testing.T) {
	body := func(race, signal, complete bool) func(k *Task, say func(string, ...any)) {
		return func(k *Task, say func(string, ...any)) {
			if race {
				k.K.Race("wait_for_completion_interruptible_timeout")
			}
			c := newCompletion(k)
			target := k.Go("waiter", func(k *Task) {
				left, err := c.WaitInterruptibleTimeout(k, 5)
				say("%d %v", left, err)
			})
			if signal {
				k.Go("killer", func(k *Task) { k.SendSignal(target, false) })
			}
			if complete {
				k.Go("completer", c.Complete)
			}
			k.Explore()
			if c.Ready(nil) {
				say("left")
			}
		}
	}
	gives(t, set("5 0", "1 0", "0 0 left", "0 -ERESTARTSYS left"), body(true, true, true))
	gives(t, set("5 0", "1 0", "0 0 left"), body(true, false, true))
	gives(t, set("0 0", "0 -ERESTARTSYS"), body(true, true, false))
	gives(t, set("5 0", "0 -ERESTARTSYS left"), body(false, true, true))
	gives(t, set("5 0"), body(false, false, true))
	gives(t, set("0 -ERESTARTSYS"), body(false, true, false))
	_, n := results(t, sim.Default{}, body(false, false, false))
	require.Equal(t, 1, n)
}

// Two waits of one task, each with a timeout: a timer that was cancelled does not end the
// second one.
func TestTimeoutIsCancelled(t *testing.T) {
	gives(t, set("4 3", "4 1", "4 0", "1 3", "1 1", "1 0", "0 1", "0 3", "0 0"), func(k *Task, say func(string, ...any)) {
		k.K.Race("wait_for_completion_timeout")
		a, b := newCompletion(k), newCompletion(k)
		k.Go("waiter", func(k *Task) {
			say("%d", a.WaitTimeout(k, 4))
			say("%d", b.WaitTimeout(k, 3))
		})
		k.Go("completer", func(k *Task) { a.Complete(k); b.Complete(k) })
		k.Explore()
	})
}

// Nor does it wake the task from a sleep without a timeout.
func TestCancelledTimeoutWakesNobody(t *testing.T) {
	fails(t, sim.LostWakeup, "", func(k *Task) {
		c := newCompletion(k)
		k.Go("waiter", func(k *Task) {
			c.WaitTimeout(k, 5)
			k.SetCurrentState(Uninterruptible)
			k.Schedule()
		})
		k.Go("completer", c.Complete)
		k.Explore()
	})
}

// schedule_timeout: a wake-up before it is not lost, since the state says so.
func TestSchedule(t *testing.T) {
	body := func(early bool) func(k *Task, say func(string, ...any)) {
		return func(k *Task, say func(string, ...any)) {
			var x Shared[bool]
			x.Init(k, nil, "x", false)
			sleeper := k.Go("sleeper", func(k *Task) {
				if early { // tests before it says that it will sleep
					if !x.Load(k) {
						k.SetCurrentState(Uninterruptible)
						k.Schedule()
					}
					return
				}
				for {
					k.SetCurrentState(Uninterruptible)
					if x.Load(k) {
						break
					}
					k.Schedule()
				}
				k.SetRunning()
			})
			k.Go("waker", func(k *Task) { x.Store(k, true); k.WakeUpProcess(sleeper) })
			k.Explore()
		}
	}
	gives(t, set(""), body(false))
	gives(t, set("", string(sim.LostWakeup)), body(true))
	gives(t, set("0", "5"), func(k *Task, say func(string, ...any)) {
		k.K.Race("schedule_timeout")
		sleeper := k.Go("sleeper", func(k *Task) { say("%d", k.ScheduleTimeoutUninterruptible(5)) })
		k.Go("waker", func(k *Task) { k.WakeUpProcess(sleeper) })
		k.Explore()
	})
	fails(t, Context, "scheduling while atomic", func(k *Task) {
		k.PreemptDisable()
		k.ScheduleTimeoutUninterruptible(1)
	})
	passes(t, func(k *Task) { // returns at once: it is running
		k.Schedule()
		k.Msleep(3)
		require.EqualValues(t, 3, k.K.Jiffies(k))
	})
}

// Whether a call that may sleep comes while the task says that it sleeps depends on who wakes
// it in between.
func TestWokenBeforeMightSleep(t *testing.T) {
	gives(t, set("", string(sim.Warn)), func(k *Task, _ func(string, ...any)) {
		sleeper := k.Go("sleeper", func(k *Task) {
			k.SetCurrentState(Interruptible)
			k.Step(opStep)
			k.MightSleep("call", "")
			k.SetRunning()
		})
		k.Go("waker", func(k *Task) { k.SendSignal(sleeper, false) })
		k.Explore()
	})
}
