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
// The same, under the same names. The contract of the two stages after move_notify
// is checked by the hardware underneath: once the exporter has waited for the
// fences, a DMA to the old pages is stale. An importer that has been told and never unmaps is
// found at the end of a run, or when asked for: see [Bus.Overdue].
//
// What versions differ in follows the profile. Up to 6.12 an attachment where one side is
// dynamic and the other is not is pinned and mapped at attach, and keeps that one table; later
// the map call does it.
//
// # Exporters
//
// A design that takes moves badly fails only with an exporter that does what drivers do:
//
//	GPU, BufferObject  a memory manager, as TTM: eviction, restore, migration inside
//	                   map_dma_buf, jobs and their timeouts, delayed delete
//	UserQueue          queues that are preempted and restored, as those of amdkfd
//	Moving             the same buffer with a call for each way to move
//	Freezing           stops wherever a test wants it to
//	Revoking           takes its memory away for good, as vfio
//	PinningAtAttach    never moves what somebody is attached to, as i915
//	Odd                tables of any shape
//	udmabuf            pages of memfds, which never move
//
// What drivers differ in, and what discussions leave open, is in a [Policy]; [Presets] has names
// for the known kinds. Old pages can go to another owner, stay unused, or come back.
// [RDMA] is an importer that is right, for two on one buffer.
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
//	                or: MMU notifiers: any allocation that may sleep
//	                    waiting for a fence
//
// Code between [BeginSignalling] and [EndSignalling] comes after all of it. A reservation object
// that is Strict begins such a section by itself.
//
// # Rules of fences
//
// What may happen between the publication of a fence and its signal, and what an importer may do
// once it was told of a move, is checked in each run, whether or not it ended badly: see
// [FenceRule]. A report names the fence, who published it, and the steps that lead from the
// offence to the signal. The tests have a breach of each rule, and a program of the same shape
// that is right.
//
//	rule                                                checked                     test
//	R2 all allocations come before the work begins      at the signal               FenceRules
//	R3 no allocation that may enter reclaim             at the signal               FenceRules, FenceOfReferences
//	R4 no reservation lock                              at the signal               FenceRules
//	R5 no use of the old mapping once the fences        at each transfer, and at    RulesOfAccess
//	   have signalled that stood for it                 move_notify if there are
//	                                                    none
//	R5 the unmap follows by itself                      at the end of Explore       RulesOfAccess
//	R6 no user space, no task work, no new I/O, no      at the signal               FenceRules
//	   workqueue without a rescuer
//	R7 what uses the old mapping is over by necessity   at the signal               RulesOfAccess
//	   when the importer's fence signals
//	R7 who holds what the fence waits for does not      at the signal               FenceOfReferences, blkmq TagWithTheMap
//	   wait for what other I/O has
//	R8 a new mapping is used after the KERNEL fences    at each transfer            RulesOfAccess
//
// For "at the signal" what the signal depended on is found in the trace: see [kernel.Cone]. What
// the rules allow, though it looks as if they did not, is in the test RulesAllow. That fewer fences
// are waited for than were published, or in a class that is too weak, is no rule here: the
// hardware sees what comes of it.
//
// # Left out
//
// Poll and sync_file; caches, and so what begin and end of CPU access do besides waiting; page
// tables of mappings of the CPU, which look up the page each time; the collection of
// signalled nodes while a chain of fences is walked. Taking and dropping a reference of a fence
// are no scheduling points; taking one from a list that is not locked is. The copy of a move is
// one operation. Jobs of a device run in any order that their fences allow, not one after the
// other.
package dmabufsim
