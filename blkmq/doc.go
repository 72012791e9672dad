// Package blkmq models the block layer: bios with vectors or a token for payload, their
// splitting to what a device can do, requests with tags from bounded sets, their dispatch
// to the driver, and their completion.
//
// # How Linux does it
//
// block/fops.c turns a read or write of a block device with O_DIRECT into bios;
// block/blk-core.c checks them, and keeps those that are submitted inside a submission from
// recursing; block/blk-merge.c splits them; block/blk-mq.c gives each a request, which needs
// a tag, and hands that to the driver's queue_rq, or keeps it in the task's plug, in a
// hardware queue's dispatch list or in the requeue list. The driver completes it from an
// interrupt or a poll; freeing it gives the tag back. Timeouts, freezing and quiescing go
// past all that.
//
// # How the model does it
//
// Names are the kernel's; steps that carry a label are those of the specification of RFC v2,
// sections 4 and 5 (BIO-1, SUB-3). Where kernels differ the profile decides. The stages of
// package token are called at their places, on every path: a frag is made when a bio is
// split or cloned, or when a request is bound, and freed once.
//
// A submission that nothing stands in the way of is one operation, the tag, and its end
// another. All else that it touches of the queue, which is its usage counter, its references
// and whether it is frozen, quiesced or dying, belongs to the operation before; freezing and
// the like are operations of their own, and conflict with that. The dispatch lists of a
// hardware queue are part of its tags to an explorer.
//
// A plug is flushed before any wait of its task, also if the task would not have slept.
//
// # Left out
//
// Schedulers, and with them scheduler tags; fair sharing of tags between queues, reserved
// tags; the average of how busy dispatching is. Flushes that several requests share.
// Integrity data but for what it does to a token, inline encryption, zones, discards, atomic
// writes beyond that they are not split, throttling. In 6.12 each bio is submitted in a plug of
// its own if there is no other; that changes nothing here.
// The page cache reads nothing ahead, writes nothing back by itself and gives no page up; a
// direct write does not invalidate pages a second time when it is done.
package blkmq
