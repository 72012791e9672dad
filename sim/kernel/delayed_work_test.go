package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func newDelayedWork(k *Task, fn func(*Task)) *DelayedWork {
	dw := &DelayedWork{}
	dw.Init(k, nil, "d", fn)
	return dw
}

func TestDelayedWork(t *testing.T) {
	passes(t, func(k *Task) {
		var at []Jiffies
		dw := newDelayedWork(k, func(k *Task) { at = append(at, k.K.Jiffies(k)) })
		wq := k.K.SystemWq
		require.True(t, wq.QueueDelayed(k, dw, 10))
		require.False(t, wq.QueueDelayed(k, dw, 5), "pending from when its timer is armed")
		require.False(t, wq.Queue(k, &dw.Work))
		require.True(t, wq.ModDelayed(k, dw, 20))
		k.Go("later", func(k *Task) {
			k.sleep(sim.Op{Verb: "msleep", Obj: k.wake()}, Uninterruptible, 50)
		})
		k.Explore()
		require.Equal(t, []Jiffies{20}, at)
		require.False(t, wq.ModDelayed(k, dw, 0), "idle")
		require.True(t, dw.Flush(k))
		require.Len(t, at, 2)
		require.True(t, wq.QueueDelayed(k, dw, 1000))
		require.True(t, dw.Flush(k), "does not wait for the timer")
		require.Len(t, at, 3)
		require.Less(t, k.K.Jiffies(k), Jiffies(1000))
		require.True(t, wq.QueueDelayed(k, dw, 1000))
		require.True(t, dw.Cancel(k))
		require.False(t, dw.CancelSync(k))
		require.True(t, wq.QueueDelayed(k, dw, 1000))
		require.True(t, dw.Disable(k))
		require.False(t, wq.QueueDelayed(k, dw, 1))
		require.False(t, wq.ModDelayed(k, dw, 1), "not pending, and not queued")
		require.False(t, dw.DisableSync(k))
		require.False(t, dw.Enable(k))
		require.True(t, dw.Enable(k))
		require.Len(t, at, 3)
	})
}

// A timer that may fire at any point is still one instance: it is cancelled or runs.
func TestDelayedWorkRaces(t *testing.T) {
	body := func(cancel func(k *Task, dw *DelayedWork) bool) map[string]bool {
		return outcomes(t, func(k *Task, say func(string, ...any)) {
			k.K.Race("d")
			runs := 0
			dw := newDelayedWork(k, func(k *Task) { k.Step(opStep); runs++ })
			k.Go("task", func(k *Task) {
				k.K.SystemWq.QueueDelayed(k, dw, 10)
				say("%v %d", cancel(k, dw), runs)
			})
			k.Explore()
			say("%d", runs)
		})
	}
	require.Equal(t, set("true 0 0", "false 0 1", "false 1 1"), body(func(k *Task, dw *DelayedWork) bool { return dw.Cancel(k) }))
	require.Equal(t, set("true 0 0", "false 1 1"), body(func(k *Task, dw *DelayedWork) bool { return dw.CancelSync(k) }))
	require.Equal(t, set("true 1 1", "false 1 1"), body(func(k *Task, dw *DelayedWork) bool { return dw.Flush(k) }))
	require.Equal(t, set("true 0 1", "false 1 2", "false 0 2"), body(func(k *Task, dw *DelayedWork) bool { return k.K.SystemWq.ModDelayed(k, dw, 5) }))
}

// cancel_work_sync is not for delayed works: it spins until the timer has fired.
func TestPlainCancelOfDelayedWork(t *testing.T) {
	passes(t, func(k *Task) {
		runs := 0
		dw := newDelayedWork(k, func(*Task) { runs++ })
		wq := NewWorkqueue(k, "wq", 1)
		wq.Occupy(k, 1) // the function must not be faster
		wq.QueueDelayed(k, dw, 100)
		require.True(t, dw.Work.CancelSync(k))
		require.GreaterOrEqual(t, k.K.Jiffies(k), Jiffies(100))
		require.Equal(t, 0, runs)
	})
}

// The function that arms itself again, and its end.
func TestPeriodicDelayedWork(t *testing.T) {
	body := func(stop func(k *Task, dw *DelayedWork)) func(k *Task) {
		return func(k *Task) {
			k.K.Race("d")
			o := newObject(k, 0)
			runs := 0
			dw := &DelayedWork{}
			dw.Init(k, &o.Mem, "d", func(k *Task) {
				k.Step(opStep)
				if runs++; runs < 3 {
					k.K.SystemWq.QueueDelayed(k, dw, 10)
				}
			})
			k.Go("task", func(k *Task) {
				k.K.SystemWq.QueueDelayed(k, dw, 10)
				stop(k, dw)
				k.Free(&o.Mem)
			})
			k.Explore()
		}
	}
	always(t, body(func(k *Task, dw *DelayedWork) { dw.CancelSync(k) }))
	sometimes(t, UseAfterFree, "work d of object#1", body(func(k *Task, dw *DelayedWork) { dw.Cancel(k) }))
	sometimes(t, UseAfterFree, "work d of object#1", body(func(k *Task, dw *DelayedWork) { dw.Flush(k) }))
}

// The timer of a delayed work queues on a queue that may be gone.
func TestDelayedWorkAndDestroy(t *testing.T) {
	body := func(cancel bool) func(k *Task) {
		return func(k *Task) {
			wq := NewWorkqueue(k, "wq", 0)
			dw := newDelayedWork(k, func(*Task) {})
			k.Go("task", func(k *Task) {
				wq.QueueDelayed(k, dw, 10)
				if cancel {
					dw.CancelSync(k)
				}
				wq.Destroy(k)
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
		}
	}
	sometimes(t, sim.Warn, "was destroyed: d on wq", body(false))
	always(t, body(true))
}

// queue_rcu_work runs after a grace period.
func TestRCUWork(t *testing.T) {
	body := func(queue func(k *Task, rw *RCUWork)) func(k *Task) {
		return replacing(func(k *Task, free func(*Task)) {
			rw := &RCUWork{}
			rw.Init(k, nil, "rw", free)
			queue(k, rw)
		})
	}
	always(t, body(func(k *Task, rw *RCUWork) {
		if !k.K.SystemWq.QueueRCU(k, rw) {
			k.BUG("queue_rcu_work returned false")
		}
	}))
	sometimes(t, UseAfterFree, "reader (task 1) uses object#1", raceless(body(func(k *Task, rw *RCUWork) { k.K.SystemWq.Queue(k, &rw.Work) })))
	always(t, func(k *Task) {
		done := false
		rw := &RCUWork{}
		rw.Init(k, nil, "rw", func(*Task) { done = true })
		k.Go("task", func(k *Task) {
			k.K.SystemWq.QueueRCU(k, rw)
			rw.Flush(k)
			if !done {
				k.BUG("flush_rcu_work returned too early")
			}
		})
		k.Go("reader", func(k *Task) { k.RCUReadLock(); k.Step(opStep); k.RCUReadUnlock() })
		k.Explore()
	})
}

// cancel_work of a delayed work waits for the timer, which it does not know.
func TestCancelWorkOnTimer(t *testing.T) {
	always(t, func(k *Task) {
		dw := &DelayedWork{}
		dw.Init(k, nil, "dw", func(*Task) {})
		k.Go("task", func(k *Task) {
			k.K.SystemWq.QueueDelayed(k, dw, 10)
			dw.Work.Cancel(k)
		})
		k.Go("other", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
}
