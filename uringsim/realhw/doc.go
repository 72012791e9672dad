// Package realhw runs simulated machines on real bytes: it is the [hw.Backend] in which the
// kernel moves what the models only name.
//
//	b, err := realhw.Open(realhw.Options{})
//	defer b.Close()
//	explore.Run(ctx, b.Program(program), strategy, options)
//
// # What is real
//
// Pages that are taken together are a buffer: a sealed memfd, with a udmabuf over it where
// the host has /dev/udmabuf, registered as a fixed buffer of a ring. A drive is a part of a
// file without a name, or of a block device that may be overwritten. What a device transfers is a READ_FIXED or WRITE_FIXED with O_DIRECT,
// one for every stretch of memory that is in one buffer; what a CPU copies, an exporter that
// moves a buffer for one, is copied; what somebody looks at is read, through the udmabuf
// between DMA_BUF_IOCTL_SYNC calls or from the file, and compared with what the model
// expects. The bytes of pages that were given to somebody else are those of the new owner:
// so a transfer that is late really damages them, and the report says which byte is what.
//
// The explorer stays the one who decides what happens when: the models of the protocol are
// the same, and so are verdicts, schedules, replay strings and hashes.
//
// # Two modes
//
// Stepped: a transfer is submitted and waited for within one explored operation. Runs are
// deterministic, can be replayed and made smaller.
//
// Overlapped: submission and completion are two explored operations, and between them the
// transfer takes the time that it takes while other tasks run. What depends on that time is
// not replayable. A page that changes hands in between is a stale DMA, and an address that
// is unmapped in between a fault, whether or not the bytes were quick enough. The model makes
// the transfer when it is over; a CPU that changes bytes which are under way, or looks at them,
// gets what it would get from a device.
//
// # How it is done
//
// A session is a ring, a file and buffers, for one machine at a time; what a run leaves in
// them is put back after it, so that the next one need not make them anew. There are as many
// as machines ran at the same time. A file has room for the stretches of a drive that one run
// touches, and is written all over before the first one.
//
// Direct I/O wants whole blocks of the file and addresses that are multiples of some number.
// A transfer of which a part does not fit that goes by a bounce buffer as a whole: a
// READ_FIXED into it and copies, or copies and a WRITE_FIXED, with the rest of the blocks
// read before. A device that has no medium, such as a NIC, copies.
//
// # Left out
//
// Pages of descriptors: the models read them word by word. An
// IOMMU: what does not translate is not transferred. The model reads a drive when a command
// is executed and the real one when its data are transferred, which are neighbouring
// operations; it matters only for requests on the same blocks at the same time, whose result
// is not defined.
package realhw
