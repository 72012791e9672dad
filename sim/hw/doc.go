// Package hw models the hardware under a kernel: physical pages, and devices that
// reach them by bus address through an IOMMU.
//
// A page has an owner and contents. Contents are exact to the byte, and kept as the
// places where the bytes come from ([Data]), so that what a drive transfers is a few
// words however long it is; bytes are made only when somebody looks. When a page changes
// hands its generation changes, and a bus mapping remembers the generation that it was
// made for: so a device that still uses an old mapping is seen at the moment of the
// access, as a stale DMA, and not when the damage shows.
//
// # What a device can reach
//
// [Config] says what stands between a device and memory. A strict IOMMU faults from the
// unmap on. A lazy one translates what was unmapped until its TLB is flushed; that is
// what hardware may do and not must do, so the access is a stale DMA only once the page
// belongs to somebody else, and else silent. In passthrough everything can be reached,
// and an access is stale if the device's last mapping of the page is from an earlier
// owner; pages that were never mapped for it are just overwritten, and found when
// contents are compared. An address that is used again for another page is nobody's
// fault to the hardware either, and found in the same way.
//
// A fault ends the run by default. A model of a device that has to answer a fault with
// an error of its own takes it from [IOMMU.TryDMA].
//
// Mappings can be bounced: then device and CPU see each other's writes when the mapping
// is made and unmapped, and at the sync calls, and not in between.
//
// Memory of a device ([Region]) is reached from another one through a switch, through a
// host bridge, or not at all.
//
// # Real bytes
//
// With a [Backend] pages and media have real bytes, too: all that changes contents has it
// change them, a device's [Transfer] has it move them, and whoever looks finds what is
// really there. Nothing else is different.
//
// # Left out
//
// Order and atomicity of a transfer's parts: it happens at once. Invalidation of single
// ranges, queues of flushes per CPU, IOMMU groups and PASIDs, ATS. Slots smaller than a
// page, and the lack of slots. Lines of a cache that two buffers share.
package hw
