package blkmq

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// maxVecs is BIO_MAX_VECS.
const maxVecs = 256

// direct is blkdev_direct_IO: the number of bytes or a negative errno, or -EIOCBQUEUED if
// the kiocb has a completion. What is too much for one bio is transferred by several.
func (f Fops) direct(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	l := &f.Queue.Limits
	switch {
	case i.Count == 0:
		return 0
	case (uint64(k.Pos)|i.Count)&uint64(l.LogicalBlock-1) != 0,
		t.K.Profile == kernel.V6_12 && !i.IsAligned(t, uint64(l.DmaAlignment), uint64(l.LogicalBlock-1)):
		markIter(t, i, "BIO-0 not in blocks")
		return iter.Neg(kernel.EINVAL)
	}
	vecs := 0 // vectors in place need none (bio_iov_vecs_to_alloc)
	if i.Type != iter.ITER_BVEC {
		vecs = i.Npages(t, maxVecs+1)
	}
	switch {
	case vecs > maxVecs && k.Flags&iter.IOCB_ATOMIC != 0:
		return iter.Neg(kernel.EINVAL)
	case vecs > maxVecs:
		return f.many(t, k, i)
	}
	return f.one(t, k, i, vecs)
}

// one is __blkdev_direct_IO_simple of a synchronous kiocb, and __blkdev_direct_IO_async of
// any other (BIO-1). The latter leaves alignment to the splitter.
func (f Fops) one(t *kernel.Task, k *iter.Kiocb, i *iter.Iter, vecs int) int64 {
	p := f.newDio(t, k, i)
	b := p.bio(uint64(k.Pos))
	switch {
	case i.Type == iter.ITER_DMA_TOKEN && !k.Sync():
		t.Mark("BIO-1")
		b.Use, b.Done, b.Size = i.Use, uint32(i.Offset), uint32(i.Count)
		b.Flags |= REQ_NOMERGE
	case i.Type == iter.ITER_BVEC && !k.Sync():
		p.place(b, i) // and the iterator stays where it is
	default:
		mask := uint32(0)
		if k.Sync() {
			mask = f.Queue.Limits.DmaAlignment
		}
		if err := p.pages(t, b, i, vecs, mask); err != 0 {
			return err
		}
	}
	p.size = int64(b.Size)
	if k.Flags&iter.IOCB_ATOMIC != 0 {
		b.Flags |= REQ_ATOMIC
	}
	if k.Nowait() {
		b.Flags |= REQ_NOWAIT
	}
	if k.Flags&iter.IOCB_HIPRI != 0 && (b.Use == nil || !token.Repaired(t, token.FixNoPolling)) {
		b.Flags |= REQ_POLLED
	}
	f.Queue.SubmitBio(t, b)
	if b.Flags&REQ_POLLED != 0 {
		k.Private = b
	}
	return p.result(t)
}

// many is __blkdev_direct_IO: bios that share one result, the first error if there is one.
func (f Fops) many(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	p := f.newDio(t, k, i)
	t.Own(&p.refs, "dio", f.Queue.Name+" dio refs")
	plug := StartPlug(t, 1)
	for at := uint64(k.Pos); i.Count > 0; {
		b := p.bio(at)
		if err := p.pages(t, b, i, i.Npages(t, maxVecs), f.Queue.Limits.DmaAlignment); err != 0 {
			if p.left == 1 && p.size == 0 && err == iter.Neg(kernel.EINVAL) {
				plug.Finish(t)
				return err
			}
			p.left++
			p.put(t, kernel.BLK_STS_IOERR)
			break
		}
		if k.Nowait() {
			if i.Count > 0 { // one of several might not get through: a caller that may wait is to do it
				b.release(t)
				plug.Finish(t)
				return iter.Neg(kernel.EAGAIN)
			}
			b.Flags |= REQ_NOWAIT
		}
		p.size += int64(b.Size)
		at += uint64(b.Size)
		t.Touch(&p.refs, sim.Write)
		p.left++
		f.Queue.SubmitBio(t, b)
	}
	plug.Finish(t)
	p.put(t, kernel.BLK_STS_OK)
	return p.result(t)
}

// dio is struct blkdev_dio: what the bios of one call share.
type dio struct {
	f    Fops
	k    *iter.Kiocb
	op   Op
	mm   *iter.Mm // of pinned pages, nil if none are
	size int64
	most int64        // what can be told to have been read, 0 for any amount
	err  kernel.Errno // of the submission

	left   int // bios and the submitter, see many
	refs   sim.Object
	status kernel.BlkStatus

	wait sim.Object // of a synchronous call
	over bool
	res  int64
}

func (f Fops) newDio(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) *dio {
	p := &dio{f: f, k: k, op: OpFor(i.Dir), left: 1}
	if i.WillPin() {
		p.mm = i.Mm()
	}
	if k.Sync() {
		t.Own(&p.wait, "dio", f.Queue.Name+" dio")
	}
	return p
}

func (p *dio) bio(at uint64) *Bio {
	b := &Bio{Op: p.op}
	b.Sector = at / sectorSize
	if p.op == REQ_OP_WRITE {
		if b.Flags |= REQ_SYNC; p.k.Flags&iter.IOCB_DSYNC != 0 {
			b.Flags |= REQ_FUA
		}
	}
	b.EndIO = func(t *kernel.Task, b *Bio) {
		b.release(t)
		p.put(t, b.Status())
	}
	return b
}

