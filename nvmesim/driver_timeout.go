package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// recovering is the driver with its timeout handler. A queue without one costs no timer.
type recovering struct{ *Driver }

// Timeout is nvme_timeout: the completion queue is looked at first; then the command is
// aborted; and if that does not help, the controller is reset.
func (d recovering) Timeout(t *kernel.Task, rq *blkmq.Request) blkmq.EH {
	q, io, c := d.queues[rq.Hctx.Num], d.iod(rq), d.ctrl
	t.Touch(&c.obj, sim.Read)
	if c.gone {
		d.changeState(t, NVME_CTRL_DELETING)
	}
	s := d.State(t)
	if s.terminal() || (c.fatal || c.gone) && s != NVME_CTRL_RESETTING && s != NVME_CTRL_CONNECTING {
		return d.timeoutReset(t)
	}
	t.Step(sim.Op{Verb: "poll completion queue", Obj: &q.obj})
	q.reap(t)
	if !rq.InFlight() {
		t.Sayf("", "I/O tag %d timeout, completion polled", rq.Tag())
		return blkmq.BLK_EH_DONE
	}
	switch d.State(t) {
	case NVME_CTRL_CONNECTING, NVME_CTRL_DELETING:
		d.changeState(t, NVME_CTRL_DELETING)
		d.disable(t, true)
		return blkmq.BLK_EH_DONE
	case NVME_CTRL_RESETTING:
		return blkmq.BLK_EH_RESET_TIMER
	}
	if io.aborted {
		t.Sayf("", "I/O tag %d timeout, reset controller", rq.Tag())
		return d.timeoutReset(t)
	}
	t.Touch(&d.obj, sim.Write)
	if d.aborts == 0 {
		return blkmq.BLK_EH_RESET_TIMER
	}
	d.aborts--
	io.aborted = true
	t.Sayf("", "I/O tag %d timeout, aborting", rq.Tag())
	d.abort(t, q, io.cmd.CID)
	return blkmq.BLK_EH_RESET_TIMER
}

// timeoutReset is what nvme_timeout does if nothing else helps.
func (d *Driver) timeoutReset(t *kernel.Task) blkmq.EH {
	if !d.changeState(t, NVME_CTRL_RESETTING) {
		if d.State(t).terminal() {
			d.disable(t, true)
		}
		return blkmq.BLK_EH_DONE
	}
	d.disable(t, false)
	if d.State(t) != NVME_CTRL_RESETTING || !d.resetWq.Queue(t, &d.resetWork) { // nvme_try_sched_reset
		d.unquiesce(t)
	}
	return blkmq.BLK_EH_DONE
}

// abort sends an Abort, on the admin queue, and does not wait for it. Whether it finds its
// command is only noted: that completes by itself, with a status that says so.
func (d *Driver) abort(t *kernel.Task, q *queuePair, cid uint16) {
	c := d.ctrl
	epoch := q.epoch
	t.Device(c.Name+" abort", sim.Op{Verb: "abort", Obj: &q.obj}, func(t *kernel.Task) {
		if q.epoch != epoch || c.fatal || c.gone {
			return
		}
		c.abort(t, q, cid)
		t.Interrupt("irq "+c.Name+" admin", func(t *kernel.Task) {
			t.Touch(&d.obj, sim.Write)
			d.aborts++
		})
	})
}

// abort ends a command that hangs, if it is not deaf to that.
func (c *Controller) abort(t *kernel.Task, q *queuePair, cid uint16) {
	for i, h := range c.hung {
		if h.q == q && h.cid == cid && !h.deaf {
			c.hung = append(c.hung[:i:i], c.hung[i+1:]...)
			q.post(t, cid, AbortRequested)
			return
		}
	}
	t.Sayf("", "the command is not aborted")
}
