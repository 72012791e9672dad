package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

var _ = conform(cases{
	{"C-WQ-09", func(t *testing.T) {
		fails(t, sim.Deadlock, "kworker/events waits for flush_work w held by kworker/events", func(k *Task) {
			var w *Work
			w = newWork(k, func(k *Task) { w.Flush(k) })
			k.K.SystemWq.Queue(k, w)
			k.Explore()
		})
		fails(t, sim.Deadlock, "kworker/events waits for cancel_work_sync w held by kworker/events", func(k *Task) {
			var w *Work
			w = newWork(k, func(k *Task) { w.CancelSync(k) })
			k.K.SystemWq.Queue(k, w)
			k.Explore()
		})
		for name, flush := range map[string]func(*Workqueue, *Task){
			"flush_workqueue":   (*Workqueue).Flush,
			"drain_workqueue":   (*Workqueue).Drain,
			"destroy_workqueue": (*Workqueue).Destroy,
		} {
			fails(t, sim.Deadlock, "kworker/wq waits for "+name+" wq held by kworker/wq", func(k *Task) {
				wq := NewWorkqueue(k, "wq", 0)
				wq.Queue(k, newWork(k, func(k *Task) { flush(wq, k) }))
				k.Explore()
			})
		}
		// An earlier item of an ordered queue waits for a later one.
		body := func(maxActive int, laterFlushes bool) func(k *Task) {
			return func(k *Task) {
				wq := NewWorkqueue(k, "wq", maxActive)
				first, later := &Work{}, &Work{}
				flusher, flushed := first, later
				if laterFlushes {
					flusher, flushed = later, first
				}
				flusher.Init(k, nil, "flusher", func(k *Task) { flushed.Flush(k) })
				flushed.Init(k, nil, "flushed", func(k *Task) { k.Step(opStep) })
				k.Go("queuer", func(k *Task) {
					wq.Queue(k, first)
					wq.Queue(k, later)
				})
				k.Explore()
			}
		}
		sometimes(t, sim.Deadlock, "kworker/wq waits for flush_work flushed held by kworker/wq; kworker/wq waits for run work flushed held by kworker/wq", body(1, false))
		always(t, body(2, false))
		always(t, body(1, true)) // what it flushes has ended
	}},
	{"C-WQ-10", func(t *testing.T) {
		body := func(from, to WQFlags, wait func(k *Task, wq *Workqueue, w *Work)) func(k *Task) {
			return func(k *Task) {
				reclaim, other := AllocWorkqueue(k, "one", WQ_UNBOUND|from, 0), AllocWorkqueue(k, "other", WQ_UNBOUND|to, 0)
				w := newWork(k, func(k *Task) { k.Step(opStep) })
				flusher := &Work{}
				flusher.Init(k, nil, "flusher", func(k *Task) { wait(k, other, w) })
				k.Go("task", func(k *Task) {
					other.Queue(k, w)
					reclaim.Queue(k, flusher)
				})
				k.Explore()
			}
		}
		flushWork := func(k *Task, _ *Workqueue, w *Work) { w.Flush(k) }
		const message = "workqueue: WQ_MEM_RECLAIM worker is flushing !WQ_MEM_RECLAIM other:"
		sometimes(t, sim.Warn, message+"w", body(WQ_MEM_RECLAIM, 0, flushWork))
		sometimes(t, sim.Warn, message, body(WQ_MEM_RECLAIM, 0, func(k *Task, wq *Workqueue, _ *Work) { wq.Flush(k) }))
		sometimes(t, sim.Warn, message, body(WQ_MEM_RECLAIM, 0, func(k *Task, wq *Workqueue, _ *Work) { wq.Drain(k) }))
		always(t, body(WQ_MEM_RECLAIM, 0, func(k *Task, _ *Workqueue, w *Work) { w.CancelSync(k) }))
		always(t, body(WQ_MEM_RECLAIM, WQ_MEM_RECLAIM, flushWork))
		always(t, body(0, 0, flushWork))
		always(t, body(0, WQ_MEM_RECLAIM, flushWork))
		// The same for a task in reclaim.
		inReclaim := func(wait func(w *Work, k *Task) bool, to WQFlags) func(k *Task) {
			return func(k *Task) {
				wq := AllocWorkqueue(k, "wq", WQ_UNBOUND|to, 0)
				w := newWork(k, func(k *Task) { k.Step(opStep) })
				k.Go("kswapd", func(k *Task) {
					s := k.MemallocNoreclaimSave()
					wq.Queue(k, w)
					wait(w, k)
					k.MemallocNoreclaimRestore(s)
				})
				k.Explore()
			}
		}
		sometimes(t, sim.Warn, "PF_MEMALLOC task is flushing !WQ_MEM_RECLAIM wq:w", inReclaim((*Work).Flush, 0))
		always(t, inReclaim((*Work).Flush, WQ_MEM_RECLAIM))
		always(t, inReclaim((*Work).CancelSync, 0))
	}},
	{"C-WQ-16", func(t *testing.T) {
		calls := map[string]func(k *Task, wq *Workqueue, w *Work){
			"flush_work(w)":         func(k *Task, _ *Workqueue, w *Work) { w.Flush(k) },
			"cancel_work_sync(w)":   func(k *Task, _ *Workqueue, w *Work) { w.CancelSync(k) },
			"disable_work_sync(w)":  func(k *Task, _ *Workqueue, w *Work) { w.DisableSync(k) },
			"flush_workqueue(q)":    func(k *Task, wq *Workqueue, _ *Work) { wq.Flush(k) },
			"drain_workqueue(q)":    func(k *Task, wq *Workqueue, _ *Work) { wq.Drain(k) },
			"destroy_workqueue(q)":  func(k *Task, wq *Workqueue, _ *Work) { wq.Destroy(k) },
			"flush_delayed_work(d)": func(k *Task, _ *Workqueue, _ *Work) { newDelayedWork(k, func(*Task) {}).Flush(k) },
		}
		for name, call := range calls {
			inAtomic := func(start func(k *Task, fn func(*Task))) func(k *Task) {
				return func(k *Task) {
					wq, w := NewWorkqueue(k, "q", 0), newWork(k, func(*Task) {})
					start(k, func(k *Task) { call(k, wq, w) })
					k.Explore()
				}
			}
			fails(t, Context, name+" in hardirq context", inAtomic(func(k *Task, fn func(*Task)) { k.Interrupt("irq", fn) }))
			fails(t, Context, name+" in softirq context", inAtomic(func(k *Task, fn func(*Task)) { k.Softirq("softirq", fn) }))
			fails(t, Context, name+" in an atomic section", inAtomic(func(k *Task, fn func(*Task)) {
				k.Go("task", func(k *Task) { k.PreemptDisable(); fn(k) })
			}))
		}
		// Queueing and cancelling without a wait are for any context.
		passes(t, func(k *Task) {
			w := newWork(k, func(*Task) {})
			k.Interrupt("irq", func(k *Task) {
				require.True(t, k.K.SystemWq.Queue(k, w))
				require.True(t, w.Cancel(k))
			})
			k.Explore()
		})
	}},
})

