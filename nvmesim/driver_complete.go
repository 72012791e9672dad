package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// handle is nvme_handle_cqe: a completion came, in hardirq context or from a poll. One that
// names no request, or another generation of it, is ignored.
func (d *Driver) handle(t *kernel.Task, q *queuePair, cid uint16, s Status, b *blkmq.Batch) {
	io := d.find(t, q, cid)
	if io == nil {
		d.ignored++
		return
	}
	// nvme_try_complete_req
	rq := io.rq
	io.gen++
	io.status = s
	if s == Success {
		d.answered += uint64(rq.Bytes)
	}
	if rq.Queue().SoftirqDone {
		rq.CompleteRemote(t)
		return
	}
	rq.MarkComplete(t)
	if s == Success && b.Add(rq, kernel.BLK_STS_OK) {
		return
	}
	d.Complete(t, rq)
}

// Answered counts, for auditors, the bytes of those requests of which the drive has said, in time, that it has
// done them. What it does of others is in vain.
func (d *Driver) Answered() uint64 { return d.answered }

// find is nvme_find_rq.
func (d *Driver) find(t *kernel.Task, q *queuePair, cid uint16) *iod {
	iods := d.iods[q.id-1]
	tag, gen := int(cid&(1<<tagBits-1)), uint8(cid>>tagBits)
	if tag >= len(iods) || iods[tag].rq == nil {
		t.Sayf("", "could not locate request for tag %#x", tag)
		return nil
	}
	io := &iods[tag]
	if io.gen&0xf != gen {
		t.Sayf("", "request %#x genctr mismatch (got %#x expected %#x)", tag, gen, io.gen&0xf)
		return nil
	}
	return io
}

// Complete is nvme_pci_complete_rq: the data is unmapped, and then the request is ended or
// tried again.
func (d *Driver) Complete(t *kernel.Task, rq *blkmq.Request) {
	io := d.iod(rq)
	d.finish(t, io, rq)
	if d.disposition(t, io, rq) {
		d.retry(t, io, rq)
		return
	}
	if io.status&statusMask == HostAborted {
		rq.Cancel()
	}
	rq.End(t, io.status.BlkStatus())
}

// completeBatch is nvme_pci_complete_batch.
func (d *Driver) completeBatch(t *kernel.Task, b *blkmq.Batch) {
	for _, rq := range b.Requests() {
		d.finish(t, d.iod(rq), rq)
	}
	b.End(t)
}

// finish is nvme_pci_unmap_rq, CMP-1 for a token.
func (d *Driver) finish(t *kernel.Task, io *iod, rq *blkmq.Request) {
	t.Sayf(rq.Step("CMP-1"), "interrupt: %v done", io.cmd.Opcode)
	if rq.Nsegs == 0 {
		return
	}
	if u := rq.Frag.Use; u != nil {
		d.finishPremapped(t, io, rq)
		u.Token.Complete(t, &rq.Frag)
		return
	}
	d.unmapData(t, io)
}

// maxRetries is the module's parameter max_retries of nvme_core.
const maxRetries = 5

// disposition is nvme_decide_disposition: true if the request is to be tried again.
func (d *Driver) disposition(t *kernel.Task, io *iod, rq *blkmq.Request) bool {
	return io.status&statusMask != Success && io.status&DNR == 0 && rq.Retries < maxRetries &&
		!rq.Op.Passthrough() && !rq.Queue().Dying(t)
}

// retry is nvme_retry_req: the request goes to the requeue list, for as long as the
// controller asks for.
func (d *Driver) retry(t *kernel.Task, io *iod, rq *blkmq.Request) {
	var delay kernel.Jiffies
	if crd := (io.status & CRD) >> crdShift; crd > 0 {
		delay = kernel.Jiffies(d.ctrl.CRDT[crd-1]) * 100 * kernel.HZ / 1000
	}
	rq.Retries++
	t.Sayf(rq.Step("CMP-2"), "%v: retry %d", io.status, rq.Retries)
	t.Mark(rq.Step("CMP-2 retry"))
	rq.RequeueAndKick(t, delay)
}

// BlkStatus is nvme_error_status.
func (s Status) BlkStatus() kernel.BlkStatus {
	switch s & statusMask {
	case Success:
		return kernel.BLK_STS_OK
	case CapExceeded:
		return kernel.BLK_STS_NOSPC
	case LBARange, CommandInterrupted, NamespaceNotReady:
		return kernel.BLK_STS_TARGET
	case ConflictingAttribute, InvalidOpcode, InvalidField, InvalidNamespace:
		return kernel.BLK_STS_NOTSUPP
	case WriteFault, ReadError, Unwritten, AccessDenied, ReadOnlyRange, CompareFailed:
		return kernel.BLK_STS_MEDIUM
	case GuardCheck, AppTagCheck, RefTagCheck, InvalidPI:
		return kernel.BLK_STS_PROTECTION
	case ReservationConflict:
		return kernel.BLK_STS_RESV_CONFLICT
	case HostPathError:
		return kernel.BLK_STS_TRANSPORT
	}
	return kernel.BLK_STS_IOERR
}

// Poll is nvme_poll: completions of a queue that raises no interrupts.
func (d *Driver) Poll(t *kernel.Task, h *blkmq.Hctx) int {
	q := d.queues[h.Num]
	t.Step(sim.Op{Verb: "poll completion queue", Obj: &q.obj})
	return q.reap(t)
}
