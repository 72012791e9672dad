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
// Taking the lock of a fence, what is done under it, and giving it up are one operation as
// long as no callback, and no op of the driver, has operations of its own. So a signal is
// one operation, and a wait without timeout and signals is one.
//
// Lock order, which lockdep is told when the first fence or reservation object is made:
//
//	mmap_lock
//	    reservation_ww_class acquire context
//	        dma_resv lock
//	            fs_reclaim: allocation with GFP_KERNEL
//	                i_mmap_rwsem
//	                MMU notifiers: any allocation that may sleep
//	                    waiting for a fence
//
// Code between [BeginSignalling] and [EndSignalling] comes after all of it. A reservation object
// that is Strict begins such a section by itself.
//
// # Left out
//
// Static importers and pinning; CPU access and mmap; poll and sync_file; the collection of
// signalled nodes while a chain of fences is walked. Taking and dropping a reference of a fence
// are no scheduling points; taking one from a list that is not locked is. The release of a buffer
// after its last put runs in a task of its own, as a deferred fput does.
package dmabufsim
