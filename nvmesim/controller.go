package nvmesim

import (
	"fmt"
	"strconv"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Controller is the drive: it executes commands on its blocks.
type Controller struct {
	Name string
	irq  string // what its interrupts are called
	// IOMMU translates what the controller accesses.
	IOMMU *hw.IOMMU
	// Answers makes it end a command whose memory cannot be reached with a status, as a
	// drive does. Otherwise that ends the run: it is the driver's mistake.
	Answers bool
	// What it says of itself (Identify). MDTS is the most that a command may transfer, as a
	// power of two of pages, 0 for no limit; SGL says that it can read SGLs; AbortLimit is
	// how many Aborts it takes at once; CRDT are the delays that a status can name, in units
	// of 100 ms.
	MDTS       uint8
	SGL        bool
	AbortLimit int
	CRDT       [3]uint16

	// obj stands for the state of the controller.
	obj    sim.Object
	real   hw.Backend   // nil if there are no real bytes
	queues []*queuePair // by number; 0 is not used
	ns     namespace
	walker walker
	faults []*Fault
	fatal  bool // CSTS.CFS
	gone   bool // from the bus
	off    bool // disabled
	hung   []hung
	spare  []*transfer
	moved  uint64  // bytes
	pools  []*pool // of the driver, which has them mapped as long as it lives
}

// hung is a command that will not be completed by itself.
type hung struct {
	q    *queuePair
	cid  uint16
	deaf bool
}

func newController(t *kernel.Task, name string, size int64) *Controller {
	c := &Controller{Name: name, irq: "irq " + name, IOMMU: hw.NewIOMMU(t.Task, name), AbortLimit: 4, real: hw.BackendOf(t.Task)}
	c.walker.ctrl = c
	c.ns.init(t, name, uint64(size)/LogicalBlock)
	t.Own(&c.obj, "controller", name)
	c.queues = make([]*queuePair, 1)
	return c
}

// addQueue is Create I/O Completion Queue and Create I/O Submission Queue.
func (c *Controller) addQueue(t *kernel.Task, size int, mode Completion) *queuePair {
	q := newQueuePair(t, c, len(c.queues), size, mode)
	c.queues = append(c.queues, q)
	return q
}

// Blocks is what the drive holds in n blocks from an LBA on: at first, bytes of its own.
func (c *Controller) Blocks(lba uint64, n int) hw.Data {
	d := c.ns.read(make(hw.Data, 0, 1), lba, n)
	if c.real != nil {
		return hw.LookMedium(c.real, c.ns.source, lba*LogicalBlock, d)
	}
	return d
}

// Written lists the LBAs that were ever written, in rising order.
func (c *Controller) Written() []uint64 { return c.ns.written() }

// Moved counts the bytes that the drive has transferred, for auditors.
func (c *Controller) Moved() uint64 { return c.moved }

// Mapped counts the pages that are mapped for the drive, but for those that the driver has
// mapped for itself.
func (c *Controller) Mapped() int {
	n := c.IOMMU.Mapped()
	for _, p := range c.pools {
		n -= len(p.blocks)
	}
	return n
}

// transfer is a command on its way through the controller. Transfers are used again.
type transfer struct {
	cmd  Command
	segs []hw.Segment
	data hw.Data
}

// maxTransfer is MDTS in bytes, 0 for no limit.
func (c *Controller) maxTransfer() int {
	if c.MDTS == 0 {
		return 0
	}
	return CtrlPageSize << c.MDTS
}

// accept takes a command from a submission queue: it will be fetched, and from there on is
// on its way by itself.
func (c *Controller) accept(t *kernel.Task, q *queuePair, cmd Command) {
	if c.gone {
		return
	}
	var x *transfer
	if n := len(c.spare); n > 0 {
		x, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		x = &transfer{}
	}
	x.cmd = cmd
	q.busy++
	epoch := q.epoch
	t.Device(c.Name, sim.Op{Verb: "fetch", Obj: &q.obj, Class: submission}, func(t *kernel.Task) {
		if q.epoch == epoch {
			if !c.fatal && !c.gone {
				q.running++
				c.execute(t, q, x)
			} else {
				q.busy--
			}
		}
		c.spare = append(c.spare, x)
	})
}

// execute does what a command says, in three operations: it has been fetched, now its data
// is transferred, and the completion is posted.
func (c *Controller) execute(t *kernel.Task, q *queuePair, x *transfer) {
	f := c.fault(t, &x.cmd)
	if f != nil && (f.What == Crash || f.What == Unplug) {
		c.fail(t, f.What)
		q.leave()
		return
	}
	s := c.check(&x.cmd)
	if s == Success && x.cmd.hasData() {
		x.segs, s = c.walker.walk(t, &x.cmd, x.cmd.Blocks()*LogicalBlock, x.segs[:0])
	}
	if s == Success && (f == nil || f.What == Delay || f.Bytes != 0) {
		bytes := -1
		if f != nil && f.What == Fail {
			bytes = f.Bytes
		}
		s = c.do(t, x, bytes)
	}
	if f != nil && f.What == Fail && s == Success {
		s = f.Status
	}
	if f != nil && f.What == Hang {
		t.Touch(&q.obj, sim.Write)
		q.leave()
		c.hung = append(c.hung, hung{q, x.cmd.CID, f.Deaf})
		return
	}
	op := sim.Op{Verb: "post completion", Obj: &q.obj, Class: submission}
	if q.mode != Apart { // the order of completions is told
		op.Class = sim.Write
	}
	if f != nil && f.What == Delay {
		t.Touch(&q.obj, sim.Write)
		q.late++
		op.Class, op.Guard = sim.Write, &others{q, q.ended + f.After, q.epoch}
	}
	epoch := q.epoch
	t.Step(op)
	if q.epoch != epoch {
		return
	}
	if f != nil && f.What == Delay {
		q.late--
	}
	q.leave()
	if c.gone || c.fatal {
		return
	}
	q.complete(t, &x.cmd, s)
}

// fail stops the controller. It is part of the operation that was granted last.
func (c *Controller) fail(t *kernel.Task, w What) {
	t.Touch(&c.obj, sim.Write)
	for _, q := range c.queues[1:] {
		t.Touch(&q.obj, sim.Write)
	}
	c.fatal, c.gone = c.fatal || w == Crash, c.gone || w == Unplug
}

// leave notes that a command that was fetched is on its way no longer.
func (q *queuePair) leave() {
	q.running--
	q.busy--
}

// complete posts the completion of a command.
func (q *queuePair) complete(t *kernel.Task, cmd *Command, s Status) {
	if s != Success {
		t.Sayf("", "%s of %s: %s", q.ctrl.Name, cmd.Opcode, s)
	}
	q.post(t, cmd.CID, s)
}

// others is the guard of a completion that comes after others.
type others struct {
	q           *queuePair
	want, epoch int
}

// Ready tells whether enough others were completed, or there are none, or the queue has gone.
func (o *others) Ready(*sim.Task) bool {
	return o.q.ended >= o.want || o.q.busy == o.q.late || o.q.epoch != o.epoch
}

// Explain says what is missing.
func (o *others) Explain(*sim.Task) string {
	return fmt.Sprintf("%d more commands have to complete before", o.want-o.q.ended)
}

// check is what is wrong with a command before its data pointer is looked at.
func (c *Controller) check(cmd *Command) Status {
	switch cmd.Opcode {
	case Read, Write, Compare, WriteZeroes:
	case Flush:
		return Success
	default:
		return InvalidOpcode | DNR
	}
	switch {
	case cmd.NSID != 1:
		return InvalidNamespace | DNR
	case cmd.hasData() && c.MDTS != 0 && cmd.Blocks()*LogicalBlock > c.maxTransfer():
		return InvalidField | DNR
	case !c.ns.holds(cmd.SLBA, cmd.Blocks()):
		return LBARange | DNR
	case cmd.Flags&psdtMask != psdtPRP && !c.SGL:
		return InvalidField | DNR
	}
	return Success
}

// do moves the data. If bytes is not negative it stops after so many.
func (c *Controller) do(t *kernel.Task, x *transfer, bytes int) Status {
	cmd, n := &x.cmd, x.cmd.Blocks()
	if bytes >= 0 {
		x.segs = cut(x.segs, bytes)
	}
	switch cmd.Opcode {
	case Flush:
		return Success
	case WriteZeroes:
		c.ns.touch(t, cmd.SLBA, n, sim.Write)
		c.ns.write(cmd.SLBA, hw.Zeroes(n*LogicalBlock))
		c.store(cmd.SLBA, hw.Zeroes(n*LogicalBlock))
		return Success
	case Read:
		c.ns.touch(t, cmd.SLBA, n, sim.Read)
		x.data = c.ns.read(x.data[:0], cmd.SLBA, n)
		if bytes >= 0 {
			x.data = x.data.Slice(0, min(bytes, n*LogicalBlock))
		}
		return c.dma(t, x, hw.FromDevice, c.ns.source)
	}
	medium := c.ns.source
	if cmd.Opcode == Compare || bytes >= 0 {
		medium = "" // that is for store
	}
	if s := c.dma(t, x, hw.ToDevice, medium); s != Success {
		return s
	}
	if cmd.Opcode == Compare {
		c.ns.touch(t, cmd.SLBA, n, sim.Read)
		if !x.data.Equal(c.ns.read(nil, cmd.SLBA, n)) {
			return CompareFailed
		}
		return Success
	}
	if bytes >= 0 {
		x.data = x.data.Slice(0, x.data.Len()/LogicalBlock*LogicalBlock)
		n = x.data.Len() / LogicalBlock
	}
	if n > 0 {
		c.ns.touch(t, cmd.SLBA, n, sim.Write)
		c.ns.write(cmd.SLBA, x.data)
		if medium == "" {
			c.store(cmd.SLBA, x.data)
		}
	}
	return Success
}

// store has the real bytes of blocks follow where no DMA moves them.
func (c *Controller) store(lba uint64, data hw.Data) {
	if c.real != nil {
		c.real.StoreMedium(c.ns.source, lba*LogicalBlock, data)
	}
}

// cut is the first n bytes of segments.
func cut(segs []hw.Segment, n int) []hw.Segment {
	for i, s := range segs {
		if n <= s.Len {
			segs[i].Len = n
			return segs[:i+1]
		}
		n -= s.Len
	}
	return segs
}

// dma transfers the data of a command, as one operation. medium is what it comes from or
// goes to, "" if it only comes to the controller.
func (c *Controller) dma(t *kernel.Task, x *transfer, dir hw.Direction, medium string) Status {
	if t.Tracing() && len(x.segs) > 0 {
		a := x.segs[0].Addr
		t.At("", fmt.Sprintf("%s: DMA at %#x%s", x.cmd.Opcode, uint64(a), c.IOMMU.Describe(a)))
	}
	data, f := c.IOMMU.Transfer(t.Task, hw.Transfer{
		Dir: dir, Segs: x.segs, Data: x.data, Medium: medium, At: x.cmd.SLBA * LogicalBlock,
	})
	if x.data = data; f != nil {
		if !c.Answers {
			f.Fail(t.Task)
		}
		return DataTransferError
	}
	c.moved += uint64(x.data.Len())
	return Success
}

func itoa(n int) string { return strconv.Itoa(n) }
