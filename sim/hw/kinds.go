package hw

import "dmasim/sim"

// Kinds of failure that need hardware to be understood.
const (
	// StaleDMA: a device reached a page through a mapping that was made for an
	// earlier owner of the page, or after the exporter's wait for its fences ended.
	StaleDMA sim.Kind = "stale-dma"
	// IOMMUFault: a device used a bus address that nothing is mapped at, or that leads to
	// nothing that it can reach.
	IOMMUFault sim.Kind = "iommu-fault"
	// DataCorruption: the contents of a block or a buffer are not what they must be.
	DataCorruption sim.Kind = "data-corruption"
)
