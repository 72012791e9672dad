package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// RestorePolicy is what the restoring of preempted queues can be like.
type RestorePolicy struct {
	// Collect is the usage class of the fences that the worker waits for. amdkfd takes KERNEL.
	Collect Usage
	// DropLocks has it give up all locks to wait, and begin again; else it waits with the locks
	// of all buffers held.
	DropLocks bool
	// Place is where it validates the buffers to.
	Place Placement
	// Delay is how long after an eviction it starts.
	Delay kernel.Jiffies
}

// RestorePreset is a policy with a name.
type RestorePreset struct {
	Name, Doc string
	RestorePolicy
}

// RestorePresets lists what such workers do, and what they have been proposed to do.
func RestorePresets() []RestorePreset {
	return []RestorePreset{
		{"restore-kernel", "waits for KERNEL fences with the locks of all buffers held (amdkfd)", RestorePolicy{Collect: UsageKernel}},
		{"restore-implicit", "the same for what implicit synchronisation asks for", RestorePolicy{Collect: UsageRead}},
		{"restore-everything", "the same for all fences", RestorePolicy{Collect: UsageBookkeep}},
		{"restore-dropping", "drops all locks to wait for all fences, and begins again", RestorePolicy{Collect: UsageBookkeep, DropLocks: true}},
	}
}

// UserQueue is a process whose queues run on the device without submissions, as those of amdkfd
// and xe do. In place of job fences each of its buffers has an eviction fence, BOOKKEEP: whoever
// waits for that one has the queues preempted. After a while a worker restores them.
type UserQueue struct {
	gpu *GPU
	p   RestorePolicy
	bos []*BufferObject

	obj     sim.Object
	running bool
	stopped bool
	fence   *gpuFence
	seqno   uint64
	context uint64
	ops     FenceOps
	evict   kernel.Work
	restore kernel.DelayedWork
}

// NewUserQueue starts queues that use the buffers.
func (g *GPU) NewUserQueue(t *kernel.Task, p RestorePolicy, bos ...*BufferObject) *UserQueue {
	q := &UserQueue{gpu: g, p: p, bos: bos, context: FenceContextAlloc(t, 1)}
	t.Own(&q.obj, "user queue", g.Name+".queue")
	name := func(*Fence) string { return g.Name + " eviction" }
	q.ops = FenceOps{DriverName: name, TimelineName: name, EnableSignaling: q.preempted}
	g.queue(t)
	g.restoreQueue(t)
	q.evict.Init(t, nil, "evict_process_worker", q.evicting)
	q.restore.Init(t, nil, "restore_process_worker", q.restoring)
	for _, b := range bos {
		b.queues = append(b.queues, q)
	}
	q.restoring(t)
	return q
}

// preempted is enable_signaling of the eviction fence: somebody waits for it.
func (q *UserQueue) preempted(t *kernel.Task, _ *Fence) bool {
	q.gpu.queue(t).Queue(t, &q.evict)
	return true
}

// evicting stops the queues, and tells that they are.
func (q *UserQueue) evicting(t *kernel.Task) {
	q.halt(t)
	t.Touch(&q.obj, sim.Read)
	if !q.stopped {
		q.gpu.restoreQueue(t).QueueDelayed(t, &q.restore, q.p.Delay)
	}
}

// restoreQueue is kfd_restore_wq, which is ordered and has no rescuer: no fence waits for it.
func (g *GPU) restoreQueue(t *kernel.Task) *kernel.Workqueue {
	if g.restores == nil {
		g.restores = kernel.AllocOrderedWorkqueue(t, "kfd_restore_wq", 0)
	}
	return g.restores
}

func (q *UserQueue) halt(t *kernel.Task) {
	cookie := BeginSignalling(t)
	t.At("", "preempt the user queues")
	t.Step(sim.Op{Verb: "preempt", Obj: &q.obj})
	q.running = false
	f := q.fence
	q.fence = nil
	if f != nil {
		t.At("", "signal the eviction fence")
		f.Signal(t)
		f.Put(t)
	}
	EndSignalling(t, cookie)
}

// restoring is restore_process_worker: it takes the locks of all buffers under one acquire
// context, brings them back, waits for what is going on, updates the page tables, and lets the
// queues run again, with an eviction fence of their own.
func (q *UserQueue) restoring(t *kernel.Task) {
	f := &gpuFence{}
	if t.Alloc(kernel.GFP_KERNEL, &f.Mem, "eviction fence") != kernel.OK {
		q.gpu.restoreQueue(t).QueueDelayed(t, &q.restore, q.p.Delay)
		return
	}
	q.seqno++
	f.InitOps(t, &f.Mem, &q.ops, nil, q.context, q.seqno)
	ctx := resvClass(t).AcquireInit(t)
	for {
		q.lockAll(t, ctx)
		var busy []*Fence
		for _, b := range q.bos {
			b.Validate(t, q.p.Place) // where there is no room the buffer stays where it is
			busy = append(busy, b.Buf.Resv.fencesOf(t, q.p.Collect)...)
		}
		if q.p.DropLocks && len(busy) > 0 {
			q.unlockAll(t)
			waitAll(t, busy)
			continue
		}
		waitAll(t, busy)
		break
	}
	for _, b := range q.bos {
		if b.Buf.Resv.ReserveFences(t, 1) != kernel.OK { // later, then
			q.unlockAll(t)
			ctx.Fini(t)
			f.Put(t)
			q.gpu.restoreQueue(t).QueueDelayed(t, &q.restore, q.p.Delay)
			return
		}
	}
	t.At("", "update page tables, resume the user queues")
	t.Step(sim.Op{Verb: "resume", Obj: &q.obj})
	for _, b := range q.bos {
		b.Buf.Resv.AddFence(t, &f.Fence, UsageBookkeep)
		b.own = append(b.own, f.Get(t))
	}
	q.fence, q.running = f, true
	q.unlockAll(t)
	ctx.Fini(t)
}

func waitAll(t *kernel.Task, fences []*Fence) {
	for _, f := range fences {
		f.Wait(t)
		f.Put(t)
	}
}

// lockAll is drm_exec_lock_obj of all buffers: whoever has to back off gives up all locks, and
// takes first the one that it could not get.
func (q *UserQueue) lockAll(t *kernel.Task, ctx *kernel.AcquireCtx) {
	var contended *BufferObject
retry:
	if contended != nil {
		contended.Buf.Resv.LockSlow(t, ctx)
	}
	for i, b := range q.bos {
		if b == contended || b.Buf.Resv.Lock(t, ctx) == kernel.OK {
			continue
		}
		for j, c := range q.bos {
			if j < i || c == contended {
				c.Buf.Resv.Unlock(t)
			}
		}
		contended = b
		goto retry
	}
}

func (q *UserQueue) unlockAll(t *kernel.Task) {
	for _, b := range q.bos {
		b.Buf.Resv.Unlock(t)
	}
}

// Running tells whether the queues run, for tests.
func (q *UserQueue) Running() bool { return q.running }

// Destroy ends the process: its queues stop for good.
func (q *UserQueue) Destroy(t *kernel.Task) {
	t.Step(sim.Op{Verb: "destroy queues", Obj: &q.obj})
	q.stopped = true
	q.restore.CancelSync(t)
	q.evict.CancelSync(t)
	q.halt(t)
}
