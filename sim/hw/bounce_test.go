package hw

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
)

// roundtrip is a driver whose device copies a request to an answer: the CPU writes, the
// device reads and writes, and the CPU reads. It leaves out what skip names.
func roundtrip(c Config, skip string) func(st *sim.Task) {
	return func(st *sim.Task) {
		b := newBoardWith(st, 1, c, Bidirectional)
		sync := func(st *sim.Task, name string, call func(*sim.Task, BusAddr, int, Direction), off int) {
			if name != skip {
				call(st, b.at(off), 64, Bidirectional)
			}
		}
		device := st.Go("device", func(st *sim.Task) {
			got := b.iommu.DMA(st, ToDevice, []Segment{{b.at(4), 64}}, nil)
			b.iommu.DMA(st, FromDevice, []Segment{{b.at(1000), 64}}, got)
		})
		st.Go("idle", func(*sim.Task) {})
		Store(st, b.pages, 4, Bytes("request", 0, 64))
		sync(st, "for device", b.iommu.SyncForDevice, 4)
		st.Explore()
		st.Join(device)
		sync(st, "for cpu", b.iommu.SyncForCPU, 1000)
		check(st, Load(st, b.pages, 1000, 64), Bytes("request", 0, 64))
		b.iommu.Unmap(st, b.segs)
		check(st, Load(st, b.pages, 1000, 64), Bytes("request", 0, 64))
	}
}

// A missing sync shows stale data, both ways; without bouncing nobody needs one.
func TestMissingSync(t *testing.T) {
	for _, mode := range []Mode{Strict, Lazy, Passthrough} {
		bounce := Config{Mode: mode, Bounce: true}
		sometimes(t, DataCorruption, "byte 0 is byte 4 of vram, not byte 0 of request", roundtrip(bounce, "for device"))
		sometimes(t, DataCorruption, "byte 0 is byte 1000 of vram, not byte 0 of request", roundtrip(bounce, "for cpu"))
		always(t, roundtrip(bounce, ""))
		always(t, roundtrip(Config{Mode: mode}, "for device"))
		always(t, roundtrip(Config{Mode: mode}, "for cpu"))
	}
}

// A sync that races with the device: the driver has to wait for it.
func TestSyncTooEarly(t *testing.T) {
	early := func(wait bool) func(st *sim.Task) {
		return func(st *sim.Task) {
			b := newBoardWith(st, 1, Config{Bounce: true}, FromDevice)
			device := st.Go("device", func(st *sim.Task) { b.write(st, "drive") })
			st.Go("driver", func(st *sim.Task) {
				if wait {
					st.Join(device)
				}
				b.iommu.SyncForCPU(st, b.at(0), PageSize, FromDevice)
				b.holds(st, 0, PageSize, "drive")
			})
			st.Explore()
		}
	}
	sometimes(t, DataCorruption, "byte 0 is byte 0 of vram, not byte 0 of drive", early(false))
	always(t, early(true))
}

// Unmapping copies back what a device may have written, and only that: what it has not
// written is as it was.
func TestBounceUnmap(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 2, Config{Bounce: true}, FromDevice)
		b.iommu.DMA(st, FromDevice, []Segment{{b.at(PageSize - 1), 2}}, Bytes("drive", 0, 2))
		b.holds(st, 0, 2*PageSize, "vram")
		b.iommu.Unmap(st, b.segs)
		require.Equal(t, "vram[0..4094], drive[0..1], vram[4097..8191]", Peek(b.pages, 0, 2*PageSize).String())
		require.Empty(t, b.memory.Owned("dev0 bounce"), "slots are given back")

		b = newBoardWith(st, 1, Config{Bounce: true}, ToDevice)
		Poke(b.pages, 0, Zeroes(9))
		require.Equal(t, Bytes("vram", 0, PageSize), b.read(st), "as it was when it was mapped")
		b.iommu.Unmap(st, b.segs)
		require.Equal(t, Zeroes(9), Peek(b.pages, 0, 9), "nothing to copy back")
		require.Contains(t, b.iommu.History(b.at(0))[0], "a slot for page 0x2a0")
	})
	// The page is somebody else's by then.
	fails(t, StaleDMA, `a bounce buffer of dev0 is copied to page 0x2a0, which belongs to "evicted" now`, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Bounce: true}, FromDevice)
		Give(st, b.pages, "evicted")
		b.write(st, "drive") // to the slot, where it does no harm
		b.iommu.Unmap(st, b.segs)
	})
	fails(t, StaleDMA, `is copied from page 0x2a0`, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Bounce: true}, ToDevice)
		Give(st, b.pages, "evicted")
		b.iommu.SyncForDevice(st, b.at(0), 1, ToDevice)
	})
	// A slot that was given back is nobody's.
	fails(t, StaleDMA, `dev0 read 4096 bytes from page 0x2a1, which belongs to "" now`, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Mode: Lazy, Bounce: true}, ToDevice)
		b.iommu.Unmap(st, b.segs)
		b.read(st)
	})
}

func TestSyncMisuse(t *testing.T) {
	fails(t, sim.Misuse, "sync of bus address 0xfe000004 of dev0, which is not mapped", func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Bounce: true}, ToDevice)
		b.iommu.Unmap(st, b.segs)
		b.iommu.SyncForDevice(st, b.at(4), 8, ToDevice)
	})
	fails(t, sim.Misuse, "DMA_FROM_DEVICE; it was mapped DMA_TO_DEVICE", func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Bounce: true}, ToDevice)
		b.iommu.SyncForCPU(st, b.at(4), 8, FromDevice)
	})
}

// Memory that is coherent is never bounced.
func TestMapCoherent(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b := newBoardWith(st, 1, Config{Bounce: true}, ToDevice)
		table := b.memory.Table(st, "queue", 1)
		segs := b.iommu.MapCoherent(st, table)
		StoreWords(st, table, 1, 42)
		word := make([]uint64, 1)
		require.Nil(t, b.iommu.ReadWords(st, segs[0].Addr+8, word))
		require.Equal(t, uint64(42), word[0])
	})
}

// Syncs of any range move exactly that range.
func TestSyncRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.IntRange(0, 2*PageSize-1).Draw(t, "offset")
		n := rapid.IntRange(1, 2*PageSize-off).Draw(t, "length")
		toCPU := rapid.Bool().Draw(t, "to the CPU")
		dir := rapid.SampledFrom([]Direction{Bidirectional, ToDevice, FromDevice}).Draw(t, "direction")
		passes(t, func(st *sim.Task) {
			b := newBoardWith(st, 2, Config{Bounce: true}, Bidirectional)
			old, fresh := Bytes("vram", 0, b.size()), Bytes("fresh", 0, b.size())
			var got Data
			if toCPU {
				b.write(st, "fresh")
				b.iommu.SyncForCPU(st, b.at(off), n, dir)
				got = Peek(b.pages, 0, b.size())
			} else {
				Poke(b.pages, 0, fresh)
				b.iommu.SyncForDevice(st, b.at(off), n, dir)
				got = b.read(st)
			}
			want := old
			if toCPU && dir != ToDevice || !toCPU && dir != FromDevice {
				want = old.Overwrite(off, fresh.Slice(off, n))
			}
			check(st, got, want)
		})
	})
}
