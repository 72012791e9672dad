package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// rig is a drive with a buffer in scattered pages, for ordinary requests and for tokens.
type rig struct {
	*Driver
	m     *hw.Memory
	pages []*hw.Page
	array []hw.BusAddr // of the buffer, mapped for good
	tok   *fakeToken
	ended []kernel.BlkStatus
	last  kernel.Jiffies // when the last one ended
}

func newRig(k *kernel.Task, cfg Config, pages int) *rig {
	r := &rig{m: &hw.Memory{Chunk: 1}, tok: &fakeToken{}}
	cfg.Name, cfg.Memory = "nvme0", r.m
	if cfg.Size == 0 {
		cfg.Size = 1 << 30
	}
	if cfg.Depth == 0 {
		cfg.Depth = 4
	}
	r.Driver = NewDrive(k, cfg)
	r.ctrl.Answers = true
	r.pages = r.m.Alloc(k.Task, "buffer", pages)
	hw.Fill(r.pages, "buffer")
	return r
}

// premap maps the buffer for tokens.
func (r *rig) premap(k *kernel.Task) {
	for _, p := range r.pages { // one by one, so that they are not neighbours on the bus
		r.array = append(r.array, r.ctrl.IOMMU.Map(k.Task, []*hw.Page{p}, hw.Bidirectional)[0].Addr)
		r.ctrl.IOMMU.Map(k.Task, []*hw.Page{p}, hw.Bidirectional)
	}
	r.tok.m = &token.Map{Gen: 1}
	r.tok.m.Private.Set(k, &Array{Pages: r.array})
}

// vecs are n bytes of the buffer from off on, a vector for each page.
func (r *rig) vecs(off, n int) (out []iter.Bvec) {
	for n > 0 {
		in := off % hw.PageSize
		m := min(n, hw.PageSize-in)
		out = append(out, iter.Bvec{Pages: r.pages[off/hw.PageSize:][:1], Offset: uint32(in), Len: uint32(m)})
		off += m
		n -= m
	}
	return out
}

// bio transfers n bytes at off of the buffer.
func (r *rig) bio(op blkmq.Op, lba uint64, off, n int) *blkmq.Bio {
	return &blkmq.Bio{Op: op, Vecs: r.vecs(off, n), BvecIter: blkmq.BvecIter{Sector: lba, Size: uint32(n)},
		EndIO: func(k *kernel.Task, b *blkmq.Bio) { r.ended, r.last = append(r.ended, b.Status()), k.K.Jiffies(k) }}
}

// tokenBio is the same transfer through a token.
func (r *rig) tokenBio(op blkmq.Op, lba uint64, off, n int) *blkmq.Bio {
	b := r.bio(op, lba, off, n)
	b.Vecs, b.Use, b.Done = nil, &token.Use{Token: r.tok}, uint32(off)
	b.Flags |= blkmq.REQ_NOMERGE
	return b
}

// request is a started request of the driver's, as if the block layer had made it.
func (r *rig) take(op blkmq.Op, bytes int) (*iod, *blkmq.Request) {
	io := &r.iods[0][0]
	io.bytes = bytes
	io.lists, io.segs, io.small, io.single = io.lists[:0], io.segs[:0], false, false
	return io, &blkmq.Request{Op: op, Bytes: uint32(bytes)}
}

// walked are the segments that the controller finds.
func (r *rig) walked(k *kernel.Task, io *iod) []hw.Segment {
	segs, s := r.ctrl.walker.walk(k, &io.cmd, io.bytes, nil)
	if s != Success {
		k.BUG("the controller says %v", s)
	}
	return segs
}

// buffer is what the buffer holds.
func (r *rig) buffer() hw.Data { return hw.Peek(r.pages, 0, len(r.pages)*hw.PageSize) }

// quiet checks that nothing is left behind: no block of a pool, no tag, no mapping besides
// n pages.
func (r *rig) quiet(k *kernel.Task, n int) {
	if r.small.inUse+r.large.inUse+r.queue.Tags.InUse() != 0 || r.ctrl.Mapped() != n {
		k.Fail(kernel.Leak, "left: %d small, %d large, %d tags, %d pages mapped", r.small.inUse, r.large.inUse, r.queue.Tags.InUse(), r.ctrl.Mapped())
	}
}
