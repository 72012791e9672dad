package kernel

import "dmasim/sim"

// WQFlags are the flags of alloc_workqueue.
type WQFlags uint16

const (
	// WQ_UNBOUND: workers are bound to no CPU, and max_active counts for the whole system.
	WQ_UNBOUND WQFlags = 1 << iota
	// WQ_PERCPU: items run on the CPU that they were queued on, and max_active counts for
	// each CPU. Until 6.16 that is what a queue without WQ_UNBOUND is.
	WQ_PERCPU
	// WQ_MEM_RECLAIM: the queue has a rescuer.
	WQ_MEM_RECLAIM
	// WQ_HIGHPRI: with workers of high priority, which changes nothing here.
	WQ_HIGHPRI
	// WQ_BH: items run in softirq context.
	WQ_BH

	wqOrdered
	wqSystem
	wqDeprecated // an old name of a system queue
)

// Workqueue is struct workqueue_struct (kernel/workqueue.c). Workers are created when an
// item is due; max_active limits how many items are active. An item is active from when it
// is handed to the workers until its function has returned, sleeping or not. Those above
// the limit become active in the order in which they were queued; active ones may start in
// any order.
//
// A worker that does not sleep does not keep others of its CPU from starting, as it does in
// the kernel for queues that are bound to CPUs.
type Workqueue struct {
	obj       sim.Object
	name      string
	flags     WQFlags
	maxActive int // 0 is the default, see limit
	occupied  int
	dep       lockDep

	items   []*item // queued or running, in the order in which they were queued
	rescued *item   // that the rescuer takes care of

	drainers   int
	destroying bool
}

const (
	// DefaultMaxActive is WQ_DFL_ACTIVE, and DefaultMaxActive6_12 what it was in 6.12.
	DefaultMaxActive     = 1024
	DefaultMaxActive6_12 = 256
	// MaxActive is WQ_MAX_ACTIVE; it was twice the default in 6.12, too.
	MaxActive = 2 * DefaultMaxActive
)

// defaultMaxActive is that of the version.
func (k *Kernel) defaultMaxActive() int {
	if k.DflActive > 0 {
		return k.DflActive
	}
	if k.Profile == V6_12 {
		return DefaultMaxActive6_12
	}
	return DefaultMaxActive
}

// limit is max_active as it counts.
func (wq *Workqueue) limit(t *Task) int {
	d := t.K.defaultMaxActive()
	if wq.maxActive == 0 {
		return d
	}
	return min(wq.maxActive, 2*d)
}

// wqItem is the class in which items come to a queue and leave it while its limit is out
// of reach: none of them can tell the order.
const wqItem = sim.Commute

// workerState is what all queues share.
type workerState struct {
	exhausted bool // see ExhaustWorkers
	short     bool // it was called
	queues    []*Workqueue
}

// AllocWorkqueue is alloc_workqueue: nil if there is no memory. maxActive 0 means
// DefaultMaxActive.
func AllocWorkqueue(t *Task, name string, flags WQFlags, maxActive int) *Workqueue {
	if t.MayFail(GFP_KERNEL, "workqueue") != OK {
		return nil
	}
	if flags&WQ_BH != 0 && maxActive != 0 {
		t.Warn("alloc_workqueue(%s): a BH queue has no max_active", name)
		return nil
	}
	if t.K.Profile >= V7_3 {
		switch flags & (WQ_PERCPU | WQ_UNBOUND) {
		case 0:
			t.Warn("workqueue %s is allocated with neither WQ_PERCPU nor WQ_UNBOUND", name)
		case WQ_PERCPU | WQ_UNBOUND:
			t.Warn("workqueue %s is allocated with both WQ_PERCPU and WQ_UNBOUND", name)
		}
	}
	return newWorkqueue(t, name, flags, maxActive)
}

// AllocOrderedWorkqueue is alloc_ordered_workqueue: one item at a time, in the order in
// which they were queued, on whatever CPU.
func AllocOrderedWorkqueue(t *Task, name string, flags WQFlags) *Workqueue {
	return AllocWorkqueue(t, name, flags|WQ_UNBOUND|wqOrdered, 1)
}

// NewWorkqueue is an unbound queue that cannot fail to be allocated.
func NewWorkqueue(t *Task, name string, maxActive int) *Workqueue {
	return newWorkqueue(t, name, WQ_UNBOUND, maxActive)
}

func newWorkqueue(t *Task, name string, flags WQFlags, maxActive int) *Workqueue {
	wq := &Workqueue{name: name, flags: flags, maxActive: maxActive}
	if maxActive < 0 {
		wq.maxActive = 1
	}
	t.Own(&wq.obj, "workqueue", name)
	t.K.workers.queues = append(t.K.workers.queues, wq)
	return wq
}

// systemWorkqueues makes the queues that everybody shares.
func (k *Kernel) systemWorkqueues(t *Task) {
	all := new([4]Workqueue)
	for i, name := range []string{"events", "events_unbound", "events", "events_unbound"} {
		wq := &all[i]
		*wq = Workqueue{name: name, flags: wqSystem}
		if i < 2 {
			wq.flags |= wqDeprecated
		}
		if i%2 == 0 {
			wq.flags |= WQ_PERCPU
		} else {
			wq.flags |= WQ_UNBOUND
		}
		if i == 0 {
			t.Own(&wq.obj, "workqueue", name)
		} else {
			t.OwnPart(&wq.obj, &all[0].obj, uint64(i), "workqueue", name)
		}
		k.workers.queues = append(k.workers.queues, wq)
	}
	k.SystemWq, k.SystemUnboundWq, k.SystemPercpuWq, k.SystemDflWq = &all[0], &all[1], &all[2], &all[3]
}

// Name is the queue's.
func (wq *Workqueue) Name() string { return wq.name }

// Rescuer tells whether items of the queue run though no worker can be created.
func (wq *Workqueue) Rescuer() bool { return wq.flags&(WQ_MEM_RECLAIM|WQ_BH) != 0 }

// Occupy has n slots of the queue taken by items of others, which do not end, on each CPU
// if they are counted by CPU; a negative n gives slots back. It is part of the operation
// that was granted last.
func (wq *Workqueue) Occupy(t *Task, n int) {
	wq.occupied += n
	wq.resized(t)
}

// SetMaxActive is workqueue_set_max_active, for queues that are not bound to CPUs.
func (wq *Workqueue) SetMaxActive(t *Task, maxActive int) {
	t.Step(sim.Op{Verb: "workqueue_set_max_active", Obj: &wq.obj})
	if wq.flags&WQ_UNBOUND == 0 || wq.flags&wqOrdered != 0 {
		t.Warn("workqueue_set_max_active(%s): the queue is ordered or bound to CPUs", wq.name)
		return
	}
	wq.maxActive = max(maxActive, 1)
	wq.resized(t)
}

// limited tells whether the order in which items come and leave can matter.
func (wq *Workqueue) limited(t *Task) bool {
	return t.K.DflActive > 0 || wq.limit(t)-wq.occupied < t.K.defaultMaxActive() || t.K.withoutWorkers()
}

func (wq *Workqueue) class(t *Task) sim.Class {
	if wq.limited(t) {
		return sim.Write
	}
	return wqItem
}

// completion is the map that running items hold, and that flushing waits for.
func (wq *Workqueue) completion(t *Task) *lockDep {
	if wq.dep.class == nil {
		t.initDep(&wq.dep, &wq.obj, "(wq_completion)"+wq.name)
	}
	return &wq.dep
}
