package hw

import "dmasim/sim"

// slots takes slots of RAM for pages and copies contents into them, whatever the
// direction: a device may write less than all, and what it leaves must not be lost.
func (u *IOMMU) slots(t *sim.Task, pages []*Page) []*Page {
	m := u.cfg.Memory
	chunk := m.Chunk
	m.Chunk = 0 // a slot is contiguous
	out := m.Alloc(t, u.device+" bounce", len(pages))
	m.Chunk = chunk
	for i, p := range pages {
		t.Touch(&p.obj, sim.Read)
		t.Touch(&out[i].obj, sim.Write)
		out[i].copyFrom(p)
	}
	return out
}

// SyncForDevice is dma_sync_single_for_device: what the CPU has written becomes visible
// to the device. Without bouncing memory is coherent, and it does nothing; else it is one
// operation, and until then the device reads what was there when the range was mapped or
// synced last.
func (u *IOMMU) SyncForDevice(t *sim.Task, a BusAddr, n int, dir Direction) {
	u.sync(t, ToDevice, a, n, dir)
}

// SyncForCPU is dma_sync_single_for_cpu: what the device has written becomes visible to
// the CPU, see SyncForDevice.
func (u *IOMMU) SyncForCPU(t *sim.Task, a BusAddr, n int, dir Direction) {
	u.sync(t, FromDevice, a, n, dir)
}

func (u *IOMMU) sync(t *sim.Task, way Direction, a BusAddr, n int, dir Direction) {
	if !u.cfg.Bounce {
		return
	}
	t.Step(sim.Op{Verb: "dma sync", Obj: &u.obj, Class: sim.Read})
	for n > 0 {
		in := int(a % PageSize)
		k := min(n, PageSize-in)
		m := u.mapped(a)
		if m == nil {
			t.FailWith(sim.Misuse, u.History(a), "sync of bus address %#x of %s, which is not mapped", uint64(a), u.device)
		}
		if m.dir != dir && m.dir != Bidirectional {
			t.Fail(sim.Misuse, "sync of bus address %#x of %s %s; it was mapped %s", uint64(a), u.device, dir, m.dir)
		}
		if m.home != nil {
			u.bounce(t, m, way, dir, in, k)
		}
		a += BusAddr(k)
		n -= k
	}
}

// bounce copies a part of a slot one way, if the direction of the transfers asks for it.
// The page may have changed hands: then its new owner's data is what is copied, or what
// is overwritten.
func (u *IOMMU) bounce(t *sim.Task, m *mapping, way, dir Direction, off, n int) {
	if dir != way && dir != Bidirectional {
		return
	}
	from, to := m.page, m.home
	if way == ToDevice {
		from, to = to, from
	}
	t.Touch(&from.obj, sim.Read)
	t.Touch(&to.obj, sim.Write)
	if m.home.gen != m.homeGen {
		t.Fail(StaleDMA, "a bounce buffer of %s is copied %s page %#x, which belongs to %q now; the mapping was made %s",
			u.device, map[Direction]string{ToDevice: "from", FromDevice: "to"}[way], m.home.PFN, m.home.Owner, m.made)
	}
	if n == PageSize {
		to.copyFrom(from)
		return
	}
	c := cursor{d: from.contents.runs()}
	c.skip(off)
	to.contents.take(off, n, &c)
	to.copied(from, off, n)
}
