// Package hw models the hardware under a kernel: physical pages, and devices that
// reach them by bus address through an IOMMU.
//
// A page has an owner and contents. Contents are kept as one [Stamp] per 512
// bytes, which says where the data came from; bytes are made only when somebody
// looks. When a page changes hands its generation changes, and a bus mapping
// remembers the generation that it was made for: so a device that still uses an old
// mapping is seen at the moment of the access, as a stale DMA, and not when the
// damage shows.
//
// Translation is strict: an unmapped address faults from the unmap on.
//
// Left out: lazy invalidation of the IOMMU's TLB, passthrough, bounce buffers,
// device memory, and real bytes.
package hw
