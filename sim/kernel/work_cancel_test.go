package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
)

var _ = conform(cases{
	{"C-WQ-11", func(t *testing.T) {
		body := func(stop func(k *Task, w *Work)) func(k *Task) {
			return func(k *Task) {
				runs := simtest.NewVar(k, 0)
				var w *Work
				w = newWork(k, func(k *Task) {
					runs.Set(k, runs.Get(k)+1)
					if runs.Get(k) < 4 {
						k.K.SystemWq.Queue(k, w)
					}
				})
				k.Go("task", func(k *Task) {
					k.K.SystemWq.Queue(k, w)
					stop(k, w)
					now := runs.Get(k)
					k.Step(opStep)
					if runs.Get(k) != now {
						k.BUG("it runs after it was stopped")
					}
				})
				k.Go("other", func(k *Task) { k.Step(opStep) })
				k.Explore()
			}
		}
		always(t, body(func(k *Task, w *Work) { w.CancelSync(k) }))
		sometimes(t, sim.Bug, "runs after it was stopped", body(func(k *Task, w *Work) { w.Cancel(k); w.Flush(k) }))
		sometimes(t, sim.Bug, "runs after it was stopped", body(func(k *Task, w *Work) { w.Flush(k) }))
	}},
	{"C-WQ-12", func(t *testing.T) {
		cancels := map[string]func(k *Task, w *Work) bool{
			"cancel_work":      func(k *Task, w *Work) bool { return w.Cancel(k) },
			"cancel_work_sync": func(k *Task, w *Work) bool { return w.CancelSync(k) },
			"disable_work":     func(k *Task, w *Work) bool { return w.Disable(k) },
		}
		for name, cancel := range cancels {
			out := outcomes(t, func(k *Task, say func(string, ...any)) {
				runs, cancelled := 0, false
				w := newWork(k, func(k *Task) { runs++; k.Step(opStep) })
				k.Go("task", func(k *Task) {
					k.K.SystemWq.Queue(k, w)
					cancelled = cancel(k, w)
				})
				k.Explore()
				say("%v %d", cancelled, runs)
			})
			require.Equal(t, set("true 0", "false 1"), out, name)
		}
		passes(t, func(k *Task) { // idle, and it may be queued afterwards
			w := newWork(k, func(*Task) {})
			require.False(t, w.Cancel(k))
			require.False(t, w.CancelSync(k))
			require.True(t, k.K.SystemWq.Queue(k, w))
			k.Explore()
		})
		// While it runs for the second time in a row, a pending instance is what counts.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			runs := 0
			w := newWork(k, func(k *Task) { runs++; k.Step(opStep) })
			k.Go("task", func(k *Task) {
				k.K.SystemWq.Queue(k, w)
				queued := k.K.SystemWq.Queue(k, w)
				cancelled := w.CancelSync(k)
				say("%v %v %d", queued, cancelled, runs)
			})
			k.Explore()
		})
		require.Equal(t, set("false true 0", "false false 1", "true true 1", "true false 2"), out)
	}},
	{"C-WQ-15", func(t *testing.T) {
		passes(t, func(k *Task) {
			runs := 0
			w := newWork(k, func(*Task) { runs++ })
			queue := func() bool { return k.K.SystemWq.Queue(k, w) }
			require.True(t, queue())
			require.True(t, w.Disable(k), "it was pending")
			require.False(t, w.DisableSync(k))
			require.False(t, queue())
			require.False(t, w.Enable(k), "disabled twice")
			require.False(t, queue())
			require.True(t, w.Enable(k))
			require.True(t, queue())
			k.Explore()
			require.Equal(t, 1, runs)
		})
		fails(t, sim.Warn, "work disable count underflowed", func(k *Task) { newWork(k, func(*Task) {}).Enable(k) })
		// The functions that wait disable only as long as they do.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			runs, queued := 0, false
			w := newWork(k, func(*Task) { runs++ })
			k.Go("canceller", func(k *Task) { w.CancelSync(k) })
			k.Go("queuer", func(k *Task) { queued = k.K.SystemWq.Queue(k, w) })
			k.Explore()
			say("%v %d", queued, runs)
		})
		require.Equal(t, set("true 0", "true 1", "false 0"), out, "queue_work that says false need not mean that there will be a run")
	}},
})

// After disable_work_sync the function neither runs nor is going to.
func TestDisableWorkSync(t *testing.T) {
	body := func(disable func(k *Task, w *Work)) func(k *Task) {
		return func(k *Task) {
			gone := false
			w := newWork(k, func(k *Task) {
				k.Step(opStep)
				if gone {
					k.BUG("it runs")
				}
			})
			k.Go("queuer", func(k *Task) { k.K.SystemWq.Queue(k, w) })
			k.Go("owner", func(k *Task) { disable(k, w); gone = true })
			k.Explore()
		}
	}
	always(t, body(func(k *Task, w *Work) { w.DisableSync(k) }))
	sometimes(t, sim.Bug, "it runs", body(func(k *Task, w *Work) { w.Disable(k) }))
	sometimes(t, sim.Bug, "it runs", body(func(k *Task, w *Work) { w.CancelSync(k) }))
}

// A cancelled item makes room for the next one.
func TestCancelMakesRoom(t *testing.T) {
	always(t, func(k *Task) {
		wq := NewWorkqueue(k, "wq", 1)
		ran := 0
		blocker, second := newWork(k, func(k *Task) { k.BUG("it runs") }), newWork(k, func(*Task) { ran++ })
		k.Go("task", func(k *Task) {
			k.K.Lockdep.Off = true
			wq.Occupy(k, 1)
			wq.Queue(k, blocker)
			wq.Queue(k, second)
			blocker.Cancel(k)
			wq.Occupy(k, -1)
			second.Flush(k)
			if ran != 1 {
				k.BUG("the second item has not run")
			}
		})
		k.Go("other", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
}

// The end of a cancel_work_sync decides whether the next queue_work does something.
func TestCancelSyncEnables(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		wq := NewWorkqueue(k, "wq", 1)
		wq.Occupy(k, 1)
		w := newWork(k, func(*Task) {})
		k.Go("queuer", func(k *Task) {
			first := wq.Queue(k, w)
			say("%v %v", first, wq.Queue(k, w))
			w.Cancel(k)
		})
		k.Go("canceller", func(k *Task) { w.CancelSync(k) })
		k.Explore()
	})
	require.Equal(t, set("true false", "false false", "false true", "true true"), out)
	passes(t, func(k *Task) {
		newWork(k, func(*Task) {}).CancelSync(k)
		events := k.Machine().Events()
		require.Equal(t, sim.Write, events[len(events)-1].Class, "it does not commute with a queue_work that fails")
	})
}
