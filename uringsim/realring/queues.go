//go:build linux

package realring

import (
	"sync/atomic"
	"unsafe"

	"dmasim/internal/uapi"
)

// submission is the submission ring. The user owns tail and the entries from head to
// tail until the tail is published; the kernel owns head.
type submission struct {
	ring, entries []byte
	head, tail    *uint32
	flags         *uint32
	dropped       *uint32
	sqes          []uapi.IoUringSqe
	mask          uint32
	// next is the tail as far as entries were prepared; published by Submit.
	next uint32
	// seen is the head that was accounted for.
	seen uint32
}

func word(mem []byte, offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&mem[offset])) }

func (q *submission) init(ring, entries []byte, p *uapi.IoUringParams) {
	o := &p.SqOff
	*q = submission{
		ring: ring, entries: entries,
		head: word(ring, o.Head), tail: word(ring, o.Tail), flags: word(ring, o.Flags), dropped: word(ring, o.Dropped),
		sqes: unsafe.Slice((*uapi.IoUringSqe)(unsafe.Pointer(&entries[0])), p.SqEntries),
		mask: *word(ring, o.RingMask),
	}
	if p.Flags&uapi.IORING_SETUP_NO_SQARRAY == 0 {
		array := unsafe.Slice(word(ring, o.Array), p.SqEntries)
		for i := range array {
			array[i] = uint32(i) // slot i of the ring is entry i, for good
		}
	}
}

// room counts the free entries.
func (q *submission) room() int { return len(q.sqes) - int(q.next-atomic.LoadUint32(q.head)) }

// pending counts the published entries that the kernel has not consumed.
func (q *submission) pending() uint32 { return atomic.LoadUint32(q.tail) - atomic.LoadUint32(q.head) }

// publish hands the prepared entries over: the store of the tail releases them.
func (q *submission) publish() { atomic.StoreUint32(q.tail, q.next) }

// consumed counts what the kernel took since it was last asked.
func (q *submission) consumed() int {
	head := atomic.LoadUint32(q.head)
	n := head - q.seen
	q.seen = head
	return int(n)
}

// completion is the completion ring. The kernel owns tail, the user head.
type completion struct {
	head, tail *uint32
	overflow   *uint32
	cqes       []uapi.IoUringCqe
	mask       uint32
}

func (q *completion) init(ring []byte, p *uapi.IoUringParams) {
	o := &p.CqOff
	*q = completion{
		head: word(ring, o.Head), tail: word(ring, o.Tail), overflow: word(ring, o.Overflow),
		cqes: unsafe.Slice((*uapi.IoUringCqe)(unsafe.Pointer(&ring[o.Cqes])), p.CqEntries),
		mask: *word(ring, o.RingMask),
	}
}

// ready counts the entries that can be taken.
func (q *completion) ready() int {
	return int(atomic.LoadUint32(q.tail) - atomic.LoadUint32(q.head))
}

// take copies the oldest entry and gives its place back: the store of the head comes
// after the copy.
func (q *completion) take() (uapi.IoUringCqe, bool) {
	head := atomic.LoadUint32(q.head)
	if head == atomic.LoadUint32(q.tail) {
		return uapi.IoUringCqe{}, false
	}
	c := q.cqes[head&q.mask]
	atomic.StoreUint32(q.head, head+1)
	return c, true
}
