package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
)

func newWork(k *Task, fn func(*Task)) *Work {
	w := &Work{}
	w.Init(k, nil, "w", fn)
	return w
}

var _ = conform(cases{
	{"C-WQ-01", func(t *testing.T) {
		passes(t, func(k *Task) {
			runs := 0
			w := newWork(k, func(k *Task) {
				runs++
				if k.Context() != InWorker {
					k.Fail(Context, "in %s", k.Context())
				}
			})
			require.True(t, k.K.SystemWq.Queue(k, w))
			require.False(t, k.K.SystemWq.Queue(k, w))
			k.Explore()
			require.Equal(t, 1, runs)
		})
	}},
	{"C-WQ-02", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			runs, running := 0, false
			w := newWork(k, func(k *Task) {
				if running {
					k.BUG("the item runs in parallel with itself")
				}
				running = true
				runs++
				k.Step(opStep)
				running = false
			})
			queued := 0
			for range 2 {
				k.Go("queuer", func(k *Task) {
					if k.K.SystemWq.Queue(k, w) {
						queued++
					}
				})
			}
			k.Explore()
			say("%d %d", queued, runs)
		})
		require.Equal(t, set("1 1", "2 2"), out, "as many runs as successful queueings")
	}},
	{"C-WQ-03", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			in, parallel := simtest.NewVar(k, 0), false
			w := newWork(k, func(k *Task) {
				in.Set(k, in.Get(k)+1)
				k.Step(opStep)
				parallel = parallel || in.Get(k) == 2
				in.Set(k, in.Get(k)-1)
			})
			other := NewWorkqueue(k, "other", 0)
			k.Go("one", func(k *Task) { k.K.SystemWq.Queue(k, w) })
			k.Go("two", func(k *Task) { other.Queue(k, w) })
			k.Explore()
			say("%v", parallel)
		})
		require.Equal(t, set("true", "false"), out)

		// Nor does a work stay the same that is initialised anew while it runs.
		out = outcomes(t, func(k *Task, say func(string, ...any)) {
			in, parallel := simtest.NewVar(k, 0), false
			var w *Work
			fn := func(k *Task) {
				in.Set(k, in.Get(k)+1)
				k.Step(opStep)
				parallel = parallel || in.Get(k) == 2
				in.Set(k, in.Get(k)-1)
			}
			w = newWork(k, func(k *Task) {
				w.Init(k, nil, "again", fn)
				k.K.SystemWq.Queue(k, w)
				fn(k)
			})
			k.K.SystemWq.Queue(k, w)
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			say("%v", parallel)
		})
		require.Equal(t, set("true", "false"), out)
	}},
	{"C-WQ-04", func(t *testing.T) {
		always(t, func(k *Task) {
			var x Field[int]
			w := newWork(k, func(k *Task) {
				if x.Get(k) != 1 {
					k.BUG("stale")
				}
			})
			k.Go("queuer", func(k *Task) { x.Set(k, 1); k.K.SystemWq.Queue(k, w) })
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
		})
	}},
	{"C-WQ-06", func(t *testing.T) {
		parallel := func(maxActive int) map[string]bool {
			return outcomes(t, func(k *Task, say func(string, ...any)) {
				wq := NewWorkqueue(k, "wq", maxActive)
				in, most := simtest.NewVar(k, 0), 0
				for range 3 {
					wq.Queue(k, newWork(k, func(k *Task) {
						in.Set(k, in.Get(k)+1)
						most = max(most, in.Get(k))
						k.Step(opStep)
						in.Set(k, in.Get(k)-1)
					}))
				}
				k.Explore()
				say("%d", most)
			})
		}
		require.Equal(t, set("1"), parallel(1))
		require.Equal(t, set("1", "2"), parallel(2))
		require.Equal(t, set("1", "2", "3"), parallel(0))

		// Those above the limit start in the order in which they were queued.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			wq := AllocWorkqueue(k, "wq", WQ_UNBOUND, 2)
			k.Go("queuer", func(k *Task) {
				for i := range 4 {
					wq.Queue(k, newWork(k, func(k *Task) { say("%d", i) }))
				}
			})
			k.Explore()
		})
		require.Contains(t, out, "1 0 2 3")
		require.Contains(t, out, "1 2 3 0")
		require.NotContains(t, out, "0 3 1 2", "3 becomes active when two others have ended")
		require.NotContains(t, out, "2 0 1 3")
	}},
	{"C-WQ-05", func(t *testing.T) {
		order := func(queue func(k *Task) *Workqueue) map[string]bool {
			return outcomes(t, func(k *Task, say func(string, ...any)) {
				wq := queue(k)
				in := simtest.NewVar(k, 0)
				k.Go("queuer", func(k *Task) {
					for i := range 3 {
						wq.QueueOn(k, i, newWork(k, func(k *Task) {
							in.Set(k, in.Get(k)+1)
							if in.Get(k) > 1 {
								say("two at once")
							}
							say("%d", i)
							k.Step(opStep)
							in.Set(k, in.Get(k)-1)
						}))
					}
				})
				k.Explore()
			})
		}
		require.Equal(t, set("0 1 2"), order(func(k *Task) *Workqueue { return AllocOrderedWorkqueue(k, "ordered", 0) }))
		require.Equal(t, set("0 1 2"), order(func(k *Task) *Workqueue { return AllocWorkqueue(k, "one", WQ_UNBOUND, 1) }))
		// A limit of one that counts for each CPU is no order.
		out := order(func(k *Task) *Workqueue { return AllocWorkqueue(k, "percpu", WQ_PERCPU, 1) })
		require.Contains(t, out, "2 1 0")
		require.Contains(t, out, "0 two at once 1 two at once 2")
	}},
	{"C-WQ-13", func(t *testing.T) {
		for name, end := range map[string]func(*Workqueue, *Task){"drain": (*Workqueue).Drain, "destroy": (*Workqueue).Destroy} {
			for _, p := range []Profile{V6_12, V7_3} {
				t.Run(name+" "+p.String(), func(t *testing.T) {
					body := func(outside bool) func(k *Task) {
						return func(k *Task) {
							k.K.Profile = p
							wq := AllocWorkqueue(k, "wq", WQ_UNBOUND, 0)
							ran := 0
							late := newWork(k, func(*Task) { ran++ })
							k.Go("main", func(k *Task) {
								var started Completion
								started.Init(k, nil, "started")
								wq.Queue(k, newWork(k, func(k *Task) {
									started.Complete(k)
									k.Step(opStep)
									if !outside {
										wq.Queue(k, late)
									}
								}))
								started.Wait(k)
								if outside {
									k.Go("outsider", func(k *Task) {
										if !wq.Queue(k, late) {
											k.BUG("queue_work returned false")
										}
									})
								}
								end(wq, k)
								if !outside && ran != 1 {
									k.BUG("what an item of the queue queued did not run")
								}
							})
							k.Explore()
							if dropped := ran == 0; late.st.pending != (dropped && p < V7_3) {
								k.BUG("dropped: %v, and pending: %v", dropped, late.st.pending)
							}
						}
					}
					// What a task queues may come before the drain.
					sometimes(t, sim.Warn, "cannot queue on a queue that is being drained or was destroyed: w on wq", body(true))
					always(t, body(false))
				})
			}
		}
		// Not run, and true.
		fails(t, sim.Warn, "was destroyed: w on wq", func(k *Task) {
			wq := NewWorkqueue(k, "wq", 0)
			wq.Destroy(k)
			require.True(t, wq.Queue(k, newWork(k, func(k *Task) { k.BUG("it runs") })))
			k.Explore()
		})
	}},
	{"C-WQ-14", func(t *testing.T) {
		fails(t, UseAfterFree, "free active object: work w of object#1 is pending", func(k *Task) {
			o := newObject(k, 0)
			w := &Work{}
			w.Init(k, &o.Mem, "w", func(*Task) {})
			k.K.SystemWq.Queue(k, w)
			k.Free(&o.Mem)
			k.Explore()
		})
		freeing := func(wait func(k *Task, w *Work)) func(k *Task) {
			return func(k *Task) {
				o := newObject(k, 0)
				w := &Work{}
				k.Go("owner", func(k *Task) {
					var started Completion
					started.Init(k, nil, "started")
					w.Init(k, &o.Mem, "w", func(k *Task) {
						started.Complete(k)
						k.Step(opStep)
						k.Step(opStep)
					})
					k.K.SystemWq.Queue(k, w)
					started.Wait(k)
					wait(k, w)
					k.Free(&o.Mem)
				})
				k.Explore()
			}
		}
		sometimes(t, UseAfterFree, "work w of object#1 is running (kworker/events (task 1.1)); freed by owner (task 1)", freeing(func(*Task, *Work) {}))
		sometimes(t, UseAfterFree, "is running", freeing(func(k *Task, w *Work) { w.Cancel(k) }))
		always(t, freeing(func(k *Task, w *Work) { w.Flush(k) }))
		always(t, freeing(func(k *Task, w *Work) { w.CancelSync(k) }))
		// What the function does last may let the owner free it.
		always(t, func(k *Task) {
			o := newObject(k, 0)
			w := &Work{}
			k.Go("owner", func(k *Task) {
				var done Completion
				done.Init(k, nil, "done")
				w.Init(k, &o.Mem, "w", done.Complete)
				k.K.SystemWq.Queue(k, w)
				done.Wait(k)
				k.Free(&o.Mem)
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
		})
		// From inside, and pending again.
		fails(t, UseAfterFree, "work w of object#1 is pending", func(k *Task) {
			o := newObject(k, 0)
			w := &Work{}
			w.Init(k, &o.Mem, "w", func(k *Task) {
				k.K.SystemWq.Queue(k, w)
				k.Free(&o.Mem)
			})
			k.K.SystemWq.Queue(k, w)
			k.Explore()
		})
	}},
})

