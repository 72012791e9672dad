// Package blkmq models the block layer: a bio that carries a token, a request with a
// tag from a bounded set, its dispatch to the driver, and its completion.
//
// # How Linux does it
//
// block/fops.c turns a read or write of a block device with O_DIRECT into a bio;
// block/blk-mq.c gives it a request, which needs a tag, and hands that to the driver's
// queue_rq. The driver completes it from an interrupt; freeing it gives the tag back.
//
// # How the model does it
//
// The steps are those of the specification of RFC v2, sections 4 and 5 (BIO-1,
// SUB-3), and functions say which ones they are. The stages of package token are
// called at their places. The number of tags is bounded; an allocation that may wait
// waits for one.
//
// # Left out
//
// Splitting: a bio that would have to be split ends with -EOPNOTSUPP, and says so.
// Plugging, schedulers, requeueing (a driver that asks for it fails the request),
// batches of more than one completion, freezing and queue_usage references, timeouts, and ordinary
// bvec payload. One hardware queue.
package blkmq
