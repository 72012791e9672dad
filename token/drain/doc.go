// Package drain is a design that invalidates synchronously: move_notify kills the
// reference of the map, waits for the last request that holds it, and unmaps in place,
// all with the exporter's reservation lock held. It publishes no fence.
//
// A map is made, published and counted under the reservation lock, so it cannot be
// invalidated half made. A request holds its reference from submission until its data
// is on its way no more, which no lock can delay: the wait under the lock ends. The
// cost is that the exporter is held up by the device, where fences would let it go on.
//
// Lock order:
//
//	dma_resv lock
package drain