func TestFlushWork(t *testing.T) {
	body := func(flush bool) func(k *Task) {
		return func(k *Task) {
			done := false
			w := newWork(k, func(k *Task) { k.Step(opStep); done = true })
			k.Go("flusher", func(k *Task) {
				k.K.SystemWq.Queue(k, w)
				if flush {
					w.Flush(k)
				}
				k.Step(opStep)
				if !done {
					k.BUG("the item has not run")
				}
				if w.Flush(k) {
					k.BUG("flush_work waited for nothing")
				}
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
		}
	}
	always(t, body(true))
	sometimes(t, sim.Bug, "the item has not run", body(false))
}

// flush_work waits for what was queued when it began, and not for what the item
// queues afterwards.
func TestFlushDoesNotWaitForLaterRuns(t *testing.T) {
	passes(t, func(k *Task) {
		var w *Work
		var flushed Completion
		flushed.Init(k, nil, "flushed")
		runs := 0
		w = newWork(k, func(k *Task) {
			runs++
			if runs == 1 {
				k.Step(opStep)
				k.K.SystemWq.Queue(k, w)
				return
			}
			flushed.Wait(k)
		})
		k.K.SystemWq.Queue(k, w)
		w.Flush(k) // in set-up: it has begun before the first run
		flushed.CompleteAll(k)
	})
}

// flush_workqueue waits for all that was queued before, and for nothing later.
func TestFlushWorkqueue(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		wq := NewWorkqueue(k, "wq", 0)
		done := [3]bool{}
		queue := func(k *Task, i int) {
			wq.Queue(k, newWork(k, func(k *Task) { done[i] = true }))
		}
		k.Go("flusher", func(k *Task) {
			queue(k, 0)
			queue(k, 1)
			wq.Flush(k)
			if !done[0] || !done[1] {
				k.BUG("flush_workqueue returned too early")
			}
			say("%v", done[2])
		})
		k.Go("other", func(k *Task) { queue(k, 2) })
		k.Explore()
	})
	require.Equal(t, set("true", "false"), out)
	passes(t, func(k *Task) { NewWorkqueue(k, "wq", 0).Flush(k) })
	fails(t, sim.Warn, "a system-wide queue must not be flushed", func(k *Task) { k.K.SystemWq.Flush(k) })
}

