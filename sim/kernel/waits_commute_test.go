package kernel

import (
	"fmt"
	"testing"
)

// What waits and wake-ups find nothing to do only reads, and reads commute.
func TestWaitsCommute(t *testing.T) {
	checkCommuting(t, []state{
		{"completion, done for all", func(k *Task) ([]operation, func() string) {
			c := newCompletion(k)
			c.CompleteAll(k)
			return completionOps(c), func() string { return fmt.Sprint(c.done) }
		}},
		{"completion, done once", func(k *Task) ([]operation, func() string) {
			c := newCompletion(k)
			c.Complete(k)
			return completionOps(c)[:4], func() string { return fmt.Sprint(c.done) }
		}},
		{"completion, nothing done", func(k *Task) ([]operation, func() string) {
			c := newCompletion(k)
			return completionOps(c)[:4], func() string { return fmt.Sprint(c.done) }
		}},
		{"wait queue, empty", func(k *Task) ([]operation, func() string) {
			var q WaitQueue
			q.Init(k, nil, "q")
			var w WaitEntry
			return append(queueOps(&q), operation{"finish_wait", func(k *Task) any { q.FinishWait(k, &w); return nil }}),
				func() string { return fmt.Sprint(len(q.entries)) }
		}},
		{"wait queue, of a task that runs", func(k *Task) ([]operation, func() string) {
			var q WaitQueue
			q.Init(k, nil, "q")
			var w WaitEntry
			q.PrepareToWait(k, &w, Uninterruptible)
			k.SetRunning()
			return queueOps(&q), func() string { return fmt.Sprint(len(q.entries)) }
		}},
		{"wait queue, of a task that sleeps", func(k *Task) ([]operation, func() string) {
			var q WaitQueue
			q.Init(k, nil, "q")
			var w WaitEntry
			q.PrepareToWait(k, &w, Uninterruptible)
			return queueOps(&q), func() string { return fmt.Sprint(len(q.entries), k.asleep) }
		}},
		{"wake_up_process", func(k *Task) ([]operation, func() string) {
			k.wake()
			target := k
			return []operation{
				{"wake_up_process", func(k *Task) any { return k.WakeUpProcess(target) }},
				{"send_sig", func(k *Task) any { k.SendSignal(target, false); return nil }},
			}, func() string { return fmt.Sprint(target.asleep, target.pending) }
		}},
		{"task work", func(k *Task) ([]operation, func() string) {
			target := k
			w, other := work(nil), work(nil)
			return []operation{
				{"cancel", func(k *Task) any { return k.TaskWorkCancel(target, w) }},
				{"add", func(k *Task) any { return k.TaskWorkAdd(target, work(nil), TWA_RESUME) }},
				{"cancel other", func(k *Task) any { return k.TaskWorkCancel(target, other) }},
			}, func() string { return fmt.Sprint(len(target.works)) }
		}},
	})
}

func completionOps(c *Completion) []operation {
	return []operation{
		{"done", func(k *Task) any { return c.Done(k) }},
		{"try_wait", func(k *Task) any { return c.TryWait(k) }},
		{"complete", func(k *Task) any { c.Complete(k); return nil }},
		{"complete_all", func(k *Task) any { c.CompleteAll(k); return nil }},
		{"wait", func(k *Task) any { c.Wait(k); return nil }},
		{"wait_timeout", func(k *Task) any { return c.WaitTimeout(k, 5) }},
	}
}

func queueOps(q *WaitQueue) []operation {
	return []operation{
		{"waitqueue_active", func(k *Task) any { return q.Active(k) }},
		{"wake_up", func(k *Task) any { q.WakeUp(k); return nil }},
		{"add_wait_queue", func(k *Task) any { q.AddWaitQueue(k, &WaitEntry{}); return nil }},
	}
}

func TestTimersCommute(t *testing.T) {
	ops := func(tm *TimerList) []operation {
		return []operation{
			{"timer_pending", func(k *Task) any { return tm.Pending(k) }},
			{"del_timer", func(k *Task) any { return tm.Del(k) }},
			{"del_timer_sync", func(k *Task) any { return tm.DelSync(k) }},
			{"try_to_del_timer_sync", func(k *Task) any { return tm.TryDelSync(k) }},
			{"timer_shutdown", func(k *Task) any { return tm.Shutdown(k) }},
			{"mod_timer", func(k *Task) any { return tm.Mod(k, 5) }},
		}
	}
	var states []state
	for _, armed := range []bool{false, true} {
		for _, down := range []bool{false, true} {
			states = append(states, state{fmt.Sprintf("armed %v, shut down %v", armed, down), func(k *Task) ([]operation, func() string) {
				tm := newTimer(k, nil, func(*Task) {})
				if armed {
					tm.Mod(k, 10)
				}
				if down {
					tm.Shutdown(k)
				}
				return ops(tm), func() string { return fmt.Sprint(tm.pending, tm.shutdown) }
			}})
		}
	}
	checkCommuting(t, states)
}

func TestFileCommutes(t *testing.T) {
	var states []state
	for refs := range 3 {
		states = append(states, state{fmt.Sprint("references: ", refs), func(k *Task) ([]operation, func() string) {
			f := newFile(k, func(*Task) {})
			f.count = refs
			ops := []operation{{"fget", func(k *Task) any { return f.TryGet(k) }}}
			if refs > 0 { // otherwise it ends the run, whatever the order
				ops = append(ops,
					operation{"get_file", func(k *Task) any { k.Step(opStep); f.Get(k); return nil }},
					operation{"fput", func(k *Task) any { return f.put(k, "fput") }})
			}
			return ops, func() string { return fmt.Sprint(f.count) }
		}})
	}
	checkCommuting(t, states)
}
