package nvmesim

import (
	"fmt"
	"slices"

	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Controller is the drive: it executes commands on its blocks.
type Controller struct {
	Name string
	// IOMMU translates what the controller accesses.
	IOMMU *hw.IOMMU

	sq     sim.Object
	media  sim.Object
	blocks map[uint64]*page // those that were touched, by LBA / hw.SectorsPerPage
}

// command is a submission queue entry, with the request that the driver finds by its
// tag.
type command struct {
	dir        hw.Direction
	lba        uint64
	length     int
	prp1, prp2 hw.BusAddr
	rq         *blkmq.Request
}

func (c command) opcode() string {
	if c.dir == hw.FromDevice {
		return "READ"
	}
	return "WRITE"
}

func newController(t *kernel.Task, name string) *Controller {
	c := &Controller{Name: name, IOMMU: hw.NewIOMMU(t.Task, name), blocks: map[uint64]*page{}}
	t.Own(&c.media, "media", name)
	t.Own(&c.sq, "doorbell", name+" doorbell")
	return c
}

// Blocks is what the drive holds in n blocks from an LBA on: at first, bytes of its own.
func (c *Controller) Blocks(lba uint64, n int) hw.Data {
	data := make(hw.Data, 0, 1)
	for n > 0 {
		at := int(lba % hw.SectorsPerPage)
		m := min(n, hw.SectorsPerPage-at)
		if p, ok := c.blocks[lba/hw.SectorsPerPage]; ok {
			data = p.contents.Read(data, at*LogicalBlock, m*LogicalBlock)
		} else {
			data = data.Append(hw.Bytes(c.Name, lba*LogicalBlock, m*LogicalBlock))
		}
		lba += uint64(m)
		n -= m
	}
	return data
}

// write replaces blocks from an LBA on, which were touched.
func (c *Controller) write(lba uint64, data hw.Data) {
	for off, length := 0, data.Len(); off < length; {
		at := int(lba % hw.SectorsPerPage)
		n := min(length-off, (hw.SectorsPerPage-at)*LogicalBlock)
		p := c.blocks[lba/hw.SectorsPerPage]
		p.contents.Write(at*LogicalBlock, data.Slice(off, n))
		for i := range n / LogicalBlock {
			p.written[at+i] = true
		}
		lba += uint64(n / LogicalBlock)
		off += n
	}
}

// page is a range of blocks that was touched.
type page struct {
	obj      sim.Object
	contents hw.Contents
	written  [hw.SectorsPerPage]bool
}

// touch declares an access to the blocks from first on.
func (c *Controller) touch(t *kernel.Task, first uint64, blocks int, class sim.Class) {
	last := (first + uint64(blocks) - 1) / hw.SectorsPerPage
	for n := first / hw.SectorsPerPage; n <= last; n++ {
		p, ok := c.blocks[n]
		if !ok {
			p = &page{}
			t.OwnPart(&p.obj, &c.media, n, "blocks", c.Name+" blocks")
			p.contents.Write(0, hw.Bytes(c.Name, n*hw.PageSize, hw.PageSize))
			c.blocks[n] = p
		}
		t.Touch(&p.obj, class)
	}
}

// submission is the class of what is done to the queues: commands are independent of
// each other, so these operations commute.
const submission = sim.Commute

// submit rings the doorbell: the controller will fetch the command.
func (c *Controller) submit(t *kernel.Task, cmd command) {
	t.Step(sim.Op{Verb: "doorbell", Obj: &c.sq, Class: submission})
	t.Device(c.Name, sim.Op{Verb: "fetch", Obj: &c.sq, Class: submission}, func(t *kernel.Task) { c.execute(t, cmd) })
}

// execute transfers the data and posts the completion.
func (c *Controller) execute(t *kernel.Task, cmd command) {
	segs := walk(cmd.prp1, cmd.prp2, cmd.length)
	n := cmd.length / LogicalBlock
	var data hw.Data
	if cmd.dir == hw.FromDevice {
		c.touch(t, cmd.lba, n, sim.Read)
		data = c.Blocks(cmd.lba, n)
	}
	if t.Tracing() {
		t.At("", fmt.Sprintf("%s: DMA at %#x%s", cmd.opcode(), uint64(cmd.prp1), c.IOMMU.Describe(cmd.prp1)))
	}
	data = c.IOMMU.DMA(t.Task, cmd.dir, segs, data)
	if cmd.dir == hw.ToDevice {
		c.touch(t, cmd.lba, n, sim.Write)
		c.write(cmd.lba, data)
	}
	t.Step(sim.Op{Verb: "post completion", Obj: &c.sq, Class: submission})
	t.Interrupt("irq "+c.Name, func(t *kernel.Task) {
		t.Say("CMP-1", "interrupt: "+cmd.opcode()+" done")
		irq(t, cmd)
	})
}

// Written lists the LBAs that were ever written, in rising order.
func (c *Controller) Written() []uint64 {
	var out []uint64
	for n, p := range c.blocks {
		for i, w := range p.written {
			if w {
				out = append(out, n*hw.SectorsPerPage+uint64(i))
			}
		}
	}
	slices.Sort(out)
	return out
}
