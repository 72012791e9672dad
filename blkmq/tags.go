package blkmq

import (
	"fmt"
	"strings"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Tagset is struct blk_mq_tag_set: a bounded number of tags. A request has one from
// its allocation until it is freed.
type Tagset struct {
	obj  sim.Object
	used []*Request
	free int
}

// NewTagset returns a set of depth tags.
func NewTagset(t *kernel.Task, name string, depth int) *Tagset {
	s := &Tagset{used: make([]*Request, depth), free: depth}
	t.Own(&s.obj, "tags", name)
	return s
}

// Ready tells whether a tag is free.
func (s *Tagset) Ready(*sim.Task) bool { return s.free > 0 }

// Explain says who has the tags.
func (s *Tagset) Explain(*sim.Task) string {
	var parts []string
	for i, rq := range s.used {
		if rq == nil {
			continue
		}
		what := "a request that is being submitted"
		if b := rq.Bio; b != nil {
			what = fmt.Sprintf("the request of sector %d", b.Sector)
			if b.ended {
				what += ", whose bio has ended"
			}
		}
		parts = append(parts, fmt.Sprintf("tag %d belongs to %s", i, what))
	}
	return strings.Join(parts, "; ")
}

// get is blk_mq_get_tag: it waits for a tag, uninterruptibly, or fails if it may not
// wait.
func (s *Tagset) get(t *kernel.Task, rq *Request, nowait bool) bool {
	op := sim.Op{Verb: "get tag", Obj: &s.obj}
	if !nowait {
		t.MightSleep("blk_mq_get_tag", "")
		op.Guard = s
	}
	t.Step(op)
	for i, u := range s.used {
		if u == nil {
			s.used[i] = rq
			s.free--
			rq.tag = i
			return true
		}
	}
	t.Did(sim.Read)
	return false
}

// put is blk_mq_put_tag: waiters for a tag can go on.
func (s *Tagset) put(t *kernel.Task, rq *Request) {
	t.Step(sim.Op{Verb: "put tag", Obj: &s.obj})
	if s.used[rq.tag] != rq {
		t.Fail(kernel.DoubleFree, "tag %d is freed by a request that does not have it (%s)", rq.tag, t.Task)
	}
	s.used[rq.tag] = nil
	s.free++
}

// InUse counts the tags that requests have, for auditors.
func (s *Tagset) InUse() int { return len(s.used) - s.free }
