package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Placement is where the contents of a buffer are.
type Placement uint8

const (
	System Placement = iota // TTM_PL_TT
	VRAM                    // TTM_PL_VRAM
)

func (p Placement) String() string { return [...]string{"system memory", "VRAM"}[p] }

// GPU is a driver with a memory manager, as TTM is: buffers live in the device's memory or in
// the system's, and go from one to the other as there is need for room.
type GPU struct {
	Name string
	Policy
	// NewOwner is who gets the pages that a buffer leaves; see Leaving.
	NewOwner string

	bus  *Bus
	vram *hw.Region
	// Under lock, which stands for the managers' own locks: free pages of the device, ranges
	// of the system's that were given back, and the buffers, least recently used first.
	lock  sim.Object
	free  []*hw.Page
	spare [][]*hw.Page
	lru   []*BufferObject

	// Fences wait for works on wq, timeouts of jobs and evictions. It has a rescuer, which nothing that waits
	// for fences may keep: deletes and restores have queues of their own.
	wq, deletes, restores *kernel.Workqueue
}

// NewGPU is a driver whose device has so many pages of memory.
func NewGPU(t *kernel.Task, b *Bus, name string, vram int, p Policy) *GPU {
	g := &GPU{Name: name, Policy: p, NewOwner: "evicted", bus: b}
	t.Own(&g.lock, "manager", name+".manager")
	if vram > 0 {
		g.vram = b.Memory.NewBAR(t.Task, name, vram)
		g.free = append(g.free, g.vram.Pages...)
	}
	return g
}

// VRAM is the device's memory, for who says how other devices reach it.
func (g *GPU) VRAM() *hw.Region { return g.vram }

// queue is wq, made when it is first needed.
func (g *GPU) queue(t *kernel.Task) *kernel.Workqueue {
	if g.wq == nil {
		g.wq = kernel.AllocWorkqueue(t, g.Name, kernel.WQ_MEM_RECLAIM|kernel.WQ_UNBOUND, 0)
	}
	return g.wq
}

// alloc takes pages for a buffer, as part of the operation before it.
func (g *GPU) alloc(t *kernel.Task, owner string, n int, p Placement) ([]*hw.Page, kernel.Errno) {
	if p == System {
		if len(g.spare) > 0 {
			t.Touch(&g.lock, sim.Write)
			for i := len(g.spare) - 1; i >= 0; i-- {
				if pages := g.spare[i]; len(pages) == n {
					g.spare = append(g.spare[:i:i], g.spare[i+1:]...)
					return owned(pages, owner), kernel.OK
				}
			}
		}
		return g.bus.Memory.Alloc(t.Task, owner, n), kernel.OK
	}
	t.Touch(&g.lock, sim.Write)
	if len(g.free) < n {
		return nil, kernel.ENOSPC
	}
	pages := append([]*hw.Page(nil), g.free[:n]...)
	g.free = g.free[n:]
	return owned(pages, owner), kernel.OK
}

// owned notes who has pages that were free.
func owned(pages []*hw.Page, owner string) []*hw.Page {
	for _, p := range pages {
		p.Owner = owner
	}
	return pages
}

// leave gives up the pages of a buffer that has moved away.
func (g *GPU) leave(t *kernel.Task, pages []*hw.Page) {
	owner := g.NewOwner
	if g.Old != ToOther {
		owner = ""
	}
	t.Atf("", "pages %s now belong to %q", hw.Span(pages), owner)
	hw.Give(t.Task, pages, owner)
	if g.Old == Back {
		g.putBack(t, pages)
	}
}

// putBack makes pages free that nobody uses any more: the next to be handed out.
func (g *GPU) putBack(t *kernel.Task, pages []*hw.Page) {
	t.Touch(&g.lock, sim.Write)
	if pages[0].Region != nil {
		g.free = append(append([]*hw.Page(nil), pages...), g.free...)
	} else {
		g.spare = append(g.spare, pages)
	}
}

// Free counts the pages of the device that nobody has, for tests.
func (g *GPU) Free() int { return len(g.free) }

// MakeRoom evicts buffers until n pages of the device are free, least recently used ones
// first. It passes over what is locked by somebody else or pinned, as ttm_bo_evict_first
// does, and fails if nothing is left.
func (g *GPU) MakeRoom(t *kernel.Task, n int) kernel.Errno {
	t.Step(sim.Op{Verb: "lru walk", Obj: &g.lock, Class: sim.Read})
	for _, b := range append([]*BufferObject(nil), g.lru...) {
		if len(g.free) >= n {
			break
		}
		if b.place != VRAM {
			continue
		}
		if b.Buf.Resv.Trylock(t) {
			if b.place == VRAM && b.pins == 0 {
				b.moveTo(t, System)
			}
			b.Buf.Resv.Unlock(t)
		}
		t.Step(sim.Op{Verb: "lru walk", Obj: &g.lock, Class: sim.Read})
	}
	if len(g.free) < n {
		return kernel.ENOSPC
	}
	return kernel.OK
}
