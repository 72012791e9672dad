package blkmq

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// RegularFile is a file of a file system on a device, as ext4 and XFS do direct I/O by way of
// fs/iomap/direct-io.c. All its blocks are allocated and were written.
//
// Left out: the page cache, holes, writes past the end, polling.
type RegularFile struct {
	Queue *Queue
	// Size is i_size.
	Size int64
	// Extents are where the file is, in order; what lies behind them is a hole.
	Extents []Extent
	// MayBlock is that the file system cannot do every transfer without blocking: its lock may
	// be taken, or the first write has to note the time. Then a transfer that may not wait
	// gets -EAGAIN, by choice of the strategy.
	MayBlock bool
}

// Extent is a range of a file that is in one piece on the device.
type Extent struct {
	Sector uint64
	Len    int64
}

// Open returns a file with O_DIRECT.
func (f *RegularFile) Open(name string, mode uint32) *iter.File {
	return &iter.File{Name: name, Flags: iter.O_DIRECT, Ops: f, Mode: mode | iter.FMODE_NOWAIT}
}

// ReadIter reads up to the end of the file. Memory for what is behind it gets zeroes.
func (f *RegularFile) ReadIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if i.Count == 0 || k.Pos >= f.Size {
		return 0
	}
	return f.direct(t, k, i)
}

// WriteIter overwrites.
func (f *RegularFile) WriteIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if i.Count > 0 && k.Pos+int64(i.Count) > f.Size {
		t.Fail(sim.Misuse, "a write of %d bytes at %d of %s, which has %d", i.Count, k.Pos, k.File.Name, f.Size)
	}
	if i.Count == 0 {
		return 0
	}
	return f.direct(t, k, i)
}

// extent finds the piece that a position is in: its sector, and how far it goes. Zero length
// is a hole.
func (f *RegularFile) extent(pos int64) (sector uint64, left int64) {
	for _, e := range f.Extents {
		if pos < e.Len {
			return e.Sector + uint64(pos/sectorSize), e.Len - pos
		}
		pos -= e.Len
	}
	return 0, 0
}

// direct is iomap_dio_rw: extent by extent, with one result, which comes as that of the call if
// nothing is in flight at its end.
func (f *RegularFile) direct(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if f.MayBlock && k.Nowait() && t.Choose(2, "would the file system block") == 1 {
		return iter.Neg(kernel.EAGAIN)
	}
	p := Fops{f.Queue}.newDio(t, k, i)
	t.Own(&p.refs, "dio", f.Queue.Name+" dio refs")
	if p.op == REQ_OP_READ {
		p.most = f.Size - k.Pos
	}
	plug := StartPlug(t, 1)
	err := kernel.OK
	for at := k.Pos; i.Count > 0 && err == kernel.OK; {
		had := i.Count
		sector, left := f.extent(at)
		if left == 0 { // iomap_dio_hole_iter
			n := i.Zero(t, i.Count)
			if p.size += int64(n); n < had {
				err = kernel.EFAULT
			}
			break
		}
		err = f.piece(t, p, i, at, sector, uint64(left))
		at += int64(had - i.Count)
	}
	plug.Finish(t)
	p.err = err // iomap_dio_set_error
	t.Touch(&p.refs, sim.Write)
	if p.left == 1 {
		return p.total()
	}
	p.put(t, kernel.BLK_STS_OK)
	return p.result(t)
}

// piece is iomap_dio_bio_iter: what is in one extent, whose offset and length have to be whole
// logical blocks. The bios may wait for tags even if the caller may not.
func (f *RegularFile) piece(t *kernel.Task, p *dio, i *iter.Iter, at int64, sector, left uint64) kernel.Errno {
	l := &f.Queue.Limits
	block := uint64(l.LogicalBlock)
	n := min(i.Count, left)
	switch {
	case (uint64(at)|n)&(block-1) != 0,
		t.K.Profile == kernel.V6_12 && !i.IsAligned(t, uint64(l.DmaAlignment), block-1):
		return kernel.EINVAL
	}
	behind := i.Count - n
	i.Truncate(n)
	defer func() { i.Reexpand(i.Count + behind) }()
	for i.Count > 0 {
		b := p.bio(sector * hw.SectorSize)
		if err := p.pages(t, b, i, i.Npages(t, maxVecs), 0); err != 0 {
			return kernel.Errno(-err)
		}
		sector += b.sectors()
		p.size += int64(b.Size)
		t.Touch(&p.refs, sim.Write)
		p.left++
		f.Queue.SubmitBio(t, b)
	}
	return kernel.OK
}
