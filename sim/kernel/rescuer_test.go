package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

var _ = conform(cases{
	{"C-WQ-07", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			wq := AllocWorkqueue(k, "io", WQ_UNBOUND|WQ_MEM_RECLAIM, 0)
			k.ExhaustWorkers(true)
			running := 0
			k.Go("task", func(k *Task) {
				for i := range 3 {
					wq.Queue(k, newWork(k, func(k *Task) {
						if running++; running > 1 {
							k.BUG("two at once, and one rescuer")
						}
						if k.Name != "kworker/R-io" {
							k.BUG("%s is no rescuer", k.Name)
						}
						say("%d", i)
						k.Step(opStep)
						running--
					}))
				}
			})
			k.Explore()
		})
		require.Equal(t, set("0 1 2"), out)
		// A queue without a rescuer waits until there is memory.
		body := func(memory bool) func(k *Task) {
			return func(k *Task) {
				wq := AllocWorkqueue(k, "plain", WQ_UNBOUND, 0)
				k.ExhaustWorkers(true)
				k.Go("task", func(k *Task) { wq.Queue(k, newWork(k, func(*Task) {})) })
				k.Go("reclaim", func(k *Task) {
					k.Step(opStep)
					if memory {
						k.ExhaustWorkers(false)
					}
				})
				k.Explore()
			}
		}
		f := sometimes(t, sim.LostWakeup, "kworker/plain waits for run work w", body(false))
		require.Contains(t, f.Detail[0], "no worker can be created, and the queue has no rescuer")
		always(t, body(true))
	}},
	{"C-WQ-08", func(t *testing.T) {
		body := func(exhausted bool, wait func(k *Task, second *Work, done *Completion)) func(k *Task) {
			return func(k *Task) {
				k.K.Lockdep.Off = true
				wq := AllocWorkqueue(k, "io", WQ_UNBOUND|WQ_MEM_RECLAIM, 0)
				var done Completion
				done.Init(k, nil, "done")
				second := &Work{}
				second.Init(k, nil, "second", done.Complete)
				first := newWork(k, func(k *Task) { wait(k, second, &done) })
				if exhausted {
					k.ExhaustWorkers(true)
				}
				k.Go("task", func(k *Task) {
					wq.Queue(k, first)
					wq.Queue(k, second)
				})
				k.Explore()
			}
		}
		completion := func(k *Task, _ *Work, done *Completion) { done.Wait(k) }
		flush := func(k *Task, second *Work, _ *Completion) { second.Flush(k) }
		always(t, body(false, completion))
		always(t, body(false, flush))
		sometimes(t, sim.Deadlock, "", body(true, completion))
		sometimes(t, sim.Deadlock, "kworker/R-io waits for flush_work second held by kworker/io; kworker/io waits for run work second held by kworker/R-io", body(true, flush))
	}},
})

// Lockdep knows the rescuer: waiting for another item of its queue is reported while there
// still is memory.
func TestFlushInsideReclaimQueue(t *testing.T) {
	body := func(flags WQFlags) func(k *Task) {
		return func(k *Task) {
			wq := AllocWorkqueue(k, "io", WQ_UNBOUND|flags, 0)
			second := &Work{}
			second.Init(k, nil, "second", func(k *Task) { k.Step(opStep) })
			first := newWork(k, func(k *Task) { second.Flush(k) })
			k.Go("task", func(k *Task) {
				wq.Queue(k, first)
				wq.Queue(k, second)
			})
			k.Explore()
		}
	}
	sometimes(t, LockOrder, "(wq_completion)io", body(WQ_MEM_RECLAIM))
	always(t, body(0))
}

// Exhaustion at any point: what has started goes on, and the rest is rescued.
func TestExhaustionComesLate(t *testing.T) {
	always(t, func(k *Task) {
		wq := AllocWorkqueue(k, "io", WQ_UNBOUND|WQ_MEM_RECLAIM, 0)
		runs := 0
		for range 2 {
			wq.Queue(k, newWork(k, func(k *Task) { k.Step(opStep); runs++ }))
		}
		k.Go("memory", func(k *Task) { k.ExhaustWorkers(true) })
		k.Explore()
		require.Equal(t, 2, runs)
	})
}

// The item that the rescuer had taken is cancelled: it takes the next one.
func TestCancelOfRescued(t *testing.T) {
	always(t, func(k *Task) {
		wq := AllocWorkqueue(k, "io", WQ_UNBOUND|WQ_MEM_RECLAIM, 0)
		runs := 0
		k.ExhaustWorkers(true)
		one, two := newWork(k, func(*Task) {}), newWork(k, func(*Task) { runs++ })
		k.Go("task", func(k *Task) {
			wq.Queue(k, one)
			wq.Queue(k, two)
			one.Cancel(k)
		})
		k.Go("other", func(k *Task) { k.Step(opStep) })
		k.Explore()
		require.Equal(t, 1, runs)
	})
}

// Exhaust leaves no memory for workers either.
func TestExhaustAndWorkers(t *testing.T) {
	body := func(flags WQFlags) func(k *Task) {
		return func(k *Task) {
			k.K.Exhaust()
			AllocWorkqueue(k, "wq", WQ_UNBOUND|flags, 0).Queue(k, newWork(k, func(*Task) {}))
			k.Explore()
		}
	}
	fails(t, sim.LostWakeup, "kworker/wq waits for run work w", body(0))
	passes(t, body(WQ_MEM_RECLAIM))
}

// A work that still runs is left to its worker: the rescuer goes on with the next one.
func TestRescuerSkipsRunningWork(t *testing.T) {
	always(t, func(k *Task) {
		wq := AllocWorkqueue(k, "io", WQ_UNBOUND|WQ_MEM_RECLAIM, 0)
		var started, done Completion
		started.Init(k, nil, "started")
		done.Init(k, nil, "done")
		runs := 0
		first := newWork(k, func(k *Task) {
			if runs++; runs == 1 {
				started.Complete(k)
				done.Wait(k)
			}
		})
		k.Go("task", func(k *Task) {
			wq.Queue(k, first)
			started.Wait(k)
			k.ExhaustWorkers(true)
			wq.Queue(k, first)
			wq.Queue(k, newWork(k, done.Complete))
		})
		k.Explore()
		require.Equal(t, 2, runs)
	})
}
