package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// toy is a small importer with one mapping, made when it is needed. busy counts the
// transfers under way, which take their share with the reservation lock held.
type toy struct {
	a    *Attachment
	sgt  *SgTable
	busy kernel.Shared[int]
	// moved is what it does about a move.
	moved func(k *kernel.Task, i *toy)
	fence *testFence
}

func (i *toy) MoveNotify(k *kernel.Task, a *Attachment) { i.moved(k, i) }

// read transfers the first sector to the device.
func (i *toy) read(k *kernel.Task) hw.Data {
	resv := &i.a.Buf.Resv
	resv.Lock(k, nil)
	if i.sgt == nil {
		resv.Wait(k, UsageKernel)
		i.sgt, _ = i.a.Map(k, hw.Bidirectional)
	}
	sgt := i.sgt
	i.busy.Update(k, func(n int) int { return n + 1 })
	resv.Unlock(k)
	data := i.a.Dev.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: sgt.Segments[0].Addr, Len: hw.SectorSize}}, nil)
	i.busy.Update(k, func(n int) int { return n - 1 })
	return data
}

func (i *toy) unmap(k *kernel.Task) {
	if i.sgt != nil {
		i.a.Unmap(k, i.sgt, hw.Bidirectional)
		i.sgt = nil
	}
}

func (i *toy) idle(k *kernel.Task) {
	i.busy.Await(k, "wait for transfers", func(n int) bool { return n == 0 })
}

// The ways to take a move.
var (
	waitsAndUnmaps = func(k *kernel.Task, i *toy) { i.idle(k); i.unmap(k) }
	unmapsAtOnce   = func(k *kernel.Task, i *toy) { i.unmap(k) }
	ignoresIt      = func(*kernel.Task, *toy) {}
	// fences tells the exporter by a fence; a worker does the rest.
	fences = func(k *kernel.Task, i *toy) {
		if i.sgt == nil {
			return
		}
		i.fence = newFence(k, 9, 1)
		resv, sgt := &i.a.Buf.Resv, i.sgt
		i.sgt = nil
		resv.ReserveFences(k, 1)
		resv.AddFence(k, &i.fence.Fence, UsageKernel)
		k.Kthread("unmapper", sim.Op{Verb: "run"}, func(k *kernel.Task) {
			i.idle(k)
			i.fence.Signal(k)
			i.fence.Put(k)
			i.a.UnmapUnlocked(k, sgt, hw.Bidirectional)
		})
	}
)

// moving is readers through a toy importer and an exporter that moves the buffer.
func moving(readers int, moved func(k *kernel.Task, i *toy), set func(m *Moving)) func(k *kernel.Task) {
	return disturbed(readers, moved, func(k *kernel.Task, m *Moving) {
		if set != nil {
			set(m)
		}
		m.Move(k)
	})
}

// disturbed is the same with an exporter that does what it is told.
func disturbed(readers int, moved func(k *kernel.Task, i *toy), disturb func(k *kernel.Task, m *Moving)) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		bus := NewBus(k)
		m := NewMoving(k, bus, "vram", 1)
		i := &toy{moved: moved}
		i.busy.Init(k, nil, "busy", 0)
		i.a, _ = m.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), i, nil)
		for range readers {
			k.Go("reader", func(k *kernel.Task) {
				if s := i.read(k); !s.Equal(hw.Bytes("vram", 0, hw.SectorSize)) {
					k.Fail(hw.DataCorruption, "read %v", s)
				}
			})
		}
		k.Go("exporter", func(k *kernel.Task) { disturb(k, m) })
		k.Explore()
		m.Buf.Resv.Lock(k, nil)
		i.unmap(k)
		m.Buf.Resv.Unlock(k)
		m.Buf.Detach(k, i.a)
		m.Buf.Put(k)
		if n := i.a.Dev.Mapped(); n != 0 {
			k.Fail(kernel.Leak, "%d page(s) mapped", n)
		}
	}
}

func TestMovingWithToyImporter(t *testing.T) {
	always(t, moving(1, waitsAndUnmaps, nil))
	always(t, moving(1, fences, nil))
	sometimes(t, hw.StaleDMA, "dev0 read 512 bytes from page", moving(2, ignoresIt, nil))
	sometimes(t, hw.IOMMUFault, "dev0: DMA read of 512 bytes", moving(1, unmapsAtOnce, nil))
}

