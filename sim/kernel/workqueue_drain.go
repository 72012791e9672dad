package kernel

import (
	"fmt"

	"dmasim/sim"
)

// drained is ready when nothing is on the queue.
type drained struct{ wq *Workqueue }

func (d drained) Ready(*sim.Task) bool { return len(d.wq.items) == 0 }

func (d drained) Owners(t *sim.Task) []*sim.Task { return finished(d.wq.items).Owners(t) }

// Drain is drain_workqueue: waits until nothing is on the queue. Meanwhile only items of the
// queue itself can queue on it.
func (wq *Workqueue) Drain(t *Task) {
	t.MightSleep("drain_workqueue", wq.name)
	t.Step(sim.Op{Verb: "drain_workqueue", Obj: &wq.obj})
	wq.drain(t, "drain_workqueue")
}

// Destroy is destroy_workqueue: drains the queue. Nothing can be queued on it any more.
func (wq *Workqueue) Destroy(t *Task) {
	t.MightSleep("destroy_workqueue", wq.name)
	t.Step(sim.Op{Verb: "destroy_workqueue", Obj: &wq.obj})
	if wq.destroying {
		t.Fail(DoubleFree, "workqueue %s is destroyed again (%s)", wq.name, t.Task)
	}
	wq.destroying = true
	wq.drain(t, "destroy_workqueue")
}

func (wq *Workqueue) drain(t *Task, verb string) {
	wq.drainers++
	t.waits(wq.completion(t))
	if len(wq.items) > 0 {
		wq.mayFlush(t, "all of it")
	}
	t.Step(sim.Op{Verb: verb, Obj: &wq.obj, Guard: drained{wq}})
	t.Acquire(&wq.obj)
	wq.drainers--
}

// refuses tells whether a queue that is drained or destroyed drops the work, which its
// caller is not told. Before 7.3 a work that was dropped stays pending forever.
func (wq *Workqueue) refuses(t *Task, st *workState) bool {
	if !wq.destroying && wq.drainers == 0 || t.work != nil && t.work.wq == wq {
		return false
	}
	t.flagOnce(sim.Warn, "workqueue: cannot queue on a queue that is being drained or was destroyed", fmt.Sprintf(": %s on %s (%s)", st.name, wq.name, t.Task))
	if t.K.Profile >= V7_3 {
		st.pending = false
	}
	return true
}
