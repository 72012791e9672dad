package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

func TestWorkqueueCommutes(t *testing.T) {
	for _, c := range []struct {
		name      string
		maxActive int
		disabled  bool
	}{{"unlimited", 0, false}, {"limited", 2, false}, {"disabled", 0, true}} {
		ops := func(k *Task) ([]operation, func() string) {
			wq := NewWorkqueue(k, "wq", c.maxActive)
			wq.Occupy(k, 1)
			blocked := newWork(k, func(*Task) {})
			wq.Queue(k, blocked)
			queue := func(k *Task) any { return wq.Queue(k, newWork(k, func(*Task) {})) }
			same := newWork(k, func(*Task) {})
			if c.disabled {
				same.Disable(k)
			}
			ops := []operation{
				{"queue_work", queue},
				{"queue_work of another", queue},
				{"queue_work of the same", func(k *Task) any { return wq.Queue(k, same) }},
				{"cancel_work", func(k *Task) any { return same.Cancel(k) }},
				{"disable_work", func(k *Task) any { return same.Disable(k) }},
				{"flush_work", func(k *Task) any {
					k.Step(sim.Op{Verb: "flush_work", Obj: &same.st.obj, Class: sim.Read})
					return same.st.latest() != nil
				}},
				{"flush_workqueue", func(k *Task) any {
					k.Step(sim.Op{Verb: "flush_workqueue", Obj: &wq.obj, Class: sim.Read})
					return len(wq.items)
				}},
			}
			if c.disabled {
				ops = append(ops, operation{"enable_work", func(k *Task) any { return same.Enable(k) }})
			}
			return ops, func() string {
				active := 0
				for _, it := range wq.items {
					if it.active {
						active++
					}
				}
				return fmt.Sprint(len(wq.items), active, same.st.pending, same.st.disabled)
			}
		}
		checkCommuting(t, []state{{c.name, ops}})
	}
}

func TestRCUBarrierCommutes(t *testing.T) {
	ops := func(k *Task) ([]operation, func() string) {
		r := &k.K.rcu
		return []operation{
			{"rcu_barrier", func(k *Task) any {
				k.Step(sim.Op{Verb: "rcu_barrier", Obj: &r.Object, Class: rcuFlush})
				return rcuBarrier{r, r.called}.Ready(nil)
			}},
			{"call_rcu", func(k *Task) any {
				k.Step(opStep)
				k.CallRCU("callback", func(*Task) {})
				return nil
			}},
		}, func() string { return fmt.Sprint(len(r.callbacks)) }
	}
	checkCommuting(t, []state{
		{"no callbacks", ops},
		{"a callback", func(k *Task) ([]operation, func() string) {
			k.CallRCU("callback", func(*Task) {})
			return ops(k)
		}},
	})
}

// resultsOf is what the runs of a strategy say, or how they fail.
func resultsOf(t *testing.T, s explore.Strategy, body func(k *Task, say func(format string, args ...any))) map[string]bool {
	m := sim.NewMachine()
	m.StepLimit = 500
	defer m.Close()
	out := map[string]bool{}
	for range 100_000 {
		said := ""
		r := m.Run(s, on.Body(func(k *Task) {
			body(k, func(format string, args ...any) { said += fmt.Sprintf(format, args...) + " " })
		}))
		if !r.Abandoned {
			if r.Failure != nil {
				said = string(r.Failure.Kind)
				require.NotEqual(t, sim.Misuse, r.Failure.Kind, r.Failure.Message)
			}
			out[said] = true
		}
		if !s.Done(r) {
			return out
		}
	}
	require.Fail(t, "too many runs")
	return nil
}