// With one reader, only one task uses the IOMMU; the transfer is a scheduling point all
// the same, since it reaches the pages too.
func TestTransferOfOnlyReader(t *testing.T) {
	sometimes(t, hw.StaleDMA, "dev0 read 512 bytes from page", moving(1, ignoresIt, nil))
}

// An exporter that waits for nothing that the importer told it of moves too early.
func TestMovingThatWaitsForTooLittle(t *testing.T) {
	late := func(k *kernel.Task, i *toy) {
		if i.sgt == nil {
			return
		}
		i.fence = newFence(k, 9, 1)
		i.a.Buf.Resv.ReserveFences(k, 1)
		i.a.Buf.Resv.AddFence(k, &i.fence.Fence, UsageBookkeep)
		k.Kthread("signaller", sim.Op{Verb: "run"}, func(k *kernel.Task) {
			i.idle(k)
			i.fence.Signal(k)
			i.fence.Put(k)
		})
		sgt := i.sgt
		i.sgt = nil
		k.Kthread("unmapper", sim.Op{Verb: "run"}, func(k *kernel.Task) {
			i.fence.Wait(k)
			i.a.UnmapUnlocked(k, sgt, hw.Bidirectional)
		})
	}
	sometimes(t, hw.StaleDMA, "dev0 read 512 bytes", moving(1, late, func(m *Moving) { m.WaitFor = UsageRead }))
}

func TestMoveAlone(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		bus := NewBus(k)
		m := NewMoving(k, bus, "vram", 2)
		hw.Poke(m.Backing(), 4700, hw.Bytes("drive", 4, 100))
		for n := 1; n <= 3; n++ {
			old := m.Backing()
			want := hw.Peek(old, 0, 2*hw.PageSize)
			m.Move(k)
			require.NotEqual(t, old[0].PFN, m.Backing()[0].PFN)
			require.Equal(t, want, hw.Peek(m.Backing(), 0, 2*hw.PageSize), "moves keep contents")
			require.Equal(t, "evicted", old[0].Owner)
			require.Len(t, bus.Memory.Owned("evicted"), 2*n)
			require.Len(t, bus.Memory.Owned("vram"), 2)
			require.Equal(t, hw.Bytes("evicted", 0, 2*hw.PageSize), hw.Peek(old, 0, 2*hw.PageSize))
		}
		require.False(t, m.Buf.Resv.Held(k))
		m.Buf.Put(k)
		k.Explore()
		require.Empty(t, bus.Memory.Owned("vram"), "given back")
	})
}

// Two moves at a time are two moves one after the other.
func TestMovesInParallel(t *testing.T) {
	always(t, func(k *kernel.Task) {
		bus := NewBus(k)
		m := NewMoving(k, bus, "vram", 1)
		k.Go("one", m.Move)
		k.Go("two", m.Move)
		k.Explore()
		if s := hw.Peek(m.Backing(), 0, hw.PageSize); !s.Equal(hw.Bytes("vram", 0, hw.PageSize)) {
			k.Fail(hw.DataCorruption, "the buffer holds %v", s)
		}
		m.Buf.Put(k)
	})
}

// A mapping is of where the buffer is now, and reaches all of it.
func TestMovingMap(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		m := NewMoving(k, NewBus(k), "vram", 3)
		dev := hw.NewIOMMU(k.Task, "dev0")
		a, _ := m.Buf.DynamicAttach(k, dev, nil, nil)
		m.Move(k)
		m.Buf.Resv.Lock(k, nil)
		sgt, err := a.Map(k, hw.Bidirectional)
		require.Equal(t, kernel.OK, err)
		require.Equal(t, m.Backing(), sgt.Pages)
		require.Equal(t, hw.Span(m.Backing()), sgt.String())
		size := 0
		for _, s := range sgt.Segments {
			size += s.Len
		}
		require.EqualValues(t, m.Buf.Size, size)
		require.Equal(t, hw.Bytes("vram", 0, size), dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil))
		a.Unmap(k, sgt, hw.Bidirectional)
		require.Zero(t, dev.Mapped())
		m.Buf.Resv.Unlock(k)
		m.Buf.Detach(k, a)
		m.Buf.Put(k)
	})
}
