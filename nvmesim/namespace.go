package nvmesim

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// LogicalBlock is the size of a block of the drive, in bytes.
const LogicalBlock = 512

const blocksPerPage = hw.PageSize / LogicalBlock

// namespace is the blocks of a drive. Only what was written costs memory: every other
// block has bytes of its own, named after the drive and its place.
type namespace struct {
	source string
	blocks uint64
	whole  sim.Object
	pages  map[uint64]*page // those that were touched, by LBA / blocksPerPage
}

// page is a range of blocks that was touched.
type page struct {
	obj      sim.Object
	contents *hw.Contents // nil: as at first
	written  uint8        // bit for block
}

func (n *namespace) init(t *kernel.Task, name string, blocks uint64) {
	*n = namespace{source: name, blocks: blocks, pages: map[uint64]*page{}}
	t.Own(&n.whole, "media", name)
}

// holds tells whether n blocks from an LBA on exist.
func (n *namespace) holds(lba uint64, blocks int) bool {
	return lba < n.blocks && uint64(blocks) <= n.blocks-lba
}

// read appends what is in blocks from an LBA on.
func (n *namespace) read(d hw.Data, lba uint64, blocks int) hw.Data {
	for blocks > 0 {
		at := int(lba % blocksPerPage)
		m := min(blocks, blocksPerPage-at)
		if p := n.pages[lba/blocksPerPage]; p != nil && p.contents != nil {
			d = p.contents.Read(d, at*LogicalBlock, m*LogicalBlock)
		} else {
			one := [1]hw.Run{{Source: n.source, Byte: lba * LogicalBlock, Len: uint32(m * LogicalBlock)}}
			d = d.Append(one[:])
		}
		lba += uint64(m)
		blocks -= m
	}
	return d
}

// write replaces blocks from an LBA on, which were touched.
func (n *namespace) write(lba uint64, data hw.Data) {
	for off, length := 0, data.Len(); off < length; {
		at := int(lba % blocksPerPage)
		m := min(length-off, (blocksPerPage-at)*LogicalBlock)
		p := n.pages[lba/blocksPerPage]
		if p.contents == nil {
			p.contents = new(hw.Contents)
			p.contents.Write(0, hw.Bytes(n.source, lba/blocksPerPage*hw.PageSize, hw.PageSize))
		}
		p.contents.Write(at*LogicalBlock, data.Slice(off, m))
		for i := range m / LogicalBlock {
			p.written |= 1 << (at + i)
		}
		lba += uint64(m / LogicalBlock)
		off += m
	}
}

// touch declares an access to the blocks from first on.
func (n *namespace) touch(t *kernel.Task, first uint64, blocks int, class sim.Class) {
	last := (first + uint64(blocks) - 1) / blocksPerPage
	for i := first / blocksPerPage; i <= last; i++ {
		p, ok := n.pages[i]
		if !ok {
			p = &page{}
			t.OwnPart(&p.obj, &n.whole, i, "blocks", n.whole.Name+" blocks")
			n.pages[i] = p
		}
		t.Touch(&p.obj, class)
	}
}

// written lists the LBAs that were ever written, in rising order.
func (n *namespace) written() []uint64 {
	var out []uint64
	for i, p := range n.pages {
		for b := range uint64(blocksPerPage) {
			if p.written>>b&1 != 0 {
				out = append(out, i*blocksPerPage+b)
			}
		}
	}
	slices.Sort(out)
	return out
}
