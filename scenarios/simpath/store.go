package simpath

import (
	"fmt"

	"dmasim/blkmq"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/token/drain"
)

// drive is the name of the disk, and of the origin of its bytes.
const drive = "disk"

// store is the file of a workload.
type store struct {
	file, readOnly *iter.File
	queue          *blkmq.Queue // nil if there is no drive
	mapped         func() int   // pages of the drive's IOMMU
	// bytes is what the file holds. origin is where in the file a byte of the drive is, at
	// the beginning.
	bytes  func() hw.Data
	origin func(at uint64) uint64
}

// newStore makes a file of the size with the given traits.
func newStore(t *kernel.Task, size int64, o *Options, mem *hw.Memory) *store {
	s := &store{origin: func(at uint64) uint64 { return at }, mapped: func() int { return 0 }}
	rw, ro := uint32(iter.FMODE_READ|iter.FMODE_WRITE), uint32(iter.FMODE_READ)
	if o.Design == nil && !(o.Traits.Direct && o.Traits.Strict) {
		f := &pageCache{mem.Alloc(t.Task, "page cache", int(size/hw.PageSize)), size, o.MayBlock}
		hw.Fill(f.pages, drive)
		s.file = &iter.File{Name: "file", Ops: f, Mode: rw | iter.FMODE_NOWAIT}
		s.readOnly = &iter.File{Name: "file", Ops: f, Mode: ro | iter.FMODE_NOWAIT}
		s.bytes = func() hw.Data { return hw.Peek(f.pages, 0, int(size)) }
		return s
	}
	device := size
	var extents []blkmq.Extent
	if o.Traits.ZeroTail && o.Design == nil {
		extents, device = place(size, o.Fragment)
	}
	blocks := s.attach(t, device, o)
	if extents == nil {
		s.file, s.readOnly = s.queue.Open(iter.O_DIRECT), s.queue.Open(iter.O_DIRECT)
		s.readOnly.Mode &^= iter.FMODE_WRITE
		s.bytes = func() hw.Data { return blocks(0, int(size)) }
		return s
	}
	f := &blkmq.RegularFile{Queue: s.queue, Size: size, Extents: extents, MayBlock: o.MayBlock}
	s.file, s.readOnly = f.Open("file", rw), f.Open("file", ro)
	s.bytes = func() (d hw.Data) {
		for _, e := range extents {
			d = hw.Concat(d, blocks(int64(e.Sector)*hw.SectorSize, int(e.Len)))
		}
		return d
	}
	s.origin = func(at uint64) uint64 {
		before := uint64(0)
		for _, e := range extents {
			if first := e.Sector * hw.SectorSize; at >= first && at < first+uint64(e.Len) {
				return before + at - first
			}
			before += uint64(e.Len)
		}
		panic(fmt.Sprintf("simpath: byte %d of the drive is in no extent", at))
	}
	return s
}

// attach makes the drive, and returns how its bytes are looked at.
func (s *store) attach(t *kernel.Task, size int64, o *Options) func(at int64, n int) hw.Data {
	if o.NVMe || o.Design != nil {
		var d token.Design = drain.Design{}
		if o.Design != nil {
			d = o.Design
		}
		var c *nvmesim.Controller
		s.queue, c = nvmesim.NewDisk(t, drive, size, max(o.Tags, 1), d)
		s.mapped = c.Mapped
		return func(at int64, n int) hw.Data { return c.Blocks(uint64(at/hw.SectorSize), n/hw.SectorSize) }
	}
	var d *disk
	s.queue, d = newDisk(t, drive, size, uint32(max(o.Traits.Block, hw.SectorSize)), uint32(max(o.MemAlign, 1)))
	s.mapped = d.iommu.Mapped
	return d.blocks
}

// place puts a file on a device, in pieces of the given length, last piece first, and none where
// the device begins.
func place(size, piece int64) ([]blkmq.Extent, int64) {
	if piece <= 0 {
		piece = size
	}
	var out []blkmq.Extent
	n := (size + piece - 1) / piece
	for i := range n {
		out = append(out, blkmq.Extent{Sector: uint64((n-i)*piece+hw.PageSize) / hw.SectorSize, Len: min(piece, size-i*piece)})
	}
	return out, (n+1)*piece + hw.PageSize
}