// The function may free the item that it runs for, and an item may be queued again
// from its own function: that is one more run.
func TestWorkFreesItself(t *testing.T) {
	always(t, func(k *Task) {
		o := newObject(k, 0)
		w := &Work{}
		w.Init(k, &o.Mem, "w", func(k *Task) {
			k.Step(opStep)
			k.Free(&o.Mem)
		})
		k.K.SystemWq.Queue(k, w)
		k.Go("other", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
}

func TestWorkQueuesItself(t *testing.T) {
	passes(t, func(k *Task) {
		var w *Work
		runs := 0
		w = newWork(k, func(k *Task) {
			if runs++; runs < 3 {
				require.True(t, k.K.SystemWq.Queue(k, w), "pending is cleared before the function runs")
			}
		})
		k.K.SystemWq.Queue(k, w)
		k.Explore()
		require.Equal(t, 3, runs)
	})
}

// A queue says what it is, since 7.3 in one of two ways; and old names are not to be used.
func TestAllocWorkqueueWarns(t *testing.T) {
	for _, c := range []struct {
		profile Profile
		flags   WQFlags
		message string
	}{
		{V7_3, 0, "neither WQ_PERCPU nor WQ_UNBOUND"},
		{V7_3, WQ_PERCPU | WQ_UNBOUND, "both WQ_PERCPU and WQ_UNBOUND"},
		{V7_3, WQ_PERCPU | WQ_HIGHPRI, ""},
		{V7_3, WQ_UNBOUND | WQ_MEM_RECLAIM, ""},
		{RFCBase, 0, ""},
		{V6_12, WQ_MEM_RECLAIM, ""},
	} {
		body := func(k *Task) {
			k.K.Profile = c.profile
			require.NotNil(t, AllocWorkqueue(k, "wq", c.flags, 0))
		}
		if c.message == "" {
			passes(t, body)
		} else {
			fails(t, sim.Warn, c.message, body)
		}
	}
	queue := func(p Profile, wq func(k *Kernel) *Workqueue) func(k *Task) {
		return func(k *Task) {
			k.K.Profile = p
			wq(k.K).Queue(k, newWork(k, func(*Task) {}))
			k.Explore()
		}
	}
	fails(t, sim.Warn, "deprecated queue; use system_percpu_wq or system_dfl_wq: w on events", queue(V7_3, func(k *Kernel) *Workqueue { return k.SystemWq }))
	fails(t, sim.Warn, "w on events_unbound", queue(V7_3, func(k *Kernel) *Workqueue { return k.SystemUnboundWq }))
	passes(t, queue(V7_3, func(k *Kernel) *Workqueue { return k.SystemPercpuWq }))
	passes(t, queue(V7_3, func(k *Kernel) *Workqueue { return k.SystemDflWq }))
	passes(t, queue(V6_12, func(k *Kernel) *Workqueue { return k.SystemWq }))
	fails(t, sim.Warn, "a BH queue has no max_active", func(k *Task) { require.Nil(t, AllocWorkqueue(k, "wq", WQ_BH, 2)) })
	passes(t, func(k *Task) {
		k.K.FailAlloc("workqueue", 1)
		require.Nil(t, AllocWorkqueue(k, "wq", WQ_UNBOUND, 0))
	})
	fails(t, Context, "allocation(workqueue)", func(k *Task) {
		k.Softirq("softirq", func(k *Task) { AllocWorkqueue(k, "wq", WQ_UNBOUND, 0) })
		k.Explore()
	})
}

// A system queue is shared: items of others can take what it has.
func TestSystemQueueIsFinite(t *testing.T) {
	body := func(occupied int) func(k *Task) {
		return func(k *Task) {
			k.K.SystemWq.Occupy(k, occupied)
			var done Completion
			done.Init(k, nil, "done")
			waiter := newWork(k, done.Wait)
			waker := newWork(k, done.Complete)
			k.Go("task", func(k *Task) {
				k.K.SystemWq.Queue(k, waiter)
				k.K.SystemWq.Queue(k, waker)
			})
			k.Explore()
		}
	}
	always(t, body(0))
	always(t, body(DefaultMaxActive-2))
	sometimes(t, sim.Deadlock, "", body(DefaultMaxActive-1))
	sometimes(t, sim.Deadlock, "", body(DefaultMaxActive))
	old := func(occupied int) func(k *Task) {
		return func(k *Task) { k.K.Profile = V6_12; body(occupied)(k) }
	}
	always(t, old(DefaultMaxActive6_12-2))
	sometimes(t, sim.Deadlock, "", old(DefaultMaxActive6_12-1))
	always(t, body(DefaultMaxActive6_12-1))
	always(t, func(k *Task) { // and give it back
		body(DefaultMaxActive - 1)
		k.K.SystemWq.Occupy(k, DefaultMaxActive)
		k.K.SystemWq.Queue(k, newWork(k, func(*Task) {}))
		k.Go("other", func(k *Task) { k.Step(opStep); k.K.SystemWq.Occupy(k, -1) })
		k.Go("third", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
}

func TestSetMaxActive(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		wq := NewWorkqueue(k, "wq", 1)
		running, most := 0, 0
		for range 2 {
			wq.Queue(k, newWork(k, func(k *Task) {
				running++
				most = max(most, running)
				k.Step(opStep)
				running--
			}))
		}
		k.Go("admin", func(k *Task) { wq.SetMaxActive(k, 2) })
		k.Explore()
		say("%d", most)
	})
	require.Equal(t, set("1", "2"), out)
	fails(t, sim.Warn, "the queue is ordered", func(k *Task) { AllocOrderedWorkqueue(k, "wq", 0).SetMaxActive(k, 2) })
}

// Items of a BH queue run in softirq context.
func TestBHQueue(t *testing.T) {
	body := func(fn func(*Task)) func(k *Task) {
		return func(k *Task) {
			AllocWorkqueue(k, "bh", WQ_BH|WQ_PERCPU, 0).Queue(k, newWork(k, fn))
			k.Explore()
		}
	}
	passes(t, body(func(k *Task) { require.Equal(t, InSoftirq, k.Context()) }))
	fails(t, Context, "in softirq context", body(func(k *Task) { k.MayFail(GFP_KERNEL, "x") }))
}

func TestInitOfPendingWork(t *testing.T) {
	fails(t, sim.Misuse, "init active object: work w is pending", func(k *Task) {
		w := newWork(k, func(*Task) {})
		k.K.SystemWq.Queue(k, w)
		w.Init(k, nil, "w", func(*Task) {})
	})
	passes(t, func(k *Task) { // while it runs, that is another work
		var w *Work
		w = newWork(k, func(k *Task) {
			w.Init(k, nil, "again", func(*Task) {})
			k.K.SystemWq.Queue(k, w)
		})
		k.K.SystemWq.Queue(k, w)
		k.Explore()
	})
	fails(t, sim.Misuse, "queue_work of a work that was not initialised", func(k *Task) { k.K.SystemWq.Queue(k, &Work{}) })
}

// Before 7.3 a work that a queue has dropped stays pending: it is never queued again, and to
// cancel it is to spin.
func TestDroppedWork(t *testing.T) {
	body := func(p Profile) func(k *Task) {
		return func(k *Task) {
			k.K.Profile = p
			wq, w := AllocWorkqueue(k, "wq", WQ_UNBOUND, 0), newWork(k, func(*Task) {})
			wq.Destroy(k)
			wq.Queue(k, w)
			k.Go("owner", func(k *Task) { w.CancelSync(k) })
			k.Explore()
		}
	}
	fails(t, sim.LostWakeup, "owner waits for cancel_work_sync w", body(V6_12))
	fails(t, sim.Warn, "was destroyed", body(V7_3))
}

// A queue that was drained is as it was before.
func TestQueueAfterDrain(t *testing.T) {
	passes(t, func(k *Task) {
		wq, ran := NewWorkqueue(k, "wq", 0), false
		wq.Drain(k)
		require.True(t, wq.Queue(k, newWork(k, func(*Task) { ran = true })))
		k.Explore()
		require.True(t, ran)
	})
	fails(t, DoubleFree, "workqueue wq is destroyed again", func(k *Task) {
		wq := NewWorkqueue(k, "wq", 0)
		wq.Destroy(k)
		wq.Destroy(k)
	})
}
