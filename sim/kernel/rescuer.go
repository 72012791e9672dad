package kernel

import "dmasim/sim"

// ExhaustWorkers says whether no worker can be created, for want of memory. Items that have
// not started do not run then, unless their queue has WQ_MEM_RECLAIM: its rescuer runs them
// one after the other, in the order in which they were queued.
//
// That idle workers may be left, which would take an item or two, is not modelled: a queue
// without a rescuer can rely on none.
func (t *Task) ExhaustWorkers(on bool) {
	k := t.K
	verb := "memory is exhausted"
	if !on {
		verb = available
	}
	t.Step(sim.Op{Verb: verb, Obj: &k.SystemWq.obj})
	k.workers.exhausted, k.workers.short = on, true
	for _, wq := range k.workers.queues {
		wq.resized(t)
	}
}

// available is the verb of the operation that ends it.
const available = "memory is available"

// withoutWorkers tells whether no worker can be created. Exhaust takes effect on a queue when
// something happens to it next.
func (k *Kernel) withoutWorkers() bool { return k.workers.exhausted || k.exhausted }

// NoMemory tells whether memory is exhausted, as ExhaustWorkers says, which was then called in
// set-up. It belongs to the operation that was granted last.
func (t *Task) NoMemory() bool {
	k := t.K
	if !k.workers.short {
		return k.exhausted
	}
	t.Touch(&k.SystemWq.obj, sim.Read)
	return k.withoutWorkers()
}

// rescue has the rescuer take the first active item that has not started, if it is idle.
// One whose work is still running is left to that worker.
func (wq *Workqueue) rescue() {
	if wq.flags&WQ_MEM_RECLAIM == 0 || wq.rescued != nil {
		return
	}
	for _, it := range wq.items {
		if it.active && !it.started && it.elsewhere() == nil {
			wq.rescued = it
			return
		}
	}
}
