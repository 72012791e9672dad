package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Request is struct request: bios that follow each other on the device, and a tag.
type Request struct {
	Op    Op
	Flags Flags
	// Bio is the first bio that has not ended, nil for none.
	Bio *Bio
	// Sector and Bytes are the range on the device that has not completed.
	Sector uint64
	Bytes  uint32
	// Nsegs is nr_phys_segments.
	Nsegs uint32
	// Frag carries the token's part; Frag.Map is rq->dma_map.
	Frag token.Frag
	// Map is what the Queue stage gave the driver to program, nil for none.
	Map *token.Map
	// Hctx is the hardware queue that the request belongs to.
	Hctx *Hctx
	// Last is struct blk_mq_queue_data's last: nothing follows at once.
	Last bool
	// DontPrep is RQF_DONTPREP: the driver has prepared something that survives a requeue.
	DontPrep bool
	// Pdu is the driver's data. It stays with the tag from one request to the next.
	Pdu any
	// Timeout replaces the queue's if it is not 0.
	Timeout kernel.Jiffies
	// Retries is for the driver.
	Retries int
	// EndIO is end_io, for requests of passthrough: it says whether the request is to be
	// freed (RQ_END_IO_FREE).
	EndIO func(t *kernel.Task, rq *Request, s kernel.BlkStatus) (free bool)

	q         *Queue
	tail      *Bio
	tag       int
	handed    kernel.Point // see handOver
	started   kernel.Point // where it was started, or handed over before that
	state     state
	refs      int // besides the owner's, see timeouts
	dead      bool
	cancelled bool
	timedOut  bool // RQF_TIMED_OUT
	deadline  kernel.Jiffies
	path      token.Path
	ran       bool // see starved
	refused   int  // see retryDelay
	flush     *flushing
}

type state uint8

const (
	idle state = iota
	inFlight
	complete
	freed
)

// Queue is the queue of the request.
func (rq *Request) Queue() *Queue { return rq.q }

// Tag is the number under which the hardware knows the request.
func (rq *Request) Tag() int { return rq.tag }

// Nowait tells whether the request may not wait.
func (rq *Request) Nowait() bool { return rq.Flags&REQ_NOWAIT != 0 }

// Dir is the direction of the data.
func (rq *Request) Dir() hw.Direction { return rq.Op.Dir() }

// Step is the name of a step of the protocol for a request with a token, "" for all others.
func (rq *Request) Step(name string) string {
	if rq.Frag.Use == nil {
		return ""
	}
	return name
}

// InFlight tells whether the request was started and has not completed.
func (rq *Request) InFlight() bool { return rq.state == inFlight }

// Vecs yields what is left of the vectors of all bios (rq_for_each_bvec). A request with a
// token has none.
func (rq *Request) Vecs(yield func(iter.Bvec) bool) {
	for b := rq.Bio; b != nil; b = b.next {
		if !b.bvecs(yield) {
			return
		}
	}
}

// bind is blk_mq_bio_to_request (SUB-2).
func (rq *Request) bind(b *Bio, nsegs uint32) {
	rq.Op, rq.Flags = b.Op, b.Flags
	rq.Bio, rq.tail, rq.Sector, rq.Bytes, rq.Nsegs = b, b, b.Sector, b.Size, nsegs
	if b.Use != nil {
		rq.Frag = b.takeFrag()
	}
}

// Start is blk_mq_start_request: the driver is about to give the request to the
// hardware. Its time runs from here.
func (rq *Request) Start(t *kernel.Task) {
	if rq.state != idle {
		t.Warn("blk_mq_start_request: the request is not idle")
	}
	if rq.started = rq.handed; rq.started == (kernel.Point{}) {
		rq.started = t.Point()
	}
	rq.q.timer.add(t, rq)
	rq.state, rq.refused = inFlight, 0
	if b := rq.Bio; b != nil && b.Flags&REQ_POLLED != 0 {
		b.Cookie = rq.Hctx
	}
}

// Free is blk_mq_free_request, for a request of passthrough.
func (rq *Request) Free(t *kernel.Task) { rq.free(t, token.Single) }

// free is blk_mq_free_request (CMP-3): the map reference, then the tag.
func (rq *Request) free(t *kernel.Task, p token.Path) {
	if !rq.drop(t, p) {
		return
	}
	t.Atf(rq.Step("CMP-3"), "put tag %d", rq.tag)
	rq.Hctx.tags.put(t, rq)
	rq.Hctx.freed(t, 1)
}

// drop is what freeing a request does before its tags go: false if somebody else will do
// the rest.
func (rq *Request) drop(t *kernel.Task, p token.Path) bool {
	if rq.state == freed {
		t.Fail(kernel.DoubleFree, "request with tag %d freed twice (%s)", rq.tag, t.Task)
	}
	rq.state = freed
	rq.q.timer.touch(t)
	if rq.refs > 0 { // the count is dropped with full order
		t.Release(&rq.q.timer.obj)
		rq.dead, rq.path = true, p
		return false
	}
	if rq.Frag.Use != nil {
		rq.Frag.Use.Token.Free(t, &rq.Frag, p)
	}
	return true
}
