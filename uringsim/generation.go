package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// generations are what 6.12 has instead of references of each node: a request holds the
// generation of the ring that was current when it was submitted, and what is taken out of a
// table is freed when the generation that ended with that, and all before it, are held by
// nobody.
type generations struct {
	obj     sim.Object
	current *generation
	list    []*generation // that have ended, oldest first
}

type generation struct {
	refs int // one as long as it is current
	item *node
}

func (g *generations) init(t *kernel.Task) {
	t.Own(&g.obj, "list", "rsrc_ref_list")
	g.current = &generation{refs: 1}
}

// get is io_req_set_rsrc_node.
func (g *generations) get() *generation {
	g.current.refs++
	return g.current
}

// next is io_queue_rsrc_removal.
func (g *generations) next(t *kernel.Task, r *Ring, n *node) {
	old := g.current
	old.item = n
	g.list = append(g.list, old)
	g.current = &generation{refs: 1}
	r.putGeneration(t, old)
}

// putGeneration is io_put_rsrc_node.
func (r *Ring) putGeneration(t *kernel.Task, o *generation) {
	r.assertLocked(t, "io_put_rsrc_node")
	g := &r.generations
	t.Touch(&g.obj, sim.Write)
	if o.refs--; o.refs > 0 {
		return
	}
	for len(g.list) > 0 && g.list[0].refs == 0 {
		n := g.list[0].item
		g.list = g.list[1:]
		r.freeNode(t, n)
	}
}

// later tells that a node's own count does not decide when it is freed.
func (g *generations) later(*kernel.Task, *node) bool { return true }

// Ready tells whether nobody holds a generation any more.
func (g *generations) Ready(*sim.Task) bool { return len(g.list) == 0 && g.current.refs == 1 }

// quiesce is io_rsrc_ref_quiesce: waits for all requests that hold a generation, without
// uring_lock, and handles completions meanwhile. A signal ends it.
func (r *Ring) quiesce(t *kernel.Task) kernel.Errno {
	g := &r.generations
	for !g.Ready(nil) {
		r.unlock(t)
		op := sim.Op{Verb: "io_rsrc_ref_quiesce", Obj: &g.obj, Class: sim.Read, Guard: g}
		if r.has(IORING_SETUP_DEFER_TASKRUN) {
			r.local.want = 1
			op.Obj, op.Class, op.Guard = &r.local.obj, sim.Write, &r.local
		}
		t.Sleep(op, kernel.Interruptible, kernel.MaxScheduleTimeout)
		t.RunTaskWork()
		intr := t.TaskSigpending()
		r.lock(t)
		if r.has(IORING_SETUP_DEFER_TASKRUN) {
			r.runLocalLocked(t)
		}
		if intr && !g.Ready(nil) {
			return kernel.EINTR
		}
	}
	return kernel.OK
}
