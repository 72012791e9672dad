package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// recovery is what the driver needs to get a controller going again.
func (d *Driver) initRecovery(t *kernel.Task) {
	t.Own(&d.obj, "nvme_ctrl", d.ctrl.Name)
	d.state = NVME_CTRL_LIVE
	d.aborts = d.ctrl.AbortLimit
	d.on = true
	d.shutdownLock.Init(t, nil, d.ctrl.Name+" shutdown_lock")
	d.resetWq = kernel.AllocWorkqueue(t, "nvme-reset-wq", kernel.WQ_MEM_RECLAIM|kernel.WQ_UNBOUND, 0)
	d.regs.init(t, d.ctrl.Name)
	d.resetWork.Init(t, nil, d.ctrl.Name+" reset_work", d.reset)
}

// disable is nvme_dev_disable: nothing is submitted any more, the controller is stopped, what
// it has completed is dealt with, and all that is in flight is cancelled. By then the
// controller does not reach memory any more.
func (d *Driver) disable(t *kernel.Task, shutdown bool) {
	d.shutdownLock.Lock(t)
	defer d.shutdownLock.Unlock(t)
	if s := d.State(t); (s == NVME_CTRL_LIVE || s == NVME_CTRL_RESETTING) && d.on {
		d.queue.FreezeStart(t)
		d.frozen++
	}
	d.quiesce(t)
	for _, q := range d.queues {
		d.ctrl.stop(t, q)
		q.enabled = false
	}
	d.on = false
	for _, q := range d.queues {
		q.reap(t)
	}
	d.queue.BusyIter(t, d.cancel)
	if shutdown {
		d.unquiesce(t)
	}
}

// quiesce is nvme_quiesce_io_queues. The flag is set before the queue is stopped: who clears it in
// between, which is without shutdownLock, lets go what does not stand still yet.
func (d *Driver) quiesce(t *kernel.Task) {
	t.Touch(&d.obj, sim.Write)
	if d.stopped || d.removed {
		d.queue.WaitQuiesceDone(t)
		return
	}
	d.stopped = !d.stopsFirst
	d.queue.QuiesceNowait(t)
	if d.stopsFirst {
		t.Touch(&d.obj, sim.Write)
		d.stopped = true
	}
	d.queue.WaitQuiesceDone(t)
}

// unquiesce is nvme_unquiesce_io_queues.
func (d *Driver) unquiesce(t *kernel.Task) {
	t.Touch(&d.obj, sim.Write)
	was := d.stopped
	d.stopped = false
	if was && !d.removed {
		d.queue.Unquiesce(t)
	}
}

// cancel is nvme_cancel_request.
func (d *Driver) cancel(t *kernel.Task, rq *blkmq.Request) {
	if !rq.InFlight() {
		return
	}
	d.iod(rq).status = HostAborted
	rq.CompleteRemote(t)
}

// stop deletes the queue, as one operation that waits until no command of it transfers data.
// What was fetched, and not completed, never will be.
func (c *Controller) stop(t *kernel.Task, q *queuePair) {
	t.Step(sim.Op{Verb: "disable controller", Obj: &q.obj, Guard: (*still)(q)})
	q.epoch++
	q.deleted = true
	q.busy, q.running, q.late = 0, 0, 0
	var hung []hung
	for _, h := range c.hung {
		if h.q != q {
			hung = append(hung, h)
		}
	}
	c.hung = hung
}

// still is the guard of a queue's deletion.
type still queuePair

func (q *still) Ready(*sim.Task) bool { return q.running == q.late }

// Explain says what is missing.
func (q *still) Explain(*sim.Task) string { return "commands are being executed" }

// Reset is nvme_reset_ctrl: false if the controller's state does not allow it.
func (d *Driver) Reset(t *kernel.Task) bool {
	return d.changeState(t, NVME_CTRL_RESETTING) && d.resetWq.Queue(t, &d.resetWork)
}

// reset is nvme_reset_work.
func (d *Driver) reset(t *kernel.Task) {
	if d.State(t) == NVME_CTRL_RESETTING && d.restart(t) {
		return
	}
	t.Say("", "disabling device after reset failure")
	d.changeState(t, NVME_CTRL_DELETING)
	d.disable(t, true)
	d.queue.MarkDead(t)
	d.unquiesce(t)
	d.changeState(t, NVME_CTRL_DEAD)
}

// restart gets the controller going: false if that fails.
func (d *Driver) restart(t *kernel.Task) bool {
	c := d.ctrl
	if t.Touch(&d.obj, sim.Read); d.on {
		d.disable(t, false)
	}
	if !d.changeState(t, NVME_CTRL_CONNECTING) {
		return false
	}
	t.Step(sim.Op{Verb: "enable controller", Obj: &c.obj})
	if c.gone {
		return false
	}
	if !d.identify(t) {
		return false
	}
	c.fatal, d.on = false, true
	for _, q := range d.queues { // nvme_setup_io_queues
		t.Step(sim.Op{Verb: "create queue", Obj: &q.obj})
		q.reset()
		q.enabled = true
	}
	d.unquiesce(t)
	d.queue.FreezeWait(t)
	for ; d.frozen > 0; d.frozen-- {
		d.queue.Unfreeze(t)
	}
	return d.changeState(t, NVME_CTRL_LIVE)
}

// identify is what nvme_init_ctrl_finish allocates: the controller is asked anew what it can do.
func (d *Driver) identify(t *kernel.Task) bool {
	if token.Repaired(t, token.FixResetScope) {
		s := t.MemallocNoreclaimSave()
		defer t.MemallocNoreclaimRestore(s)
	}
	return t.MayFail(kernel.GFP_KERNEL, "nvme_id_ctrl") == kernel.OK
}

// Remove is nvme_remove: the controller goes, on purpose or because it is not there any more.
func (d *Driver) Remove(t *kernel.Task) {
	c := d.ctrl
	d.changeState(t, NVME_CTRL_DELETING)
	if t.Touch(&c.obj, sim.Read); c.gone {
		d.changeState(t, NVME_CTRL_DEAD)
		d.disable(t, true)
	}
	d.resetWork.Flush(t)
	t.Step(sim.Op{Verb: "nvme_remove_namespaces", Obj: &d.obj})
	d.unquiesce(t)
	if d.State(t) == NVME_CTRL_DEAD {
		d.queue.MarkDead(t)
	}
	d.changeState(t, NVME_CTRL_DELETING_NOIO)
	d.queue.Remove(t)
	t.Touch(&d.obj, sim.Write)
	d.removed = true
	d.disable(t, true)
	for _, p := range c.pools {
		p.destroy(t)
	}
}