// What operations declare is all that they do: reduced exploration has the same results
// as the full one.
func TestQueuesDeclareWhatTheyDo(t *testing.T) {
	type program = func(k *Task, say func(string, ...any))
	start := func(k *Task, name string, fn func(*Task)) { k.Kthread(name, sim.Op{Verb: "start"}, fn) }
	step := func(k *Task) { k.Step(opStep) }
	for name, p := range map[string]program{
		"limit and cancel": func(k *Task, say func(string, ...any)) {
			wq := NewWorkqueue(k, "wq", 1)
			var ws [3]*Work
			cancelled := false
			for i := range ws {
				ws[i] = newWork(k, func(k *Task) { say("%d", i) })
			}
			wq.Queue(k, ws[0])
			start(k, "one", func(k *Task) { wq.Queue(k, ws[1]) })
			start(k, "two", func(k *Task) { wq.Queue(k, ws[2]) })
			start(k, "three", func(k *Task) { cancelled = ws[1].Cancel(k) })
			k.Explore()
			say("%v", cancelled)
		},
		"self-requeue and cancel_work_sync": func(k *Task, say func(string, ...any)) {
			runs := 0
			var w *Work
			w = newWork(k, func(k *Task) {
				if runs++; runs < 3 {
					say("q%v", k.K.SystemWq.Queue(k, w))
				}
			})
			start(k, "queuer", func(k *Task) { say("%v", k.K.SystemWq.Queue(k, w)) })
			start(k, "canceller", func(k *Task) { say("c%v %d", w.CancelSync(k), runs) })
			k.Explore()
			say("%d", runs)
		},
		"flush of a work and of its queue": func(k *Task, say func(string, ...any)) {
			wq := NewWorkqueue(k, "wq", 0)
			one, all, first := 0, 0, ""
			a, b := newWork(k, func(k *Task) { one, all = 1, all+1 }), newWork(k, func(*Task) { all += 10 })
			wq.Queue(k, a)
			start(k, "queuer", func(k *Task) { wq.Queue(k, b) })
			start(k, "flush_work", func(k *Task) { first = fmt.Sprint(a.Flush(k), one) })
			start(k, "flush_workqueue", func(k *Task) { wq.Flush(k); say("%d", all) })
			k.Explore()
			say("%s", first)
		},
		"drain": func(k *Task, say func(string, ...any)) {
			wq := NewWorkqueue(k, "wq", 0)
			runs := 0
			chained := newWork(k, func(*Task) { runs++ })
			w := newWork(k, func(k *Task) { wq.Queue(k, chained) })
			start(k, "queuer", func(k *Task) { wq.Queue(k, w) })
			start(k, "drainer", func(k *Task) { wq.Drain(k); say("%d", runs) })
			k.Explore()
		},
		"exhaustion": func(k *Task, say func(string, ...any)) {
			io, plain := AllocWorkqueue(k, "io", WQ_UNBOUND|WQ_MEM_RECLAIM, 0), NewWorkqueue(k, "plain", 0)
			plainly := ""
			start(k, "memory", func(k *Task) { k.ExhaustWorkers(true); k.ExhaustWorkers(false) })
			plain.Queue(k, newWork(k, func(k *Task) { plainly = k.Name }))
			for i := range 2 {
				io.Queue(k, newWork(k, func(k *Task) { say("%s%d", k.Name, i) }))
			}
			k.Explore()
			say("%s", plainly)
		},
		"delayed work": func(k *Task, say func(string, ...any)) {
			k.K.Race("d")
			runs := 0
			dw := newDelayedWork(k, func(*Task) { runs++ })
			start(k, "queuer", func(k *Task) { k.K.SystemWq.QueueDelayed(k, dw, 5) })
			start(k, "modifier", func(k *Task) { say("m%v", k.K.SystemWq.ModDelayed(k, dw, 3)) })
			start(k, "canceller", func(k *Task) { say("c%v %d", dw.Cancel(k), runs) })
			k.Explore()
			say("%d", runs)
		},
		"rcu_barrier": func(k *Task, say func(string, ...any)) {
			ran := 0
			for range 2 {
				start(k, "caller", func(k *Task) { step(k); k.CallRCU("callback", func(k *Task) { ran++ }) })
			}
			start(k, "barrier", func(k *Task) { k.RCUBarrier(); say("%d", ran) })
			k.Explore()
		},
		"kfree_rcu": func(k *Task, say func(string, ...any)) {
			o := newObject(k, 0)
			start(k, "one", func(k *Task) { k.KfreeRCU(&o.Mem); k.KvfreeRCUBarrier(); say("%v", o.Alive()) })
			start(k, "two", func(k *Task) { k.RCUReadLock(); k.Use(&o.Mem); k.RCUReadUnlock() })
			k.Explore()
		},
		"polled": func(k *Task, say func(string, ...any)) {
			start(k, "poller", func(k *Task) {
				s := k.StartPollSynchronizeRCU()
				say("%v", k.PollStateSynchronizeRCU(s))
				say("%v", k.PollStateSynchronizeRCU(s))
			})
			start(k, "reader", func(k *Task) { k.RCUReadLock(); step(k); k.RCUReadUnlock() })
			k.Explore()
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := resultsOf(t, explore.NewDFS(explore.Coverage{Bound: explore.All}), p)
			require.Greater(t, len(all), 1, "a program with one result shows nothing: %v", all)
			require.Equal(t, all, resultsOf(t, explore.NewDPOR(), p))
		})
	}
}
