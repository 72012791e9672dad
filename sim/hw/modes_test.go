package hw

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// evict unmaps the pages, flushes if it is told to, and then gives them away, as an
// exporter does that does not wait for a device. device transfers them meanwhile.
func evict(c Config, flush, wait bool) func(st *sim.Task) {
	return func(st *sim.Task) {
		b := newBoardWith(st, 1, c, Bidirectional)
		device := st.Go("device", func(st *sim.Task) { b.write(st, "drive") })
		st.Go("exporter", func(st *sim.Task) {
			if wait {
				st.Join(device)
			}
			b.iommu.Unmap(st, b.segs)
			if flush {
				b.iommu.Flush(st)
			}
			Give(st, b.pages, "evicted")
		})
		st.Explore()
	}
}

// In lazy mode an access after the unmap still gets to the page, whoever has it; after
// the flush, and in strict mode, it faults. Waiting for the device is right everywhere.
func TestUseAfterUnmap(t *testing.T) {
	lazy, strict := Config{Mode: Lazy}, Config{}
	sometimes(t, IOMMUFault, "and unmapped by exporter", evict(strict, false, false))
	f := sometimes(t, StaleDMA, `dev0 wrote 4096 bytes to page 0x2a0, which belongs to "evicted" now; the mapping was made by init (task 0) during set-up, and unmapped by exporter`,
		evict(lazy, false, false))
	require.Len(t, f.Detail, 1)
	require.Contains(t, f.Detail[0], "not flushed")
	sometimes(t, StaleDMA, "belongs to", evict(Config{Mode: Passthrough}, false, false))
	// With the flush before the pages are given away no access gets to another owner;
	// what comes late faults.
	f = sometimes(t, IOMMUFault, "", evict(lazy, true, false))
	require.Contains(t, f.Detail[0], "; flushed by exporter")
	for _, c := range []Config{lazy, strict, {Mode: Passthrough}} {
		always(t, evict(c, false, true))
		always(t, evict(c, true, true))
	}
}

// As long as the page has its owner, an access after the unmap and before the flush is
// what hardware does.
func TestUseOfStaleEntry(t *testing.T) {
	late := func(c Config) func(st *sim.Task) {
		return func(st *sim.Task) {
			b := newBoardWith(st, 1, c, Bidirectional)
			b.iommu.Unmap(st, b.segs)
			st.Go("idle", func(*sim.Task) {})
			st.Go("device", func(st *sim.Task) {
				b.write(st, "drive")
				b.holds(st, 0, PageSize, "drive")
			})
			st.Explore()
		}
	}
	always(t, late(Config{Mode: Passthrough}))
	always(t, late(Config{Mode: Lazy}))
	sometimes(t, IOMMUFault, "and unmapped by init", late(Config{Mode: Lazy, Evicts: true}))
	sometimes(t, IOMMUFault, "and unmapped by init", late(Config{}))
	always(t, func(st *sim.Task) { // the TLB has all of it or nothing
		b := newBoardWith(st, 3, Config{Mode: Lazy, Evicts: true}, Bidirectional)
		b.iommu.Unmap(st, b.segs)
		st.Go("idle", func(*sim.Task) {})
		st.Go("device", func(st *sim.Task) {
			if _, f := b.iommu.TryDMA(st, ToDevice, b.segs, nil); f != nil && f.Addr != b.at(0) {
				st.Fail(sim.Bug, "%v", f)
			}
		})
		st.Explore()
	})
	// A timer that races may have flushed it, too.
	sometimes(t, IOMMUFault, "and unmapped by init", late(Config{Mode: Lazy, Timer: sim.Racing}))
	fails(t, StaleDMA, `of "vram" after the exporter had waited for its fences`, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Lazy}, Bidirectional)
		b.iommu.Unmap(st, b.segs)
		Fence(st, b.pages)
		b.read(st)
	})
}

// What ends the life of stale entries: a call, a queue that is full, and a timer.
func TestFlush(t *testing.T) {
	try := func(st *sim.Task, b *board) bool {
		_, f := b.iommu.TryDMA(st, ToDevice, b.segs, nil)
		return f == nil
	}
	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Lazy}, Bidirectional)
		b.iommu.Unmap(st, b.segs)
		require.True(t, try(st, b))
		b.iommu.Flush(st)
		require.False(t, try(st, b))
	})
	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Lazy, QueueLimit: 2}, Bidirectional)
		b.iommu.Unmap(st, b.segs)
		for i := range 3 {
			require.Equal(t, i < 2, try(st, b), "after %d more", i)
			b.iommu.Unmap(st, b.iommu.Map(st, b.pages, Bidirectional))
		}
	})
	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Lazy}, Bidirectional)
		b.iommu.Unmap(st, b.segs)
		b.iommu.Unmap(st, b.iommu.Map(st, b.pages, Bidirectional))
		st.Go("device", func(st *sim.Task) { require.True(t, try(st, b)) })
		st.Explore() // ends with the timer
		require.False(t, try(st, b))
		require.Contains(t, b.iommu.History(b.at(0))[0], "flushed by iommu flush")
	})
	passes(t, func(st *sim.Task) { // the timer is set again
		b := newBoardWith(st, 1, Config{Mode: Lazy}, Bidirectional)
		st.Go("driver", func(st *sim.Task) { b.iommu.Unmap(st, b.segs) })
		st.After(2*flushAfter, sim.Quiet, "later", func(st *sim.Task) {
			require.False(t, try(st, b))
			b.segs = b.iommu.Map(st, b.pages, Bidirectional)
			b.iommu.Unmap(st, b.segs)
			require.True(t, try(st, b))
		})
		st.Explore()
		require.False(t, try(st, b))
	})
}

