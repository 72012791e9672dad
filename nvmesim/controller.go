package nvmesim

import (
	"fmt"
	"maps"
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
	blocks map[uint64]hw.Stamp // by LBA; others are as the drive was made
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
	c := &Controller{Name: name, IOMMU: hw.NewIOMMU(t.Task, name), blocks: map[uint64]hw.Stamp{}}
	t.Own(&c.sq, "doorbell", name+" doorbell")
	return c
}

// Block is what the drive holds at an LBA.
func (c *Controller) Block(lba uint64) hw.Stamp {
	if s, ok := c.blocks[lba]; ok {
		return s
	}
	return hw.Stamp{Source: c.Name, Block: lba}
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
	data := make([]hw.Stamp, cmd.length/hw.SectorSize)
	if cmd.dir == hw.FromDevice {
		for i := range data {
			data[i] = c.Block(cmd.lba + uint64(i))
		}
	}
	if t.Tracing() {
		t.At("", fmt.Sprintf("%s: DMA at %#x%s", cmd.opcode(), uint64(cmd.prp1), c.IOMMU.Describe(cmd.prp1)))
	}
	c.IOMMU.DMA(t.Task, cmd.dir, segs, data)
	if cmd.dir == hw.ToDevice {
		for i, s := range data {
			c.blocks[cmd.lba+uint64(i)] = s
		}
	}
	t.Step(sim.Op{Verb: "post completion", Obj: &c.sq, Class: submission})
	t.Interrupt("irq "+c.Name, func(t *kernel.Task) {
		t.Say("CMP-1", "interrupt: "+cmd.opcode()+" done")
		irq(t, cmd)
	})
}

// Written lists the LBAs that were ever written, in rising order.
func (c *Controller) Written() []uint64 { return slices.Sorted(maps.Keys(c.blocks)) }
