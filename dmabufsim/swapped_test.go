package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// disc is a place for contents of buffers.
type disc struct {
	data    hw.Data
	outs    int
	ins     int
	out, in kernel.Errno // of the next calls
}

func (d *disc) swap() *Swap {
	return &Swap{
		Out: func(_ *kernel.Task, pages []*hw.Page) kernel.Errno {
			if d.out == kernel.OK {
				d.outs++
				d.data = hw.Peek(pages, 0, len(pages)*hw.PageSize)
			}
			return d.out
		},
		In: func(_ *kernel.Task, pages []*hw.Page) kernel.Errno {
			if d.in == kernel.OK {
				d.ins++
				hw.Poke(pages, 0, d.data)
			}
			return d.in
		},
	}
}

func TestSwapOut(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		bus := NewBus(k)
		m := NewMoving(k, bus, "vram", 2)
		d := &disc{}
		i := &toy{moved: ignoresIt}
		i.a, _ = m.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), i, nil)
		lock := func(do func()) {
			m.Buf.Resv.Lock(k, nil)
			do()
			m.Buf.Resv.Unlock(k)
		}
		want, old := hw.Peek(m.Backing(), 0, 2*hw.PageSize), m.Backing()
		require.Equal(t, kernel.OK, m.SwapOut(k, d.swap()))
		require.Equal(t, kernel.EBUSY, m.SwapOut(k, d.swap()), "it is out")
		require.Equal(t, 1, d.outs)
		require.Equal(t, "evicted", old[0].Owner)
		require.Equal(t, want, hw.Peek(m.Backing(), 0, 2*hw.PageSize), "for oracles")

		d.in = kernel.EIO
		lock(func() {
			_, err := i.a.Map(k, hw.Bidirectional)
			require.Equal(t, kernel.EIO, err)
		})
		d.in = kernel.OK
		hw.Fill(m.Backing(), "whoever had the swap cache meanwhile")
		lock(func() {
			sgt, err := i.a.Map(k, hw.Bidirectional)
			require.Equal(t, kernel.OK, err)
			i.a.Unmap(k, sgt, hw.Bidirectional)
		})
		require.Equal(t, 1, d.ins)
		require.Equal(t, want, hw.Peek(m.Backing(), 0, 2*hw.PageSize), "as it was")

		d.out = kernel.EIO
		require.Equal(t, kernel.EIO, m.SwapOut(k, d.swap()))
		require.Equal(t, want, hw.Peek(m.Backing(), 0, 2*hw.PageSize), "what cannot be written is in the cache")
		m.Move(k)
		require.Equal(t, 1, d.ins, "from the cache")
		d.out = kernel.OK
		require.Equal(t, kernel.OK, m.SwapOut(k, d.swap()))
		m.Move(k)
		require.Equal(t, 2, d.ins, "a move brings it back")
		require.Equal(t, want, hw.Peek(m.Backing(), 0, 2*hw.PageSize))

		lock(func() { require.Equal(t, kernel.OK, i.a.Pin(k)) })
		require.Equal(t, kernel.EBUSY, m.SwapOut(k, d.swap()), "it is pinned")
		lock(func() { i.a.Unpin(k) })
		m.Buf.Detach(k, i.a)
		m.Buf.Put(k)
		k.Explore()
		require.Empty(t, bus.Memory.Owned("vram"), "given back")
	})
}

// An importer that does not let go of a buffer when it is swapped out uses pages that are somebody else's, before
// it is read back and after that.
func TestSwapOutUnderImporter(t *testing.T) {
	twice := func(k *kernel.Task, m *Moving) {
		d := &disc{}
		for range 2 {
			m.SwapOut(k, d.swap())
		}
	}
	always(t, disturbed(1, waitsAndUnmaps, twice))
	always(t, disturbed(1, fences, twice))
	sometimes(t, hw.StaleDMA, "dev0 read 512 bytes from page", disturbed(1, ignoresIt, twice))
	sometimes(t, hw.IOMMUFault, "dev0: DMA read of 512 bytes", disturbed(1, unmapsAtOnce, twice))
	both := func(k *kernel.Task, m *Moving) {
		d := &disc{}
		m.SwapOut(k, d.swap())
		k.Go("manager", func(k *kernel.Task) { m.Move(k) })
	}
	always(t, disturbed(1, waitsAndUnmaps, both))
}
