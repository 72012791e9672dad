// Package toy is the smallest design that is right: whoever wants the mapping takes the
// reservation lock, and counts himself in there. It is no proposal, since each request pays for the
// lock, but something to hold others against: where the toy fails, the model or the
// scenario is wrong, or nobody can pass.
//
// A request that may not wait gives up when the lock is taken. move_notify has the lock, so
// that nobody can come in meanwhile; it waits until the last request has counted itself out,
// which needs no lock, and unmaps in place. There is no fence.
//
// Lock order:
//
//	dma_resv lock
package toy