// Of an item that is cancelled nobody waits for the run.
func TestFlushOfCancelled(t *testing.T) {
	always(t, func(k *Task) {
		wq := NewWorkqueue(k, "wq", 1)
		wq.Occupy(k, 1)
		w := newWork(k, func(k *Task) { k.BUG("it runs") })
		wq.Queue(k, w)
		k.Go("flush_work", func(k *Task) { w.Flush(k) })
		k.Go("flush_workqueue", wq.Flush)
		k.Go("canceller", func(k *Task) { w.Cancel(k) })
		k.Explore()
	})
}

// Waiting for a function with a lock that the function takes is reported although it had
// given the lock back by then.
func TestFlushUnderLock(t *testing.T) {
	body := func(wait func(k *Task, wq *Workqueue, w *Work), under bool) func(k *Task) {
		return func(k *Task) {
			wq := NewWorkqueue(k, "wq", 0)
			var mu Mutex
			var unlocked Completion
			mu.Init(k, nil, "m")
			unlocked.Init(k, nil, "unlocked")
			w := newWork(k, func(k *Task) {
				mu.Lock(k)
				mu.Unlock(k)
				unlocked.Complete(k)
				k.Step(opStep)
			})
			k.Go("task", func(k *Task) {
				wq.Queue(k, w)
				unlocked.Wait(k)
				if under {
					mu.Lock(k)
					wait(k, wq, w)
					mu.Unlock(k)
				} else {
					wait(k, wq, w)
				}
			})
			k.Explore()
		}
	}
	for _, c := range []struct {
		ring string
		wait func(k *Task, wq *Workqueue, w *Work)
	}{
		{"m -> (work_completion)w -> m", func(k *Task, _ *Workqueue, w *Work) { w.Flush(k) }},
		{"m -> (work_completion)w -> m", func(k *Task, _ *Workqueue, w *Work) { w.CancelSync(k) }},
		{"m -> (wq_completion)wq -> m", func(k *Task, wq *Workqueue, _ *Work) { wq.Flush(k) }},
		{"m -> (wq_completion)wq -> m", func(k *Task, wq *Workqueue, _ *Work) { wq.Destroy(k) }},
	} {
		sometimes(t, LockOrder, "possible circular locking dependency: "+c.ring, body(c.wait, true))
		always(t, body(c.wait, false))
	}
}
