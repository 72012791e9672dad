package dmabufsim

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// What two operations declare must conflict if their order can be told. So every two are
// run in both orders, in each of several states.
func TestUndeclaredConflicts(t *testing.T) {
	type world struct {
		f, old *testFence
		cb     FenceCB
		r      Resv
		ran    string
	}
	states := map[string]func(k *kernel.Task, w *world){
		"fresh":     func(*kernel.Task, *world) {},
		"signalled": func(k *kernel.Task, w *world) { w.f.Signal(k) },
		"watched":   func(k *kernel.Task, w *world) { w.f.AddCallback(k, &w.cb, noteOf(&w.ran)) },
		"published": func(k *kernel.Task, w *world) { w.r.AddFence(k, &w.f.Fence, UsageRead) },
	}
	ops := []struct {
		name string
		do   func(k *kernel.Task, w *world) any
	}{
		{"get", func(k *kernel.Task, w *world) any { step(k); w.f.Get(k); return nil }},
		{"put", func(k *kernel.Task, w *world) any { step(k); w.f.Put(k); return nil }},
		{"get_rcu", func(k *kernel.Task, w *world) any {
			k.RCUReadLock()
			defer k.RCUReadUnlock()
			return w.f.GetRCU(k) != nil
		}},
		{"signal", func(k *kernel.Task, w *world) any { return w.f.Signal(k) }},
		{"is_signaled", func(k *kernel.Task, w *world) any { return w.f.IsSignaled(k) }},
		{"get_status", func(k *kernel.Task, w *world) any { return w.f.GetStatus(k) }},
		{"wait 0", func(k *kernel.Task, w *world) any { return w.f.WaitTimeout(k, false, 0) }},
		{"wait 1", func(k *kernel.Task, w *world) any { return w.f.WaitTimeout(k, false, 1) > 0 }},
		{"set_error", func(k *kernel.Task, w *world) any { step(k); w.f.SetError(k, kernel.EIO); return nil }},
		{"add_callback", func(k *kernel.Task, w *world) any { return w.f.AddCallback(k, &FenceCB{}, noteOf(&w.ran)) }},
		{"remove_callback", func(k *kernel.Task, w *world) any {
			w.cb.fence = &w.f.Fence
			return w.f.RemoveCallback(k, &w.cb)
		}},
		{"test_signaled", func(k *kernel.Task, w *world) any { return w.r.TestSignaled(k, UsageBookkeep) }},
		{"walk", func(k *kernel.Task, w *world) any { return names(k, w.r.Iter(UsageBookkeep)) }},
		{"reserve and add", func(k *kernel.Task, w *world) any {
			w.r.Lock(k, nil)
			w.r.ReserveFences(k, 5)
			w.r.AddFence(k, &w.f.Fence, UsageKernel)
			w.r.Unlock(k)
			return nil
		}},
		{"replace", func(k *kernel.Task, w *world) any {
			w.r.Lock(k, nil)
			w.r.ReplaceFences(k, 8, &w.f.Fence, UsageWrite)
			w.r.Unlock(k)
			return nil
		}},
	}
	m := sim.NewMachine()
	defer m.Close()
	// run tells what came of the operations in the order, whether they touched the same
	// and whether in conflict, and whether the run failed.
	run := func(state func(*kernel.Task, *world), i, j int, o simtest.Order) (out string, shared, conflict, failed bool) {
		var res [2]any
		var w *world
		r := m.Run(o, on.Body(func(k *kernel.Task) {
			w = &world{f: newFence(k, 7, 2), old: newFence(k, 8, 1)}
			w.r.Init(k, "resv")
			w.r.Lock(k, nil)
			w.r.ReserveFences(k, 2)
			w.r.AddFence(k, &w.old.Fence, UsageRead)
			state(k, w)
			w.r.Unlock(k)
			for n, op := range []int{i, j} {
				k.Go(string("ab"[n]), func(k *kernel.Task) { res[n] = ops[op].do(k, w) })
			}
			k.Explore()
		}))
		kind := sim.Kind("")
		if r.Failure != nil && r.Failure.Kind != kernel.Leak {
			kind = r.Failure.Kind
		}
		out = fmt.Sprint(res, kind, w.f.refs, w.old.refs, w.f.signaled, w.f.err, w.ran, len(w.f.cbs), contents(&w.r))
		shared, conflict = simtest.Overlap(m, "a", "b")
		return out, shared, conflict, kind != ""
	}
	proved := 0
	for name, state := range states {
		for i := range ops {
			for j := range ops {
				ab, shared, conflict, failed := run(state, i, j, simtest.Order{"a", "b"})
				ba, sharedToo, _, _ := run(state, i, j, simtest.Order{"b", "a"})
				if conflict || failed { // the other order is tried, or need not be
					continue
				}
				if shared && sharedToo {
					proved++
				}
				require.Equal(t, ab, ba, "%s: %s and %s", name, ops[i].name, ops[j].name)
			}
		}
	}
	require.Greater(t, proved, 50)
}

func noteOf(ran *string) FenceFunc {
	return func(k *kernel.Task, _ *Fence, _ *FenceCB) { *ran += k.Name }
}
