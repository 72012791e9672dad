// Package realring is a real io_uring ring by system calls, for the runs that compare
// the models with a kernel.
//
// # How Linux does it
//
// A ring is two arrays in memory that the kernel shares (io_uring/io_uring.c). The user
// fills submission entries, moves the tail and enters the kernel, which consumes from the
// head; the kernel fills completion entries and moves the tail, the user the head. When
// the completion ring is full, entries wait in a list in the kernel (IORING_FEAT_NODROP)
// until somebody enters. Completions of block I/O are posted by task work of the thread
// that submitted, so that thread has to live: when it exits, its requests are cancelled.
// Tables of registered buffers and files are changed by io_uring_register.
//
// # How we do it
//
// The words of the shared rings are read and written through sync/atomic, which is
// stronger than the acquire and release that the protocol needs; entries are plain memory
// on the safe side of them. What the kernel has consumed is read from the head of the
// submission ring, never from the result of io_uring_enter: Go interrupts threads that it
// wants to preempt by a signal (SIGURG), after which the call returns EINTR, or the number
// submitted without a completion. So every wait loops until the completion ring has what
// was asked for, and every register call is repeated on EINTR.
//
// A ring belongs to one goroutine. With IORING_SETUP_SINGLE_ISSUER or
// IORING_SETUP_DEFER_TASKRUN the kernel binds it to a thread, and Setup locks the goroutine
// to its own until Close.
//
// Memory that is given to the kernel by address must not move or be freed before the
// completion: take it from mmap. Unregistering does not always say that nobody uses the
// memory any more: up to 6.12 it waits for requests in flight, later kernels return at
// once. Close waits.
//
// A call that fails returns a *uapi.Error with what was attempted and the errno.
//
// # Left out
//
// SQPOLL and IOPOLL, entries of twice the size, rings in memory of the user's, multishot
// requests, tags of registered resources, provided buffers, restrictions, and every
// operation that is not needed for fixed reads and writes.
package realring