// An address that is used again is the same to a device that is late: it gets to
// the page that has the address now, which no IOMMU sees. Data goes wrong.
func TestAddressIsUsedAgain(t *testing.T) {
	remap := func(c Config, wait bool) func(st *sim.Task) {
		return func(st *sim.Task) {
			b := newBoardWith(st, 1, c, Bidirectional)
			other := b.memory.Alloc(st, "other", 1)
			Fill(other, "other")
			device := st.Go("device", func(st *sim.Task) {
				check(st, b.read(st), Bytes("vram", 0, PageSize))
			})
			st.Go("driver", func(st *sim.Task) {
				if wait {
					st.Join(device)
				}
				b.iommu.Unmap(st, b.segs)
				b.iommu.Map(st, other, Bidirectional)
			})
			st.Explore()
		}
	}
	sometimes(t, DataCorruption, "byte 0 is byte 0 of other, not byte 0 of vram", remap(Config{Reuse: true}, false))
	always(t, remap(Config{Reuse: true}, true))
	sometimes(t, IOMMUFault, "", remap(Config{}, false))
	// In lazy mode the address is not free before the flush.
	always(t, remap(Config{Mode: Lazy, Reuse: true}, false))

	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 2, Config{Mode: Lazy, Reuse: true}, Bidirectional)
		b.iommu.Unmap(st, b.segs)
		second := b.iommu.Map(st, b.pages, ToDevice)
		require.NotEqual(t, b.segs, second)
		b.iommu.Flush(st)
		b.iommu.Flush(st) // of nothing
		one := b.iommu.Map(st, b.pages[:1], ToDevice)
		require.NotEqual(t, b.at(0), one[0].Addr, "a range of another size")
		require.Equal(t, b.segs, b.iommu.Map(st, b.pages, ToDevice))
		require.Len(t, b.iommu.History(b.at(0)), 2)
		require.NotEqual(t, b.segs, b.iommu.Map(st, b.pages, ToDevice), "it is free once only")
		require.Equal(t, 7, b.iommu.Mapped())
	})
}

// Bus addresses of passthrough are physical ones, and pages that lie in a row are one
// segment.
func TestPassthrough(t *testing.T) {
	passes(t, func(st *sim.Task) {
		m := &Memory{}
		u := NewIOMMU(st, "dev0")
		u.Configure(st, Config{Mode: Passthrough, Memory: m})
		p := m.AllocAt(st, "a", 0x100002, 0x100003, 0x100001, 0x100005)
		Fill(p, "a")
		segs := u.Map(st, p, ToDevice)
		require.Equal(t, []Segment{{0x100002000, 2 * PageSize}, {0x100001000, PageSize}, {0x100005000, PageSize}}, segs)
		require.Equal(t, Bytes("a", 0, 4*PageSize), u.DMA(st, ToDevice, segs, nil))
		// One mapping of two that are left is enough.
		again := u.Map(st, p, Bidirectional)
		u.Unmap(st, again)
		require.Equal(t, 4, u.Mapped())
		u.DMA(st, FromDevice, segs, Bytes("b", 0, 4*PageSize))
		require.Equal(t, " (page 0x100001)", u.Describe(0x100001fff))
		// Nothing keeps a device from memory that was never mapped for it.
		q := m.AllocAt(st, "q", 0x100004)
		u.DMA(st, FromDevice, []Segment{{0x100004ffe, 4}}, Bytes("wild", 0, 4))
		require.Equal(t, Bytes("wild", 0, 2), Peek(q, PageSize-2, 2))
		require.Equal(t, Bytes("wild", 2, 2), Peek(p[3:], 0, 2))
	})
	fails(t, IOMMUFault, "DMA read of 2 bytes at bus address 0x2a1000 faults; there is no memory", func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Passthrough}, Bidirectional)
		b.iommu.DMA(st, ToDevice, []Segment{{b.at(PageSize - 1), 2}}, nil)
	})
	fails(t, StaleDMA, `belongs to "evicted" now`, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Passthrough}, Bidirectional)
		Give(st, b.pages, "evicted")
		b.read(st)
	})
	// Whoever has the page now has mapped it, too: then only contents can tell.
	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Passthrough}, Bidirectional)
		Give(st, b.pages, "evicted")
		require.Equal(t, b.segs, b.iommu.Map(st, b.pages, Bidirectional))
		require.Equal(t, Bytes("evicted", 0, PageSize), b.read(st))
	})
}

