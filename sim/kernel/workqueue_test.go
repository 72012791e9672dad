package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func newWork(k *Task, fn func(*Task)) *Work {
	w := &Work{}
	w.Init(k, nil, "w", fn)
	return w
}

var workCases = cases{
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
			running, parallel := 0, false
			w := newWork(k, func(k *Task) {
				running++
				k.Step(opStep)
				parallel = parallel || running == 2
				running--
			})
			other := NewWorkqueue(k, "other", 0)
			k.Go("one", func(k *Task) { k.K.SystemWq.Queue(k, w) })
			k.Go("two", func(k *Task) { other.Queue(k, w) })
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
				running, most := 0, 0
				for range 3 {
					wq.Queue(k, newWork(k, func(k *Task) {
						running++
						most = max(most, running)
						k.Step(opStep)
						running--
					}))
				}
				k.Explore()
				say("%d", most)
			})
		}
		require.Equal(t, set("1"), parallel(1))
		require.Equal(t, set("1", "2"), parallel(2))
		require.Equal(t, set("1", "2", "3"), parallel(0))
	}},
	{"C-WQ-09", func(t *testing.T) {
		fails(t, sim.Deadlock, "kworker/events", func(k *Task) {
			var w *Work
			w = newWork(k, func(k *Task) { w.Flush(k) })
			k.K.SystemWq.Queue(k, w)
			k.Explore()
		})
	}},
	{"C-WQ-14", func(t *testing.T) {
		fails(t, UseAfterFree, "kworker/events (task 1) uses object#1", func(k *Task) {
			o := newObject(k, 0)
			w := &Work{}
			w.Init(k, &o.Mem, "w", func(*Task) {})
			k.K.SystemWq.Queue(k, w)
			k.Free(&o.Mem)
			k.Explore()
		})
	}},
	{"C-WQ-16", func(t *testing.T) {
		fails(t, Context, "flush_work(w) in hardirq context", func(k *Task) {
			w := newWork(k, func(*Task) {})
			k.Interrupt("irq", w.Flush)
			k.Explore()
		})
	}},
}

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

func TestFlushWork(t *testing.T) {
	always(t, func(k *Task) {
		done := false
		w := newWork(k, func(k *Task) { k.Step(opStep); done = true })
		k.Go("flusher", func(k *Task) {
			k.K.SystemWq.Queue(k, w)
			w.Flush(k)
			if !done {
				k.BUG("flush_work returned before the item had run")
			}
		})
		k.Go("other", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
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