// place is bio_iov_bvec_set: the iterator's vectors are the bio's.
func (p *dio) place(b *Bio, i *iter.Iter) {
	v, off := i.Vectors()
	n := 0
	for have := uint64(0); have < off+i.Count; n++ {
		have += uint64(v[n].Len)
	}
	b.Vecs, b.Done, b.Size = v[:n], uint32(off), uint32(i.Count)
}

// pages is bio_iov_iter_get_pages: fills a bio that has room for so many vectors, by whole
// logical blocks. An address that has a bit of the mask is refused.
func (p *dio) pages(t *kernel.Task, b *Bio, i *iter.Iter, room int, mask uint32) int64 {
	if i.Type == iter.ITER_BVEC {
		if v, off := i.Vectors(); uint32(off+uint64(v[0].Offset))&mask != 0 {
			return iter.Neg(kernel.EINVAL)
		}
		p.place(b, i)
		i.Advance(uint64(b.Size))
		return 0
	}
	block := p.f.Queue.Limits.LogicalBlock
	b.mm = p.mm
	var err int64
	for i.Count > 0 && len(b.Vecs) < max(room, 1) {
		had := len(b.Vecs)
		v, n := i.ExtractBvecs(t, b.Vecs, max(room, 1), uint64(mask), 0)
		if n <= 0 {
			err = n
			break
		}
		for _, x := range v[had:] {
			b.pinned = append(b.pinned, x.Pages...)
		}
		b.Vecs = v
		b.Size += uint32(n)
		if t.K.Profile == kernel.V6_12 && uint32(n)%block != 0 { // by vectors, not by bios
			i.Revert(t, uint64(uint32(n)%block))
			b.trim(uint32(n) % block)
		}
		if mask = 0; b.Size == 0 {
			err = iter.Neg(kernel.EFAULT)
			break
		}
	}
	if rest := b.Size % block; rest != 0 {
		i.Revert(t, uint64(rest))
		b.trim(rest)
	}
	if b.Size == 0 {
		b.release(t)
		if err == 0 {
			err = iter.Neg(kernel.EINVAL)
		}
		return err
	}
	return 0
}

// trim takes n bytes from the end of a bio that nobody has seen.
func (b *Bio) trim(n uint32) {
	b.Size -= n
	for n > 0 {
		v := &b.Vecs[len(b.Vecs)-1]
		m := min(n, v.Len)
		v.Len -= m
		if n -= m; v.Len == 0 {
			b.Vecs = b.Vecs[:len(b.Vecs)-1]
		}
	}
}

// release is bio_release_pages.
func (b *Bio) release(t *kernel.Task) {
	if b.mm != nil && len(b.pinned) > 0 {
		b.mm.Unpin(t, b.pinned...)
		b.pinned = nil
	}
}

// pins is what a bio has to give back to an address space.
type pins struct {
	mm     *iter.Mm
	pinned []*hw.Page
}

// put is blkdev_bio_end_io: the last one brings the result to the completion, or to the task
// that waits for it. A position is moved on success.
func (p *dio) put(t *kernel.Task, s kernel.BlkStatus) {
	shared := p.refs.Key() != 0
	if shared {
		t.Touch(&p.refs, sim.Write)
		t.Release(&p.refs) // atomic_dec_and_test orders, too
	}
	if p.status == kernel.BLK_STS_OK {
		p.status = s
	}
	if p.left--; p.left > 0 {
		return
	}
	if shared {
		t.Acquire(&p.refs)
	}
	res := p.total()
	if !p.k.Sync() {
		p.k.Private = nil
		if res >= 0 {
			p.k.Pos += res
		}
		p.k.Complete(t, res)
		return
	}
	t.Touch(&p.wait, sim.Write)
	t.Release(&p.wait)
	p.over, p.res = true, res
}

// total is the result when all is done.
func (p *dio) total() int64 {
	if e := p.status.Errno(); e != kernel.OK {
		return iter.Neg(e)
	}
	if p.err != kernel.OK {
		return iter.Neg(p.err)
	}
	if p.most > 0 {
		return min(p.size, p.most)
	}
	return p.size
}

func (p *dio) result(t *kernel.Task) int64 {
	if !p.k.Sync() {
		return iter.Neg(kernel.EIOCBQUEUED)
	}
	t.MightSleep("blk_io_schedule", "")
	t.Step(sim.Op{Verb: "blk_io_schedule", Obj: &p.wait, Class: sim.Read, Guard: &transferred{p, listsOf(t)}})
	t.Acquire(&p.wait)
	return p.res
}

// transferred is the guard of a synchronous transfer.
type transferred struct {
	*dio
	of *bioLists
}

func (w *transferred) Ready(*sim.Task) bool { return w.over }

// Explain says that the transfer was not even begun, if it was not.
func (w *transferred) Explain(*sim.Task) string {
	if w.of.active && len(w.of.now) > 0 {
		return "its bio is on the list of a submission that is not over"
	}
	return ""
}
