package blkmq

import (
	"fmt"
	"strings"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Tagset is struct blk_mq_tag_set: what queues have their hardware queues and their tags
// from.
type Tagset struct{ hw []*Tags }

// Tags is struct blk_mq_tags: a bounded number of tags of one hardware queue. A request has
// one from its allocation until it is freed, also while it is requeued: there is no
// scheduler. Sharing between queues of a set is not kept fair.
type Tags struct {
	// obj stands for the dispatch lists of the hardware queue too: what changes them is
	// rare, and who frees a tag looks at them in the kernel as well.
	obj  sim.Object
	used []*Request
	pdus []any // what a driver keeps with a tag, see Request.Pdu
	free int
	poll bool
	one  string // words for one of them
}

// NewTagset returns a set of depth tags for one hardware queue.
func NewTagset(t *kernel.Task, name string, depth int) *Tagset {
	return NewTagsetOf(t, name, depth, 1, 0)
}

// NewTagsetOf returns a set with several hardware queues, of depth tags each. Further ones,
// after these, are polled (HCTX_TYPE_POLL).
func NewTagsetOf(t *kernel.Task, name string, depth, queues, polled int) *Tagset {
	s := &Tagset{}
	for i := range queues + polled {
		n := name
		if queues+polled > 1 {
			n = fmt.Sprintf("%s %d", name, i)
		}
		tags := &Tags{used: make([]*Request, depth), pdus: make([]any, depth), free: depth, poll: i >= queues, one: "one of " + n}
		t.Own(&tags.obj, "tags", n)
		s.hw = append(s.hw, tags)
	}
	return s
}

// InUse counts the tags that requests have, for auditors.
func (s *Tagset) InUse() int {
	n := 0
	for _, tags := range s.hw {
		n += len(tags.used) - tags.free
	}
	return n
}

// Request is the request that has the tag of a hardware queue, nil for none.
func (s *Tagset) Request(hw, tag int) *Request {
	if tag < 0 || tag >= len(s.hw[hw].used) {
		return nil
	}
	return s.hw[hw].used[tag]
}

// explain says who has the tags.
func (s *Tags) explain() string {
	var parts []string
	for i, rq := range s.used {
		if rq == nil {
			continue
		}
		what := "a request that is being submitted"
		if b := rq.Bio; b != nil {
			what = fmt.Sprintf("the request of sector %d", b.Sector)
			if b.over {
				what += ", whose bio has ended"
			}
		}
		parts = append(parts, fmt.Sprintf("tag %d belongs to %s", i, what))
	}
	return strings.Join(parts, "; ")
}

// starved is the guard of a request that waits for a tag. It goes on also to run the
// hardware queue, once: whatever comes later has somebody else who runs it.
type starved Request

func (w *starved) Ready(*sim.Task) bool {
	h := w.Hctx
	return h.tags.free > 0 || h.pending() && !w.ran
}

// Explain says who has the tags.
func (w *starved) Explain(*sim.Task) string { return w.Hctx.tags.explain() }

// getTag is blk_mq_get_tag: it waits for a tag, uninterruptibly, or fails if it may not
// wait. Before it sleeps it runs the hardware queue. b is what the request is for, if that is a bio.
func (h *Hctx) getTag(t *kernel.Task, rq *Request, b *Bio, nowait bool) bool {
	op := sim.Op{Verb: "get tag", Obj: &h.tags.obj}
	if !nowait {
		t.MightSleep("blk_mq_get_tag", "")
		if p := plugOf(t); p != nil && p.holds() { // only who has to sleep gives that out
			t.Step(op)
			if h.tags.take(t, rq) {
				return true
			}
			t.Did(sim.Read)
		}
		op.Guard = (*starved)(rq)
	}
	for {
		t.Step(op)
		if h.tags.take(t, rq) {
			if !nowait {
				t.Behind(h.tags.one)
			}
			return true
		}
		if nowait {
			t.Did(sim.Read)
			return false
		}
		h.Run(t, false)
		t.Touch(&h.tags.obj, sim.Read)
		rq.ran = true
		t.At(b.step("SUB-1"), "allocate request")
	}
}

func (s *Tags) take(t *kernel.Task, rq *Request) bool {
	for i, u := range s.used {
		if u == nil {
			s.used[i] = rq
			s.free--
			rq.tag, rq.Pdu = i, s.pdus[i]
			t.Acquire(&s.obj)
			return true
		}
	}
	return false
}

// put is blk_mq_put_tag and blk_mq_put_tags: waiters for a tag can go on.
func (s *Tags) put(t *kernel.Task, rqs ...*Request) {
	t.Step(sim.Op{Verb: "put tag", Obj: &s.obj})
	t.Release(&s.obj)
	for _, rq := range rqs {
		if s.used[rq.tag] != rq {
			t.Fail(kernel.DoubleFree, "tag %d is freed by a request that does not have it (%s)", rq.tag, t.Task)
		}
		s.used[rq.tag], s.pdus[rq.tag] = nil, rq.Pdu
		s.free++
	}
}
