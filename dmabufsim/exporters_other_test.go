package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// frozen plays importers that are right against a freezing exporter, and what it does.
func frozen(t *testing.T, p Policy, do func(k *kernel.Task, e *Freezing)) {
	t.Helper()
	for _, right := range rights {
		on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
			e := NewFreezing(k, NewBus(k), "bo", 1, p)
			i := right().attach(k, e.Buf, hw.NewIOMMU(k.Task, "dev0"))
			i.read(k)
			k.Go("reader", i.read)
			do(k, e)
			k.Explore()
			i.close(k)
			e.Buf.Put(k)
		})
	}
}

// Whatever the exporter stops in, the importer goes on when it does.
func TestFreezing(t *testing.T) {
	p := Policy{WaitFor: UsageBookkeep}
	thaw := func(k *kernel.Task, g *Gate) {
		g.Shut(k)
		k.Go("test", g.Open)
	}
	frozen(t, p, func(k *kernel.Task, e *Freezing) { thaw(k, &e.Held); k.Go("exporter", e.Hold) })
	frozen(t, p, func(k *kernel.Task, e *Freezing) { thaw(k, &e.Held); k.Go("exporter", e.InvalidateAndHold) })
	frozen(t, p, func(k *kernel.Task, e *Freezing) { k.Go("exporter", func(k *kernel.Task) { e.Invalidate(k, 2) }) })
	frozen(t, p, func(k *kernel.Task, e *Freezing) { k.Go("exporter", e.InvalidateTwice) })
	frozen(t, p, func(k *kernel.Task, e *Freezing) {
		thaw(k, &e.Mapping)
		k.Go("exporter", func(k *kernel.Task) { e.Move(k, System) })
	})
}

// An exporter that never thaws leaves everybody who needs the lock behind.
func TestFrozenForEver(t *testing.T) {
	fails(t, sim.Deadlock, "nobody can wake", func(k *kernel.Task) {
		e := NewFreezing(k, NewBus(k), "bo", 1, Policy{})
		i := (&importer{}).attach(k, e.Buf, hw.NewIOMMU(k.Task, "dev0"))
		e.Held.Shut(k)
		k.Go("exporter", e.Hold)
		k.Go("reader", i.read)
		k.Explore()
	})
	passes(t, func(k *kernel.Task) {
		e := NewFreezing(k, NewBus(k), "bo", 1, Policy{})
		a, _ := e.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), deafened, nil)
		e.MapErr = kernel.ENOSPC
		_, err := a.MapUnlocked(k, hw.Bidirectional)
		require.Equal(t, kernel.ENOSPC, err)
		e.Buf.Detach(k, a)
		e.Buf.Put(k)
	})
}

// A table of any shape covers the buffer in its order, for a device that can do with it.
func TestOdd(t *testing.T) {
	odd := []struct {
		name string
		l    Layout
		mode hw.Mode
		want []int // lengths
	}{
		{"one segment", Layout{Pages: make([]bool, 3)}, hw.Strict, []int{3 * hw.PageSize}},
		{"a segment per page, which could be merged", Layout{Pages: make([]bool, 2), Cuts: []int{hw.PageSize}}, hw.Strict, []int{4096, 4096}},
		{"lengths of bytes", Layout{Pages: make([]bool, 1), Cuts: []int{1, 4094}}, hw.Strict, []int{1, 4094, 1}},
		{"longer than a page, and not aligned", Layout{Pages: make([]bool, 2), Cuts: []int{6000}}, hw.Strict, []int{6000, 2192}},
		{"scattered in memory", Layout{Pages: make([]bool, 3), Chunk: 2}, hw.Passthrough, []int{8192, 4096}},
		{"merged by the IOMMU", Layout{Pages: make([]bool, 3), Chunk: 2}, hw.Strict, []int{3 * hw.PageSize}},
		{"holes", Layout{Pages: make([]bool, 2), Holes: true}, hw.Strict, []int{4096, 4096}},
		{"a peer's page in the middle", Layout{Pages: []bool{false, true, false}}, hw.Strict, []int{4096, 4096, 4096}},
		{"a peer's page at the end, cut", Layout{Pages: []bool{false, true}, Cuts: []int{3000}}, hw.Passthrough, []int{3000, 1096, 3000, 1096}},
	}
	for _, c := range odd {
		t.Run(c.name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				bus := NewBus(k)
				e := NewOdd(k, bus, "odd", c.l)
				dev := hw.NewIOMMU(k.Task, "dev0")
				dev.Configure(k.Task, hw.Config{Mode: c.mode, Memory: bus.Memory})
				if e.Peer() != nil {
					_, err := e.Buf.DynamicAttach(k, dev, peered{}, nil)
					require.Equal(t, kernel.EOPNOTSUPP, err, "out of reach")
					dev.SetPeer(e.Peer(), hw.PeerBusAddr)
				}
				a, err := e.Buf.DynamicAttach(k, dev, peered{}, nil)
				require.Equal(t, kernel.OK, err)
				sgt, err := a.MapUnlocked(k, hw.Bidirectional)
				require.Equal(t, kernel.OK, err)
				var got []int
				for _, s := range sgt.Segments {
					got = append(got, s.Len)
				}
				require.Equal(t, c.want, got)
				n := int(e.Buf.Size)
				require.Equal(t, n, sgt.Len())
				require.True(t, dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil).Equal(hw.Bytes("odd", 0, n)))
				dev.DMA(k.Task, hw.FromDevice, sgt.Segments, hw.Bytes("drive", 0, n))
				require.True(t, hw.Peek(e.Backing(), 0, n).Equal(hw.Bytes("drive", 0, n)))
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				require.Zero(t, dev.Mapped())
				e.Buf.Detach(k, a)
				e.Buf.Put(k)
			})
		})
	}
}

