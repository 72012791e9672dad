package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Request is struct request.
type Request struct {
	Bio *Bio
	// Nsegs is the number of physical segments.
	Nsegs uint32
	// Frag carries the token's part; Frag.Map is rq->dma_map.
	Frag token.Frag
	// Map is what the Queue stage gave the driver to program, nil for none.
	Map *token.Map

	q     *Queue
	tag   int
	state state
}

type state uint8

const (
	idle state = iota
	inFlight
	complete
	freed
)

// Tag is the number under which the hardware knows the request.
func (rq *Request) Tag() int { return rq.tag }

// Start is blk_mq_start_request: the driver is about to give the request to the
// hardware.
func (rq *Request) Start(t *kernel.Task) {
	if rq.state != idle {
		t.Warn("blk_mq_start_request: the request is not idle")
	}
	rq.state = inFlight
}

// Complete ends the request: its bio ends (CMP-2), and it is freed by itself as
// blk_mq_end_request does (CMP-3), or, on a queue that batches and without an error, as
// the only one of a batch (CMP-3a). Any context.
func (rq *Request) Complete(t *kernel.Task, s kernel.BlkStatus) {
	if rq.state != inFlight {
		t.Fail(iter.DoubleCompletion, "request with tag %d completed, but it is not in flight (%s)", rq.tag, t.Task)
	}
	rq.state = complete
	t.At("CMP-2", "bio_endio()")
	rq.Bio.end(t, s)
	p := token.Single
	if rq.q.Batch && s == kernel.BLK_STS_OK {
		p = token.Batch
	}
	rq.free(t, p)
}

// free is blk_mq_free_request (CMP-3): the map reference, then the tag.
func (rq *Request) free(t *kernel.Task, p token.Path) {
	if rq.state == freed {
		t.Fail(kernel.DoubleFree, "request with tag %d freed twice (%s)", rq.tag, t.Task)
	}
	rq.state = freed
	if rq.Frag.Use != nil {
		rq.Frag.Use.Token.Free(t, &rq.Frag, p)
	}
	t.Atf("CMP-3", "put tag %d", rq.tag)
	rq.q.Tags.put(t, rq)
}
