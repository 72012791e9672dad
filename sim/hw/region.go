package hw

import "dmasim/sim"

// firstBAR is the page frame of the first device memory: far above RAM and above all
// bus addresses of an IOMMU.
const firstBAR = 0x380_0000

// barStride keeps regions apart, in pages.
const barStride = 1 << 20

// Region is memory of a device that others can reach on the bus: a BAR.
type Region struct {
	// Device is the name of the device that the memory is on.
	Device string
	Pages  []*Page
}

// NewBAR gives a device n pages of memory of its own.
func (m *Memory) NewBAR(t *sim.Task, device string, n int) *Region {
	r := &Region{Device: device}
	first := firstBAR + m.regions*barStride
	m.regions++
	for i := range n {
		r.Pages = append(r.Pages, m.page(t, r, first+uint64(i), device))
	}
	m.back(r.Pages)
	return r
}

// Peer says how a device reaches the memory of another one, as enum
// pci_p2pdma_map_type does.
type Peer uint8

const (
	// PeerNotSupported: not at all. The host bridge between them does not forward
	// peer-to-peer transactions, or nobody knows that it does.
	PeerNotSupported Peer = iota
	// PeerBusAddr: through a switch above both, by the bus address of the BAR. Such
	// transactions never get to the IOMMU, so no unmap can end them.
	PeerBusAddr
	// PeerThruHostBridge: up through a host bridge that is known to forward them, and so
	// through the IOMMU like RAM.
	PeerThruHostBridge
)

func (p Peer) String() string {
	return [...]string{"not supported", "bus address", "through the host bridge"}[p]
}

// SetPeer tells how the device reaches a region; without it, it does not.
func (u *IOMMU) SetPeer(r *Region, how Peer) { u.peers = append(u.peers, peer{r, how}) }

type peer struct {
	region *Region
	how    Peer
}

// Peer is pci_p2pdma_distance as a question of yes or no: how the device reaches the
// region. Whoever maps pages of a region has to ask first. A mapping of one that cannot
// be reached is made all the same, as dma_map_resource makes it, and transfers through it
// end as unsupported requests.
func (u *IOMMU) Peer(r *Region) Peer {
	how := PeerNotSupported
	for _, p := range u.peers {
		if p.region == r {
			how = p.how
		}
	}
	return how
}

// behindSwitch is the page that a transaction is routed to before it gets to the IOMMU,
// if any.
func (u *IOMMU) behindSwitch(a BusAddr) *Page {
	for _, p := range u.peers {
		first := BusAddr(p.region.Pages[0].Phys())
		if i := (a - first) / PageSize; a >= first && int(i) < len(p.region.Pages) && u.Peer(p.region) == PeerBusAddr {
			return p.region.Pages[i]
		}
	}
	return nil
}
