package blkmq

import (
	"slices"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// What files without O_DIRECT read and write (mm/filemap.c, block/fops.c). Nothing is written back by
// itself, read ahead, or taken out by reclaim, and nobody changes the size of blocks or punches
// holes: so the lock of the inode and that of the invalidation are always free to share.

// bits are those of the sectors that a range of a page has in full, or touches.
func bits(off, n uint64, touched bool) (b uint8) {
	for s := uint64(0); s < pageSectors; s++ {
		from, to := s*sectorSize, (s+1)*sectorSize
		if touched && from < off+n && to > off || !touched && from >= off && to <= off+n {
			b |= 1 << s
		}
	}
	return b
}

// buffered transfers through the cache, a page at a time (IMP-6): the number of bytes, or a
// negative errno if there are none.
func (f Fops) buffered(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if i.Type == iter.ITER_DMA_TOKEN && token.Repaired(t, token.FixRefuseBuffered) {
		return iter.Neg(kernel.EINVAL)
	}
	if i.Type == iter.ITER_DMA_TOKEN {
		t.Mark("IMP-6 buffered")
	}
	write := i.Dir == hw.ToDevice
	if write && k.Nowait() {
		return iter.Neg(kernel.EOPNOTSUPP)
	}
	f.Queue.cache.used = true
	done := int64(0)
	for left := min(i.Count, uint64(f.Queue.Size-k.Pos)); left > 0; {
		pos := uint64(k.Pos + done)
		off := pos % pageSize
		want := min(left, pageSize-off)
		var n uint64
		var err kernel.Errno
		if write {
			n, err = f.Queue.writeFolio(t, i, pos/pageSize, off, want)
		} else {
			n, err = f.Queue.readFolio(t, i, pos/pageSize, off, want, k.Nowait())
		}
		if n == 0 && err == kernel.OK {
			err = kernel.EFAULT
		}
		if err != kernel.OK {
			if done == 0 {
				return iter.Neg(err)
			}
			break
		}
		done += int64(n)
		left -= n
	}
	k.Pos += done
	return done
}

// readFolio is a turn of filemap_read: n bytes of a folio, from off on, go to the iterator. One who
// may not wait takes only what is there; what is up to date needs no lock.
func (q *Queue) readFolio(t *kernel.Task, i *iter.Iter, index, off, n uint64, nowait bool) (uint64, kernel.Errno) {
	c := q.pageCache(t)
	need := bits(off, n, true)
	f := c.find(t, index)
	if f == nil || need&^f.uptodate != 0 {
		if nowait {
			return 0, kernel.EAGAIN
		}
		f = c.locked(t, index, c.obj.Name)
		err := q.fill(t, f, need)
		f.unlock(t)
		if err != kernel.OK {
			return 0, err
		}
	}
	n = i.CopyPageToIter(t, f.page, off, n)
	t.Touch(&c.obj, sim.Read)
	return n, kernel.OK
}

// writeFolio is a turn of iomap_write_iter: n bytes of the iterator go to a folio, from off on.
func (q *Queue) writeFolio(t *kernel.Task, i *iter.Iter, index, off, n uint64) (uint64, kernel.Errno) {
	c := q.pageCache(t)
	f := c.locked(t, index, c.obj.Name)
	defer f.unlock(t)
	if err := q.fill(t, f, bits(off, n, true)&^bits(off, n, false)); err != kernel.OK {
		return 0, err
	}
	n = i.CopyPageFromIterAtomic(t, f.page, off, n)
	t.Touch(&c.obj, sim.Write)
	f.uptodate |= bits(off, n, false)
	f.dirty |= bits(off, n, true)
	return n, kernel.OK
}

// fill reads those sectors of a locked folio that are not up to date.
func (q *Queue) fill(t *kernel.Task, f *folio, need uint8) kernel.Errno {
	if need &^= f.uptodate; need == 0 {
		return kernel.OK
	}
	if err := q.transferPage(t, REQ_OP_READ, f, need); err != kernel.OK {
		return err
	}
	t.Touch(&f.c.obj, sim.Write)
	f.uptodate |= need
	return kernel.OK
}

// beforeDirect is what a direct transfer has to do with pages in the cache (BIO-0): a read has
// what is dirty written first (kiocb_write_and_wait), a write also drops all of them
// (kiocb_invalidate_pages). One who may not wait gives up where either could wait.
func (q *Queue) beforeDirect(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) kernel.Errno {
	c := q.pageCache(t)
	if c == nil {
		return kernel.OK
	}
	t.Touch(&c.obj, sim.Read) // nrpages, without a lock
	if len(c.folios) == 0 {
		return kernel.OK
	}
	pos, n, write := uint64(k.Pos), i.Count, i.Dir == hw.ToDevice
	if k.Nowait() {
		call := "filemap_range_needs_writeback"
		if write {
			call = "filemap_range_has_page"
		}
		t.Step(sim.Op{Verb: call, Obj: &c.obj, Class: sim.Read})
		if in := c.within(pos, n); write && len(in) > 0 || !write && c.needsWriteback(in) {
			return kernel.EAGAIN
		}
		return kernel.OK
	}
	if err := q.writeAndWait(t, c, pos, n); err != kernel.OK || !write {
		return err
	}
	return q.invalidate(t, c, pos, n)
}

// needsWriteback is filemap_range_needs_writeback: a folio that is only being read counts, too, but not
// if nothing is dirty anywhere.
func (c *pageCache) needsWriteback(in []*folio) bool {
	tagged := func(f *folio) bool { return f.dirty != 0 || f.writeback }
	return slices.ContainsFunc(c.folios, tagged) &&
		slices.ContainsFunc(in, func(f *folio) bool { return tagged(f) || f.owner != nil })
}

// writeAndWait is filemap_write_and_wait_range: what is dirty in a range goes to the device, and what is
// on its way there is waited for.
func (q *Queue) writeAndWait(t *kernel.Task, c *pageCache, pos, n uint64) kernel.Errno {
	t.Step(sim.Op{Verb: "filemap_write_and_wait_range", Obj: &c.obj, Class: sim.Read})
	for _, f := range c.within(pos, n) {
		if f.dirty != 0 && f.lock(t) {
			if err := q.writeBack(t, f); err != kernel.OK {
				return err
			}
		} else if f.writeback {
			f.waitWriteback(t)
		}
	}
	return kernel.OK
}

// writeBack writes what is dirty of a locked folio, and unlocks it as soon as that has begun.
func (q *Queue) writeBack(t *kernel.Task, f *folio) kernel.Errno {
	if f.writeback {
		f.waitWriteback(t)
	}
	sectors := f.dirty
	f.unlock(t)
	if sectors == 0 {
		return kernel.OK
	}
	f.dirty, f.writeback = 0, true
	err := q.transferPage(t, REQ_OP_WRITE, f, sectors)
	t.Step(sim.Op{Verb: "folio_end_writeback", Obj: &f.c.obj})
	f.writeback = false
	return err
}

// invalidate is invalidate_inode_pages2_range: the pages of a range are dropped, but for those that have
// become dirty again, and -EBUSY says that there are such.
func (q *Queue) invalidate(t *kernel.Task, c *pageCache, pos, n uint64) kernel.Errno {
	t.Step(sim.Op{Verb: "invalidate_inode_pages2_range", Obj: &c.obj, Class: sim.Read})
	err := kernel.OK
	for _, f := range c.within(pos, n) {
		if !f.lock(t) {
			continue
		}
		if f.writeback {
			f.waitWriteback(t)
		}
		f.unlock(t)
		if f.dirty != 0 {
			err = kernel.EBUSY
			continue
		}
		f.gone = true
		at, _ := c.search(f.index)
		c.folios = slices.Delete(c.folios, at, at+1)
	}
	return err
}

// fallBack is direct_write_fallback: a write that should have been direct goes through the cache, and from
// there to the device. The pages stay in the cache, where the kernel drops those that nobody uses.
func (f Fops) fallBack(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	t.Stress("BIO-0", "pages are dirty again: write through the page cache")
	t.Mark("BIO-0 falls back")
	pos := uint64(k.Pos)
	n := f.buffered(t, k, i)
	if n > 0 {
		if err := f.Queue.writeAndWait(t, f.Queue.pageCache(t), pos, uint64(n)); err != kernel.OK {
			return iter.Neg(err)
		}
	}
	return n
}

// Sync is sync_blockdev: all that is dirty goes to the device.
func (q *Queue) Sync(t *kernel.Task) kernel.Errno {
	if c := q.pageCache(t); c != nil {
		return q.writeAndWait(t, c, 0, uint64(q.Size))
	}
	return kernel.OK
}

// transferPage reads or writes sectors of a page, in one bio for each run of them.
func (q *Queue) transferPage(t *kernel.Task, op Op, f *folio, sectors uint8) kernel.Errno {
	for s := uint32(0); s < pageSectors; s++ {
		if sectors&(1<<s) == 0 {
			continue
		}
		n := uint32(1)
		for s+n < pageSectors && sectors&(1<<(s+n)) != 0 {
			n++
		}
		b := &Bio{Op: op, Vecs: []iter.Bvec{{Pages: f.page, Offset: s * sectorSize, Len: n * sectorSize}}}
		b.Sector, b.Size = f.index*pageSectors+uint64(s), n*sectorSize
		if err := q.submitAndWait(t, b); err != kernel.OK {
			return err
		}
		s += n
	}
	return kernel.OK
}

// submitAndWait is submit_bio_wait.
func (q *Queue) submitAndWait(t *kernel.Task, b *Bio) kernel.Errno {
	var done sim.Object
	t.Own(&done, "completion", "submit_bio_wait")
	over := false
	b.EndIO = func(t *kernel.Task, b *Bio) {
		t.Touch(&done, sim.Write)
		over = true
	}
	b.Flags |= REQ_SYNC
	q.SubmitBio(t, b)
	t.Await("submit_bio_wait", &done, sim.Read, func() bool { return over })
	return b.Status().Errno()
}
