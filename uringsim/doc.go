// Package uringsim models io_uring: registered buffers and files, the issue of fixed reads and
// writes, punting to workers, and completion.
//
// # How Linux does it
//
// io_uring/rsrc.c keeps registered buffers as nodes with references; io_uring/rw.c
// looks a buffer up at issue, tries without blocking, and hands a request that would
// block to an io-wq worker. A completion from an interrupt becomes task work of the
// ring's task, which posts the completion entry and frees the request.
//
// # How the model does it
//
// The steps are those of the specification of RFC v2, sections 1, 2 and 8 (REG-5,
// IMP-5). Ordinary buffers are pinned pages that an iterator uses in place, and share the table
// with dma-bufs. A worker is a task that is created when a request is punted; the bounded
// pool limits how many run. Task work runs when the ring's task waits for completions, and
// where it says so ([Ring.InUserMode]); with DEFER_TASKRUN when it asks for events and at no
// other time.
//
// Where the submitting task alone uses a ring, everything but the arrival of completions is
// private to it: a request costs as few scheduling points as it has completions and punts.
//
// Lock order:
//
//	uring_lock (of one ring, then of the one that was made after it)
//
// # Versions
//
// In 6.12 a buffer is looked up and imported at submission; what is taken out of a table is
// freed when all requests before it are done, in order; unregistering waits for them and posts
// no tags; and only a completion inside the attempt has a request issued again.
//
// # What the posted registration does
//
// The io_mapped_ubuf of a dma-buf comes from the ring's cache, and its vectors and acct_pages
// hold what they held for the buffer before (REG-7, REG-8). Vectored opcodes do not know of
// dma-bufs (IMP-4). Three repairs of package token change that: init-imu, no-vectors and
// refuse-vectored.
//
// # Left out
//
// Opcodes other than reads and writes, nops and cancels; IOSQE_IO_DRAIN, provided buffers, multishot,
// timeouts, eventfd; restrictions beyond one that forbids registering; direct descriptors that are installed by
// requests. Folios larger than a page. Hashed work, as that of buffered writes. A poller drops
// uring_lock after each round, and the kernel when it is to reschedule. A task that ends
// without [Ring.TaskExit] leaves its requests to a fallback worker.
package uringsim
