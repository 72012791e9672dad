package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// buffer is a dma-buf of a world, and what its exporter is like.
type buffer struct {
	buf *dmabufsim.DmaBuf
	// backing is where the contents are, and first where they begin in the dma-buf, in bytes.
	backing func() []*hw.Page
	first   uint64
	// bo is the buffer as its memory manager has it, nil if there is none.
	bo *dmabufsim.BufferObject
	// peer is memory of another device that the buffer is in, nil if there is none.
	peer *hw.Region
	// disturb does for the n-th time what the exporter does to those who have imported the
	// buffer; nil if it never does anything.
	disturb func(t *kernel.Task, n int)
	// stop ends what the exporter has going on, before the last reference is dropped.
	stop func(t *kernel.Task)
	// newOwner gets the pages that the buffer leaves.
	newOwner string
	// swaps is set if the contents may be in swap on the drive.
	swaps bool
	// forgets is set if the exporter may take the contents away. Then requests fail while
	// there are none, and what the buffer holds is not compared.
	forgets bool
}

// kind is a kind of exporter, by name.
type kind struct {
	name string
	make func(t *kernel.Task, w *world, cfg config, name string) *buffer
}

// kinds are the exporters that a world can have: first those that are no GPU, then the
// presets of package dmabufsim.
var kinds = allKinds()

func allKinds() []kind {
	all := []kind{
		{"moving", newMoving},
		{"swapping", newSwapping},
		{"user-queues", newUserQueues},
		{"freezing", newFreezing},
		{"revoking", newRevoking},
		{"pinning-at-attach", newPinning},
		{"odd", newOdd},
		{"udmabuf", newUdmabuf},
		{"far", newFar},
	}
	for _, p := range dmabufsim.Presets() {
		all = append(all, kind{p.Name, func(t *kernel.Task, w *world, cfg config, name string) *buffer {
			return w.onGPU(t, cfg, p.Policy, name)
		}})
	}
	return all
}

// Exporters lists the names of the kinds of exporters, for [Workload].
func Exporters() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// export makes a buffer of the kind that the config says.
func (w *world) export(t *kernel.Task, cfg config, name string) *buffer {
	for _, k := range kinds {
		if k.name == cfg.exporter || cfg.exporter == "" && k.name == "moving" {
			return k.make(t, w, cfg, name)
		}
	}
	panic("there is no exporter " + cfg.exporter)
}

// of is what all buffers of a memory manager have in common.
func of(b *dmabufsim.BufferObject, newOwner string) *buffer {
	return &buffer{buf: b.Buf, backing: b.Backing, bo: b, newOwner: newOwner}
}

// newMoving is a buffer in system memory that can move at any time.
func newMoving(t *kernel.Task, w *world, cfg config, name string) *buffer {
	m := dmabufsim.NewMoving(t, w.bus, name, cfg.pages)
	if w.exp == nil {
		w.exp = m
	}
	b := of(m.BufferObject, m.NewOwner)
	b.disturb = func(t *kernel.Task, _ int) { m.Move(t) }
	return b
}

// newSwapping is a buffer in system memory whose contents are swapped out to the drive at any time, and read
// back by whoever maps it.
func newSwapping(t *kernel.Task, w *world, cfg config, name string) *buffer {
	b := newMoving(t, w, cfg, name)
	b.swaps = true
	pos := driveSize/4 + int64(len(w.bufs)*cfg.pages)*hw.PageSize
	b.disturb = func(t *kernel.Task, _ int) { b.bo.SwapOut(t, w.swapAt(w.swapFile, pos)) }
	return b
}

// onGPU is a buffer of the world's GPU, which is made with the first one. It is in the device's
// memory if there is any.
func (w *world) onGPU(t *kernel.Task, cfg config, p dmabufsim.Policy, name string) *buffer {
	if w.gpu == nil {
		if cfg.old != dmabufsim.ToOther {
			p.Old = cfg.old
		}
		p.Timeout = cfg.timeout
		w.gpu = dmabufsim.NewGPU(t, w.bus, "gpu", cfg.vram, p)
	}
	place := dmabufsim.System
	if cfg.vram > 0 {
		place = dmabufsim.VRAM
	}
	o := w.gpu.Export(t, name, cfg.pages, place)
	if w.exp == nil {
		w.exp = dmabufsim.AsMoving(o)
	}
	b := of(o, w.gpu.NewOwner)
	b.peer = w.gpu.VRAM()
	b.disturb = func(t *kernel.Task, n int) {
		to := dmabufsim.System
		if cfg.vram > 0 && n%2 == 1 {
			to = dmabufsim.VRAM // where there is no room it stays where it is
		}
		o.Move(t, to)
	}
	return b
}

// newUserQueues is a buffer of a pipelining GPU that queues of a process use all the time.
func newUserQueues(t *kernel.Task, w *world, cfg config, name string) *buffer {
	b := w.onGPU(t, cfg, dmabufsim.PolicyOf("pipelined"), name)
	q := w.gpu.NewUserQueue(t, dmabufsim.RestorePolicy{Collect: dmabufsim.UsageKernel, Place: b.bo.Place(), Delay: 10}, b.bo)
	b.stop = q.Destroy
	return b
}

