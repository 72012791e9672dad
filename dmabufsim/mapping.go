package dmabufsim

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// SgTable is struct sg_table: what a device can use to reach the buffer. Segments are
// in the order of the buffer.
type SgTable struct {
	Segments []hw.Segment
	// Pages are behind the segments, for traces; importers do not touch them.
	Pages []*hw.Page
	// NoPages says that the kernel has no struct page of the memory: it is a device's
	// (orig_nents is 0).
	NoPages bool

	// of the exporter: what it mapped, if the segments are others
	whole []hw.Segment
}

func (s *SgTable) String() string { return hw.Span(s.Pages) }

// Page is sg_page of an imported table, which is always wrong: there may be none, and a
// kernel with CONFIG_DMABUF_DEBUG hands out tables without any.
func (s *SgTable) Page(t *kernel.Task) *hw.Page {
	t.BUG("sg_page of a table that was imported: bad page pointer (%s)", t.Task)
	return nil
}

// Unaligned tells whether a segment does not begin or end at a page, which the core only
// notes.
func (s *SgTable) Unaligned() bool {
	for _, g := range s.Segments {
		if g.Addr%hw.PageSize != 0 || g.Len%hw.PageSize != 0 {
			return true
		}
	}
	return false
}

// Len is the length of all segments, in bytes.
func (s *SgTable) Len() (n int) {
	for _, g := range s.Segments {
		n += g.Len
	}
	return n
}

// mapped is a table that an importer has.
type mapped struct {
	sgt  *SgTable
	was  []hw.Segment // the segments as they were handed out
	dir  hw.Direction
	made sim.Place
	wait []*Fence // KERNEL fences that had not signalled when it was handed out
	told bool     // of a move since
	// number tells it from all others of the run.
	number int
	twoStages
}

// pinsOnMap tells whether a map call has to pin: for a static importer the buffer must stay.
func (a *Attachment) pinsOnMap() bool { return !a.Dynamic() && a.Buf.Dynamic() }

// Map is dma_buf_map_attachment: the reservation lock is held. A dynamic importer
// waits for the fences itself, after the call, since the call may move the buffer.
func (a *Attachment) Map(t *kernel.Task, dir hw.Direction) (*SgTable, kernel.Errno) {
	t.MightSleep("dma_buf_map_attachment", "")
	t.Use(&a.Mem)
	a.Buf.Resv.AssertHeld(t, "dma_buf_map_attachment")
	if sgt := a.cached.Get(t); sgt != nil {
		if is := a.cachedDir.Get(t); is != dir && is != hw.Bidirectional {
			return nil, kernel.EBUSY
		}
		return a.hand(t, sgt, dir), kernel.OK
	}
	pins := a.pinsOnMap()
	if pins {
		if err := a.pin(t); err != kernel.OK {
			if err == kernel.EBUSY {
				t.Warn("dma_buf_map_attachment: %q cannot be pinned", a.Buf.Name)
			}
			return nil, err
		}
	}
	sgt, err := a.mapWait(t, dir)
	if err != kernel.OK {
		if pins {
			a.unpin(t)
		}
		return nil, err
	}
	if c, ok := a.Buf.ops.(Cacher); ok && c.CacheSgtMapping() && t.K.Profile == kernel.V6_12 {
		a.keep(t, sgt, dir)
	}
	return a.hand(t, sgt, dir), kernel.OK
}

// mapWait is __map_dma_buf, with the wait for what a static importer knows nothing of.
func (a *Attachment) mapWait(t *kernel.Task, dir hw.Direction) (*SgTable, kernel.Errno) {
	sgt, err := a.Buf.ops.MapDmaBuf(t, a, dir)
	switch {
	case err != kernel.OK:
		return nil, err
	case sgt == nil:
		return nil, kernel.ENOMEM
	case !a.Dynamic() && a.Buf.Resv.WaitTimeout(t, UsageKernel, true, kernel.MaxScheduleTimeout) < 0:
		a.Buf.ops.UnmapDmaBuf(t, a, sgt, dir)
		return nil, kernel.ERESTARTSYS
	}
	if sgt.Unaligned() {
		t.Sayf("", "dma_buf_map_attachment: DMA segments of %q are not aligned to pages", a.Buf.Name)
	}
	return sgt, kernel.OK
}

// hand notes that the importer has the table.
func (a *Attachment) hand(t *kernel.Task, sgt *SgTable, dir hw.Direction) *SgTable {
	a.Buf.bus.fences.mappings++
	a.tables = append(a.tables, mapped{number: a.Buf.bus.fences.mappings, sgt: sgt, was: slices.Clone(sgt.Segments), dir: dir, made: t.Place(), wait: a.Buf.Resv.unsignalled(UsageKernel)})
	return sgt
}

// Unmap is dma_buf_unmap_attachment: the reservation lock is held. The table must be as it
// was handed out.
func (a *Attachment) Unmap(t *kernel.Task, sgt *SgTable, dir hw.Direction) {
	t.MightSleep("dma_buf_unmap_attachment", "")
	t.Use(&a.Mem)
	a.Buf.Resv.AssertHeld(t, "dma_buf_unmap_attachment")
	i := slices.IndexFunc(a.tables, func(m mapped) bool { return m.sgt == sgt })
	if i < 0 {
		t.Fail(kernel.DoubleFree, "dma_buf_unmap_attachment of %q, which is not mapped (%s)", a.Buf.Name, t.Task)
	}
	m := a.tables[i]
	if !slices.Equal(m.was, sgt.Segments) {
		t.Fail(sim.Misuse, "dma_buf_unmap_attachment of %q: the table is not as it was handed out (%s)", a.Buf.Name, t.Task)
	}
	if m.dir != dir {
		t.Fail(sim.Misuse, "dma_buf_unmap_attachment of %q with %s; it was mapped with %s (%s)", a.Buf.Name, dir, m.dir, t.Task)
	}
	a.tables = slices.Delete(a.tables, i, i+1)
	if a.cached.Get(t) == sgt {
		return
	}
	a.Buf.ops.UnmapDmaBuf(t, a, sgt, dir)
	if a.pinsOnMap() {
		a.unpin(t)
	}
}

// MapUnlocked is dma_buf_map_attachment_unlocked: takes the reservation lock itself.
func (a *Attachment) MapUnlocked(t *kernel.Task, dir hw.Direction) (*SgTable, kernel.Errno) {
	a.Buf.Resv.Lock(t, nil)
	defer a.Buf.Resv.Unlock(t)
	return a.Map(t, dir)
}

// UnmapUnlocked is dma_buf_unmap_attachment_unlocked: takes the reservation lock
// itself.
func (a *Attachment) UnmapUnlocked(t *kernel.Task, sgt *SgTable, dir hw.Direction) {
	a.Buf.Resv.Lock(t, nil)
	a.Unmap(t, sgt, dir)
	a.Buf.Resv.Unlock(t)
}
