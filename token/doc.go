// Package token is the dma_token framework: what a registration of a dma-buf against
// a file is, when in the life of an I/O the layers ask a design about it, and which
// repairs of the posted design there are.
//
// # How Linux does it
//
// RFC v2 of the series adds a token: an opaque handle that io_uring gets for a
// registered dma-buf, carries through the iterator and the bio, and that the block
// layer turns into a DMA mapping when a request is built. The mapping can be taken
// away at any moment by the exporter, and made again by a later request.
//
// # How the model does it
//
// Designs differ in when they look up, take and drop the mapping. The layers call
// every stage on every path, and a design does there what it does:
//
//	stage        called by            context                       rfc-v2            drain
//	Register     file operation       ring lock held, may sleep     token, attach     the same
//	Import       ring, at issue       ring, may be non-blocking     -                 -
//	Split        block layer          submit                        share             count
//	Submit       block layer          see below                     get or make map   the same, count
//	Queue        block layer          dispatch, no sleep            the map           the map
//	Requeue      block layer          dispatch                      keep              keep
//	Complete     driver               interrupt                     -                 -
//	Free         block layer          any                           drop if single    drop
//	Finish       ring                 task work                     -                 -
//	Invalidate   importer             exporter's lock held          fence, kill       wait here
//	Unregister   ring                 may sleep                     release           release
//
// A frag is carved with Split for every bio that is split off or cloned, and goes to the
// bio's request, which frees it; if the bio ends without one, it is freed as never queued.
// Queue is called at every try, and Requeue each time that the driver gives a request back.
// As posted Submit is called with a tag in hand, and may sleep unless the frag may not wait. With map-before-tag, which
// the draining designs run on, no call with a tag may wait; one that may has none, and Free follows it at once.
//
// A design is a package of its own; nothing in iter, blkmq, nvmesim or uringsim knows
// which one runs. The posted design is in blkmq/dmatoken, a design that drains
// synchronously in token/drain, and the smallest that is right in token/toy.
package token