// newFreezing is an exporter that stops wherever an importer depends on it, until another task
// lets it go on.
func newFreezing(t *kernel.Task, w *world, cfg config, name string) *buffer {
	e := dmabufsim.NewFreezing(t, w.bus, name, cfg.pages, dmabufsim.PolicyOf("evict-blocking"))
	if w.exp == nil {
		w.exp, w.freezing = dmabufsim.AsMoving(e.BufferObject), e
	}
	b := of(e.BufferObject, "evicted")
	frozen := func(t *kernel.Task, g *dmabufsim.Gate, do func(*kernel.Task)) {
		g.Shut(t)
		thaw := t.Go("thaw", g.Open)
		do(t)
		t.Join(thaw.Task)
	}
	b.disturb = func(t *kernel.Task, n int) {
		switch n % 5 {
		case 0:
			frozen(t, &e.Held, e.InvalidateAndHold)
		case 1:
			frozen(t, &e.Mapping, func(t *kernel.Task) { e.Move(t, dmabufsim.System) })
		case 2:
			frozen(t, &e.Held, e.Hold)
		case 3:
			e.InvalidateTwice(t)
		default:
			e.Invalidate(t, 2)
		}
	}
	return b
}

// newRevoking is memory of a device that is taken away, and given back.
func newRevoking(t *kernel.Task, w *world, cfg config, name string) *buffer {
	r := dmabufsim.NewRevoking(t, w.bus, name, cfg.pages)
	return &buffer{buf: r.Buf, backing: r.Backing, peer: r.Region(), newOwner: "another guest", forgets: true,
		disturb: func(t *kernel.Task, n int) {
			if n%2 == 0 {
				r.Revoke(t)
			} else {
				r.Restore(t)
			}
		}}
}

// newPinning is a buffer of a GPU that stays where it is as long as somebody is attached.
func newPinning(t *kernel.Task, w *world, cfg config, name string) *buffer {
	g := dmabufsim.NewGPU(t, w.bus, "gpu", cfg.vram, dmabufsim.PolicyOf("pipelined"))
	place := dmabufsim.System
	if cfg.vram > 0 {
		place = dmabufsim.VRAM
	}
	e := dmabufsim.NewPinningAtAttach(t, g, name, cfg.pages, place)
	b := of(e.BufferObject, g.NewOwner)
	b.disturb = func(t *kernel.Task, _ int) {
		// Rings of other modes are closed by the tasks that use them, and a driver may go: then nobody is attached.
		if err := e.Move(t, dmabufsim.System); err != kernel.EBUSY && w.mode.flags == 0 && !w.gone() {
			t.Fail(iter.WrongErrno, "a buffer that is pinned was moved (%v)", err)
		}
	}
	return b
}

// newOdd is a buffer whose pages are scattered, a third of them a peer device's, and whose tables
// have segments of one and two pages.
func newOdd(t *kernel.Task, w *world, cfg config, name string) *buffer {
	l := cfg.layout
	if l.Cuts == nil {
		l = dmabufsim.Layout{Chunk: 1, Cuts: []int{2 * hw.PageSize, hw.PageSize}, Holes: true}
	}
	for i := range cfg.pages {
		l.Pages = append(l.Pages, i%3 == 1)
	}
	e := dmabufsim.NewOdd(t, w.bus, name, l)
	return &buffer{buf: e.Buf, backing: e.Backing, peer: e.Peer()}
}

// newUdmabuf is pages of a sealed memfd.
func newUdmabuf(t *kernel.Task, w *world, cfg config, name string) *buffer {
	m := w.bus.NewMemfd(t, name, cfg.pages, dmabufsim.F_SEAL_SHRINK)
	fd, _ := w.bus.FDs.Install(t, m)
	dfd, err := w.bus.UdmabufIoctl(t, "UDMABUF_CREATE", []dmabufsim.UdmabufItem{{FD: fd, Size: uint64(cfg.pages) * hw.PageSize}})
	if err != kernel.OK {
		t.Fail(iter.WrongErrno, "UDMABUF_CREATE failed with %v", err)
	}
	d, _ := w.bus.GetFD(t, dfd)
	w.bus.FDs.Close(t, dfd)
	w.bus.FDs.Close(t, fd)
	return &buffer{buf: d, backing: m.Pages}
}

// newFar is a buffer of which only the pages behind two gibibytes are backed.
func newFar(t *kernel.Task, w *world, cfg config, name string) *buffer {
	e := &lastPage{pages: w.bus.Memory.Alloc(t.Task, name, cfg.pages)}
	hw.Fill(e.pages, name)
	buf := w.bus.Export(t, name, uint64(far+cfg.pages*hw.PageSize), e)
	return &buffer{buf: buf, backing: func() []*hw.Page { return e.pages }, first: far}
}
