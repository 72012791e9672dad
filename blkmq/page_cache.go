package blkmq

import (
	"slices"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// pageCache is the page cache of a block device: what files without O_DIRECT read and write
// (mm/filemap.c, block/fops.c). One lock stands for those of the folios and of the inode;
// nothing is written back by itself, read ahead, or taken out by reclaim. Who may not wait still waits
// for that lock, where the kernel would say -EAGAIN.
type pageCache struct {
	lock   kernel.Mutex
	memory hw.Memory
	pages  kernel.Field[[]*cachePage] // by index
	inited bool                       //dmasim:private the model's own: the inode has the lock from the start
}

// cachePage is a page of the cache, with a bit for each sector in it.
type cachePage struct {
	index    uint64
	page     []*hw.Page
	uptodate uint8
	dirty    uint8
}

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
	c := f.Queue.pageCache(t)
	c.lock.Lock(t)
	defer c.lock.Unlock(t)
	done := int64(0)
	for left := min(i.Count, uint64(f.Queue.Size-k.Pos)); left > 0; {
		pos := uint64(k.Pos + done)
		off := pos % pageSize
		n := min(left, pageSize-off)
		p, err := f.Queue.cached(t, c, pos/pageSize, off, n, write, k.Nowait())
		if err != kernel.OK {
			if done == 0 {
				return iter.Neg(err)
			}
			break
		}
		if write {
			n = i.CopyPageFromIterAtomic(t, p.page, off, n)
			p.uptodate |= bits(off, n, false)
			p.dirty |= bits(off, n, true)
		} else {
			n = i.CopyPageToIter(t, p.page, off, n)
		}
		if n == 0 {
			if done == 0 {
				return iter.Neg(kernel.EFAULT)
			}
			break
		}
		done += int64(n)
		left -= n
	}
	k.Pos += done
	return done
}

func (q *Queue) pageCache(t *kernel.Task) *pageCache {
	if c := &q.cache; !c.inited {
		c.inited = true
		c.lock.Init(t, nil, q.Name+" page cache")
	}
	return &q.cache
}

// cached is the page of an index, with the sectors in it that a transfer of n bytes from off on
// needs: all that it touches for a read, and for a write those that it does not cover.
func (q *Queue) cached(t *kernel.Task, c *pageCache, index, off, n uint64, write, nowait bool) (*cachePage, kernel.Errno) {
	pages := c.pages.Get(t)
	at, found := slices.BinarySearchFunc(pages, index, func(p *cachePage, index uint64) int { return int(p.index) - int(index) })
	if !found {
		p := &cachePage{index: index, page: c.memory.Alloc(t.Task, q.Name+" page cache", 1)}
		hw.Fill(p.page, "whoever had the page before")
		pages = slices.Insert(pages, at, p)
		c.pages.Set(t, pages)
	}
	p := pages[at]
	need := bits(off, n, true)
	if write {
		need &^= bits(off, n, false)
	}
	if need &^= p.uptodate; need == 0 {
		return p, kernel.OK
	}
	if nowait {
		return nil, kernel.EAGAIN
	}
	if err := q.transferPage(t, REQ_OP_READ, p, need); err != kernel.OK {
		return nil, err
	}
	p.uptodate |= need
	return p, kernel.OK
}

// writeAndWait is filemap_write_and_wait_range: what is dirty in a range goes to the device
// (BIO-0). With drop it is also taken out of the cache.
func (q *Queue) writeAndWait(t *kernel.Task, pos, n uint64, drop, nowait bool) kernel.Errno {
	c := &q.cache
	if len(c.pages.Racy(t)) == 0 { // mapping_needs_writeback, which takes no lock
		return kernel.OK
	}
	c.lock.Lock(t)
	defer c.lock.Unlock(t)
	var keep []*cachePage
	for _, p := range c.pages.Get(t) {
		if (p.index+1)*pageSize <= pos || p.index*pageSize >= pos+n {
			keep = append(keep, p)
			continue
		}
		if nowait && (drop || p.dirty != 0) {
			return kernel.EAGAIN
		}
		if p.dirty != 0 {
			if err := q.transferPage(t, REQ_OP_WRITE, p, p.dirty); err != kernel.OK {
				return err
			}
			p.dirty = 0
		}
		if !drop {
			keep = append(keep, p)
		}
	}
	c.pages.Set(t, keep)
	return kernel.OK
}

// Sync is sync_blockdev: all that is dirty goes to the device.
func (q *Queue) Sync(t *kernel.Task) kernel.Errno {
	return q.writeAndWait(t, 0, uint64(q.Size), false, false)
}

// transferPage reads or writes sectors of a page, in one bio for each run of them.
func (q *Queue) transferPage(t *kernel.Task, op Op, p *cachePage, sectors uint8) kernel.Errno {
	for s := uint32(0); s < pageSectors; s++ {
		if sectors&(1<<s) == 0 {
			continue
		}
		n := uint32(1)
		for s+n < pageSectors && sectors&(1<<(s+n)) != 0 {
			n++
		}
		b := &Bio{Op: op, Vecs: []iter.Bvec{{Pages: p.page, Offset: s * sectorSize, Len: n * sectorSize}}}
		b.Sector, b.Size = p.index*pageSectors+uint64(s), n*sectorSize
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
