package blkmq

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// pageCache is the struct address_space of a block device: its pages by index, and what is
// true of each. One object stands for all of it.
type pageCache struct {
	obj    sim.Object
	memory hw.Memory
	folios []*folio // by index
	used   bool     // some file goes through it; only then are direct transfers ordered with it
}

// folio is a page of the cache, with a bit for each sector in uptodate and dirty.
type folio struct {
	c         *pageCache
	index     uint64
	page      []*hw.Page
	uptodate  uint8
	dirty     uint8
	writeback bool
	gone      bool // it is not in the cache any more
	owner     *kernel.Task
}

// pageCache is the cache of the device once files use it, nil before.
func (q *Queue) pageCache(t *kernel.Task) *pageCache {
	c := &q.cache
	if !c.used {
		return nil
	}
	if c.obj.Key() == 0 {
		t.OwnPart(&c.obj, &q.refs, 1, "page cache", q.Name+" page cache")
	}
	return c
}

// find is filemap_get_folio, with what is true of the folio then.
func (c *pageCache) find(t *kernel.Task, index uint64) *folio {
	t.Step(sim.Op{Verb: "filemap_get_folio", Obj: &c.obj, Class: sim.Read})
	if at, found := c.search(index); found {
		return c.folios[at]
	}
	return nil
}

func (c *pageCache) search(index uint64) (int, bool) {
	return slices.BinarySearchFunc(c.folios, index, func(f *folio, index uint64) int { return int(f.index) - int(index) })
}

// add is filemap_add_folio of a new folio, which is locked; nil if somebody else has added one.
func (c *pageCache) add(t *kernel.Task, index uint64, name string) *folio {
	t.Step(sim.Op{Verb: "filemap_add_folio", Obj: &c.obj})
	at, found := c.search(index)
	if found {
		t.Did(sim.Read)
		return nil
	}
	f := &folio{c: c, index: index, page: c.memory.Alloc(t.Task, name, 1), owner: t}
	hw.Fill(f.page, "whoever had the page before")
	c.folios = slices.Insert(c.folios, at, f)
	return f
}

// locked is the folio of an index, made if there is none, and locked.
func (c *pageCache) locked(t *kernel.Task, index uint64, name string) *folio {
	for {
		f := c.find(t, index)
		if f == nil {
			f = c.add(t, index, name)
		} else if !f.lock(t) {
			f = nil
		}
		if f != nil {
			return f
		}
	}
}

// within lists the folios that a range of n bytes touches. It reads the cache, in an operation
// that says so.
func (c *pageCache) within(pos, n uint64) []*folio {
	from, _ := c.search(pos / pageSize)
	to, _ := c.search((pos + n + pageSize - 1) / pageSize)
	return slices.Clone(c.folios[from:max(from, to)])
}

// lock is folio_lock: false if the folio is not in the cache any more, and then it is not locked.
func (f *folio) lock(t *kernel.Task) bool {
	t.MightSleep("folio_lock", f.c.obj.Name)
	t.Step(sim.Op{Verb: "folio_lock", Obj: &f.c.obj, Guard: (*unlocked)(f)})
	if f.gone {
		t.Did(sim.Read)
		return false
	}
	f.owner = t
	t.Acquire(&f.c.obj)
	return true
}

// unlock is folio_unlock.
func (f *folio) unlock(t *kernel.Task) {
	t.Step(sim.Op{Verb: "folio_unlock", Obj: &f.c.obj})
	f.owner = nil
	t.Release(&f.c.obj)
}

// waitWriteback is folio_wait_writeback.
func (f *folio) waitWriteback(t *kernel.Task) {
	t.Await("folio_wait_writeback", &f.c.obj, sim.Read, func() bool { return !f.writeback })
}

// unlocked is ready when nobody has the folio's lock.
type unlocked folio

func (f *unlocked) Ready(*sim.Task) bool { return f.owner == nil }

func (f *unlocked) Owners(*sim.Task) []*sim.Task {
	if f.owner == nil {
		return nil
	}
	return []*sim.Task{f.owner.Task}
}
