package hw

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// gpu is a device's memory, mapped for another device.
func gpu(st *sim.Task, c Config, how Peer) (*board, *Region) {
	b := &board{memory: &Memory{}, iommu: NewIOMMU(st, "dev0")}
	c.Memory = b.memory
	b.iommu.Configure(st, c)
	b.memory.NewBAR(st, "other gpu", 3)
	r := b.memory.NewBAR(st, "gpu", 2)
	b.iommu.SetPeer(r, how)
	b.pages = r.Pages
	Fill(b.pages, "vram")
	b.segs = b.iommu.Map(st, b.pages, Bidirectional)
	return b, r
}

func TestPeers(t *testing.T) {
	for _, c := range []Config{{}, {Mode: Lazy}, {Mode: Passthrough}, {Bounce: true}} {
		for _, how := range []Peer{PeerBusAddr, PeerThruHostBridge} {
			passes(t, func(st *sim.Task) {
				b, r := gpu(st, c, how)
				require.Equal(t, how, b.iommu.Peer(r))
				require.Equal(t, Bytes("vram", 0, b.size()), b.read(st))
				b.write(st, "drive")
				require.Equal(t, Bytes("drive", 0, b.size()), Peek(b.pages, 0, b.size()))
				physical := b.at(0) == BusAddr(r.Pages[0].Phys())
				require.Equal(t, how == PeerBusAddr || c.Mode == Passthrough, physical)
			})
		}
		fails(t, IOMMUFault, "faults; it is memory of another device, which cannot be reached", func(st *sim.Task) {
			b, _ := gpu(st, c, PeerNotSupported)
			b.write(st, "drive")
		})
		passes(t, func(st *sim.Task) {
			b, r := gpu(st, c, PeerNotSupported)
			require.Equal(t, PeerNotSupported, b.iommu.Peer(r))
			_, f := b.iommu.TryDMA(st, ToDevice, b.segs, nil)
			require.Equal(t, Unsupported, f.Reason)
		})
	}
}

// What goes through a switch never meets the IOMMU: it can be used after the unmap, and
// is stale once the memory has another owner.
func TestPeerAfterUnmap(t *testing.T) {
	after := func(how Peer, give bool) func(st *sim.Task) {
		return func(st *sim.Task) {
			b, r := gpu(st, Config{}, how)
			st.Go("device", func(st *sim.Task) { b.read(st) })
			st.Go("exporter", func(st *sim.Task) {
				b.iommu.Unmap(st, b.segs)
				if give {
					Give(st, r.Pages, "evicted")
				}
			})
			st.Explore()
		}
	}
	always(t, after(PeerBusAddr, false))
	sometimes(t, StaleDMA, `which belongs to "evicted" now`, after(PeerBusAddr, true))
	sometimes(t, IOMMUFault, "and unmapped by exporter", after(PeerThruHostBridge, false))
}

// Behind a region there is nothing.
func TestPastRegion(t *testing.T) {
	for _, c := range []Config{{}, {Mode: Passthrough}} {
		fails(t, IOMMUFault, "dev0: DMA read of 8 bytes at bus address 0x3900002000 faults", func(st *sim.Task) {
			b, _ := gpu(st, c, PeerBusAddr)
			b.iommu.DMA(st, ToDevice, []Segment{{b.at(2*PageSize - 4), 8}}, nil)
		})
	}
}

// A list of pages of both kinds becomes segments of both kinds, in order.
func TestMixedPages(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b, r := gpu(st, Config{}, PeerBusAddr)
		ram := b.memory.Alloc(st, "ram", 3)
		pages := []*Page{ram[0], ram[2], r.Pages[0], r.Pages[1], ram[1], r.Pages[1]}
		Fill(pages[:4], "mix")
		segs := b.iommu.Map(st, pages, Bidirectional)
		require.Len(t, segs, 4)
		require.Equal(t, Bytes("mix", 0, 3*PageSize), b.iommu.DMA(st, ToDevice, segs[:2], nil).Slice(0, 3*PageSize))
		require.Equal(t, Segment{BusAddr(r.Pages[1].Phys()), PageSize}, segs[3])
	})
}

func TestPeerString(t *testing.T) {
	require.Equal(t, "not supported, bus address, through the host bridge",
		PeerNotSupported.String()+", "+PeerBusAddr.String()+", "+PeerThruHostBridge.String())
}