// Pages that lie anywhere are one segment for an IOMMU.
func TestScatteredPages(t *testing.T) {
	passes(t, func(st *sim.Task) {
		m := &Memory{Chunk: 2}
		p := m.Alloc(st, "a", 5)
		Fill(p, "a")
		u := NewIOMMU(st, "dev0")
		segs := u.Map(st, p, ToDevice)
		require.Equal(t, []Segment{{firstBus, 5 * PageSize}}, segs)
		require.Equal(t, Bytes("a", 0, 5*PageSize), u.DMA(st, ToDevice, segs, nil))
		v := NewIOMMU(st, "dev1")
		v.Configure(st, Config{Mode: Passthrough, Memory: m})
		require.Len(t, v.Map(st, p, ToDevice), 3)
		require.Empty(t, v.Map(st, nil, ToDevice))
	})
}

// A mapping is for one direction, and an IOMMU sees to it.
func TestDirection(t *testing.T) {
	fails(t, IOMMUFault, "dev0: DMA write of 4096 bytes at bus address 0xfe000000 faults; it was mapped by init (task 0) during set-up, DMA_TO_DEVICE", func(st *sim.Task) {
		newBoardWith(st, 1, Config{}, ToDevice).write(st, "drive")
	})
	fails(t, IOMMUFault, "DMA_FROM_DEVICE", func(st *sim.Task) { newBoardWith(st, 1, Config{}, FromDevice).read(st) })
	passes(t, func(st *sim.Task) {
		newBoardWith(st, 1, Config{}, ToDevice).read(st)
		newBoardWith(st, 1, Config{}, FromDevice).write(st, "drive")
		newBoardWith(st, 1, Config{Mode: Passthrough}, ToDevice).write(st, "drive")
	})
}

// A caller that can deal with faults gets them, with what came before done.
func TestTryDMA(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b := newBoard(st, 2)
		b.iommu.Unmap(st, []Segment{{b.at(PageSize), PageSize}})
		d, f := b.iommu.TryDMA(st, ToDevice, []Segment{{b.at(0), 8}, {b.at(100), PageSize}}, nil)
		require.Equal(t, Concat(Bytes("vram", 0, 8), Bytes("vram", 100, PageSize-100)), d)
		require.Equal(t, b.at(PageSize), f.Addr)
		require.Equal(t, []any{PageSize, ToDevice, Unmapped, "dev0"}, []any{f.Len, f.Dir, f.Reason, f.Device})
		require.Len(t, f.History, 1)
		require.True(t, strings.HasPrefix(f.History[0], "bus address 0xfe001000: mapped by init (task 0) during set-up to page 0x2a1, generation 0, DMA_BIDIRECTIONAL; unmapped by init"), f.History)

		_, f = b.iommu.TryDMA(st, FromDevice, []Segment{{b.at(PageSize - 4), 8}}, Bytes("drive", 0, 8))
		require.NotNil(t, f)
		require.Equal(t, Bytes("drive", 0, 4), Peek(b.pages, PageSize-4, 4))
		require.Equal(t, Bytes("vram", PageSize, 4), Peek(b.pages, PageSize, 4))
		require.Len(t, b.iommu.Faults(), 2)
		_, f = b.iommu.TryDMA(st, ToDevice, b.segs[:0], nil)
		require.Nil(t, f)
	})
	fails(t, IOMMUFault, "it was never mapped", func(st *sim.Task) {
		b := newBoard(st, 1)
		_, f := b.iommu.TryDMA(st, ToDevice, []Segment{{Poison, 8}}, nil)
		f.Flag(st)
		b.read(st) // goes on
	})
	fails(t, StaleDMA, "", func(st *sim.Task) { // no device could tell
		b := newBoard(st, 1)
		Give(st, b.pages, "evicted")
		b.iommu.TryDMA(st, ToDevice, b.segs, nil)
	})
}

func TestConfigureMisuse(t *testing.T) {
	fails(t, sim.Misuse, "is configured after something was mapped", func(st *sim.Task) {
		newBoard(st, 1).iommu.Configure(st, Config{})
	})
	for _, c := range []Config{{Mode: Passthrough}, {Bounce: true}} {
		fails(t, sim.Misuse, "needs to know the memory", func(st *sim.Task) { NewIOMMU(st, "dev0").Configure(st, c) })
	}
}