// The importer that faults its pages in is right with every kind of exporter, also where its own
// map call moves the buffer; and the variant that waits too early is not.
func TestRDMA(t *testing.T) {
	nic := func(p Policy, first, away bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 1, p)
			place := System
			if away {
				place = VRAM
			}
			b := g.Export(k, "bo", 1, place)
			nic, err := NewRDMA(k, b.Buf, hw.NewIOMMU(k.Task, "nic"), false)
			if err != kernel.OK {
				k.BUG("attach: %v", err)
			}
			nic.WaitFirst = first
			k.Go("nic", func(k *kernel.Task) {
				for range 2 {
					got, err := nic.Transfer(k, hw.ToDevice, 0, nil)
					if err != kernel.OK || !got.Equal(hw.Bytes("bo", 0, hw.PageSize)) {
						k.Fail(hw.DataCorruption, "the nic read %v, %v", got, err)
					}
				}
			})
			k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
			k.Explore()
			nic.Close(k)
			b.Buf.Put(k)
		}
	}
	for _, p := range Presets() {
		if p.Refuse {
			continue
		}
		for _, away := range []bool{false, true} {
			t.Run(p.Name, func(t *testing.T) {
				t.Parallel()
				on.Survives(t, explore.NewDPOR(), nic(p.Policy, false, away))
				if away && p.Wait == Pipelined {
					on.Finds(t, explore.NewDPOR(), nic(p.Policy, true, away), hw.DataCorruption)
				} else {
					on.Survives(t, explore.NewDPOR(), nic(p.Policy, true, away))
				}
			})
		}
	}
}

// A driver that pins at attach moves under nobody, and needs no importer to hear of anything.
func TestPinningAtAttach(t *testing.T) {
	for _, p := range profiles {
		on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
			k.K.Profile = p
			g := NewGPU(k, NewBus(k), "gpu", 1, Policy{WaitFor: UsageBookkeep, Wait: Pipelined, Old: Back})
			e := NewPinningAtAttach(k, g, "bo", 1, VRAM)
			dev := hw.NewIOMMU(k.Task, "dev0")
			k.Go("importer", func(k *kernel.Task) {
				a, err := e.Buf.Attach(k, dev)
				require.Equal(t, kernel.OK, err)
				sgt, err := a.MapUnlocked(k, hw.Bidirectional)
				require.Equal(t, kernel.OK, err)
				if d := dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil); !d.Equal(hw.Bytes("bo", 0, hw.PageSize)) {
					k.Fail(hw.DataCorruption, "read %v", d)
				}
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				e.Buf.Detach(k, a)
			})
			k.Go("exporter", func(k *kernel.Task) { e.Move(k, System) })
			k.Explore()
			require.Equal(t, kernel.OK, e.Move(k, VRAM), "nobody is attached any more")
			e.Buf.Put(k)
		})
	}
}

// What an export is refused for.
func TestExport(t *testing.T) {
	fails(t, sim.Warn, "an op is missing", func(k *kernel.Task) {
		_, err := NewBus(k).ExportInfo(k, &ExportInfo{Name: "none", Size: hw.PageSize})
		require.Equal(t, kernel.EINVAL, err)
	})
	fails(t, sim.Warn, "an op is missing", func(k *kernel.Task) {
		_, err := NewBus(k).ExportInfo(k, &ExportInfo{Name: "half", Size: hw.PageSize, Ops: halfPinner{&inert{}}})
		require.Equal(t, kernel.EINVAL, err)
	})
	passes(t, func(k *kernel.Task) {
		b, m := NewBus(k), &Module{Going: true}
		info := &ExportInfo{Name: "vram", Size: hw.PageSize, Ops: &inert{}, Module: m}
		_, err := b.ExportInfo(k, info)
		require.Equal(t, kernel.ENOENT, err)
		m.Going = false
		for _, site := range []string{"dma_buf", "dma_buf file"} {
			k.K.FailAlloc(site, 1)
			_, err = b.ExportInfo(k, info)
			require.Equal(t, kernel.ENOMEM, err, site)
		}
		require.Zero(t, m.Refs())
		d, err := b.ExportInfo(k, info)
		require.Equal(t, kernel.OK, err)
		require.Equal(t, 1, m.Refs())
		d.Put(k)
		k.Go("idle", step)
		k.Explore()
		require.Zero(t, m.Refs(), "dropped with the buffer")
	})
	fails(t, sim.Bug, "which is mapped for the kernel", func(k *kernel.Task) {
		w, _ := newSpied(k)
		w.buf.VmapUnlocked(k)
		w.buf.Put(k)
		k.Explore()
	})
}

type halfPinner struct{ *inert }

func (halfPinner) Pin(*kernel.Task, *Attachment) kernel.Errno { return kernel.OK }
