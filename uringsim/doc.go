// Package uringsim models io_uring: registered buffers, the issue of fixed reads and
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
// IMP-5). A worker is a task that is created when a request is punted; the bounded
// pool limits how many run. Task work runs when the ring's task waits for completions.
//
// Lock order:
//
//	uring_lock
//
// # Left out
//
// The entries of a registration in user memory (REG-1); vectored requests, ordinary buffers and the table's other operations, links,
// polling, DEFER_TASKRUN, overflow, cancellation, exit with requests in flight, short
// transfers that are resumed, and the real ring.
package uringsim
