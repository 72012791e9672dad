// Package dmabufsim models dma-buf: buffers that one driver exports and others
// import, their reservation objects and fences, and exporters that move them.
//
// # How Linux does it
//
// drivers/dma-buf: a dma_buf has a reservation object (dma_resv), which is a
// ww_mutex and a list of fences with usage classes. An importer attaches its device
// (dma_buf_dynamic_attach), and maps the attachment with the reservation lock held.
// An exporter that wants to move the buffer takes the lock, calls the importers'
// move_notify (invalidate_mappings in newer kernels), waits for the fences, and
// moves. A fence signals once; waiting for a class waits for all stronger ones.
//
// # How the model does it
//
// The same, under the same names. [Moving] is the exporter: it moves its buffer under the
// lock, or in a job of its own behind a KERNEL fence. The contract of the two stages after move_notify
// is checked by the hardware underneath: once the exporter has waited for the
// fences, a DMA to the old pages is stale.
//
// Lock order:
//
//	dma_resv lock
//	    (allocation with GFP_KERNEL is allowed under it)
//
// # Left out
//
// Static importers and pinning; CPU access and mmap; callbacks, deadlines, arrays
// and chains of fences; poll and sync_file; interruption and timeouts of waits. The
// reference count of a fence is not a scheduling point. The release of a buffer
// after its last put runs in a task of its own, as a deferred fput does.
package dmabufsim
