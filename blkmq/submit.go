package blkmq

import (
	"dmasim/sim/kernel"
	"dmasim/token"
)

// bioLists is current->bio_list: the bios that are submitted while one is being submitted
// wait here, so that nothing recurses. now are those of the submission that runs, then
// those of earlier ones.
type bioLists struct {
	active    bool
	now, then []*Bio
}

func listsOf(t *kernel.Task) *bioLists {
	l, ok := t.BioList.(*bioLists)
	if !ok {
		l = &bioLists{}
		t.BioList = l
	}
	return l
}

// SubmitBio is submit_bio on a queue: the bio ends exactly once, possibly before this
// returns.
func (q *Queue) SubmitBio(t *kernel.Task, b *Bio) {
	t.Submits(q.Name)
	b.Queue, b.remapped = q, false
	if b.counted == nil && !b.over {
		b.counted = q
		q.unended++
	}
	submitNoacct(t, b)
}

// submitNoacct is submit_bio_noacct: the checks that every device makes, in their order.
func submitNoacct(t *kernel.Task, b *Bio) {
	t.MightSleep("submit_bio", "")
	q := b.Queue
	if b.Nowait() && q.NoNowait {
		b.End(t, kernel.BLK_STS_NOTSUPP)
		return
	}
	if b.Op.IsWrite() && q.ReadOnly && !(b.Size == 0 && b.Flags&(REQ_PREFLUSH|REQ_FUA) != 0) {
		t.Sayf("", "Trying to write to read-only block-device %s", q.Name)
	}
	if !b.remapped && b.sectors() != 0 {
		if last := uint64(q.Size) / sectorSize; b.sectors() > last || b.Sector > last-b.sectors() {
			b.End(t, kernel.BLK_STS_IOERR)
			return
		}
	}
	if b.Flags&(REQ_PREFLUSH|REQ_FUA) != 0 {
		if b.Op != REQ_OP_WRITE {
			t.Warn("submit_bio: a flush is not a write but %v", b.Op)
			b.End(t, kernel.BLK_STS_IOERR)
			return
		}
		if !q.WriteCache {
			if b.Flags &^= REQ_PREFLUSH | REQ_FUA; b.Size == 0 {
				b.End(t, kernel.BLK_STS_OK)
				return
			}
		}
	}
	switch {
	case b.Op == REQ_OP_READ, b.Op == REQ_OP_WRITE:
	case b.Op == REQ_OP_WRITE_ZEROES && q.Limits.MaxWriteZeroesSectors != 0:
	default:
		b.End(t, kernel.BLK_STS_NOTSUPP)
		return
	}
	submitNocheck(t, b, false)
}

// resubmit submits the rest of a bio that was split. It comes next; until 6.12, when all
// checks are made again, it comes last.
func (q *Queue) resubmit(t *kernel.Task, b *Bio) {
	if t.K.Profile == kernel.V6_12 {
		submitNoacct(t, b)
		return
	}
	submitNocheck(t, b, true)
}

// submitNocheck is submit_bio_noacct_nocheck.
func submitNocheck(t *kernel.Task, b *Bio, split bool) {
	l := listsOf(t)
	if l.active {
		if split {
			l.now = append([]*Bio{b}, l.now...)
		} else {
			l.now = append(l.now, b)
		}
		return
	}
	l.active = true
	if b.Queue.Stacked == nil { // __submit_bio_noacct_mq
		for {
			b.Queue.submit(t, b)
			if len(l.now) == 0 {
				break
			}
			b, l.now = l.now[0], l.now[1:]
		}
		l.now, l.active = nil, false
		return
	}
	for { // __submit_bio_noacct
		q := b.Queue
		l.then, l.now = l.now, nil
		q.submit(t, b)
		// The lowest device comes first, then the same, then what was there before.
		var lower, same []*Bio
		for _, n := range l.now {
			if n.Queue == q {
				same = append(same, n)
			} else {
				lower = append(lower, n)
			}
		}
		l.now = append(append(lower, same...), l.then...)
		l.then = nil
		if len(l.now) == 0 {
			break
		}
		b, l.now = l.now[0], l.now[1:]
	}
	l.active = false
}

// submit is __submit_bio.
func (q *Queue) submit(t *kernel.Task, b *Bio) {
	if q.Stacked == nil {
		q.submitMq(t, b)
		return
	}
	if s := q.enter(t, b.Nowait()); s != kernel.BLK_STS_OK {
		b.End(t, s)
		return
	}
	q.Stacked.SubmitBio(t, q, b)
	q.exit(t, 1)
}

// submitMq is blk_mq_submit_bio.
func (q *Queue) submitMq(t *kernel.Task, b *Bio) {
	if b.Use != nil && !b.Nowait() && token.Repaired(t, token.FixMapBeforeTag) {
		q.submitMapped(t, b)
		return
	}
	q.submitOnce(t, b, false)
}

// submitMapped is submitMq for a bio whose request only takes a map that is there. If there
// is none the request goes, the map is made, and all begins anew: nobody waits for a map
// with a tag.
func (q *Queue) submitMapped(t *kernel.Task, b *Bio) {
	for {
		if b = q.submitOnce(t, b, true); b == nil {
			return
		}
		f := token.Frag{Use: b.Use, Off: uint64(b.Done), Len: uint64(b.Size)}
		if o := assign(t, b.Use.Token, &f); o.Status != kernel.BLK_STS_OK {
			t.Sayf("SUB-3", "bio ends with %v", o.Status.Errno())
			b.End(t, o.Status)
			return
		}
		b.Use.Token.Free(t, &f, token.NeverQueued)
	}
}

// submitOnce submits a bio, and what is split off is submitted afterwards. If the map has to be
// there it returns the bio for which it was not.
func (q *Queue) submitOnce(t *kernel.Task, b *Bio, mapped bool) (again *Bio) {
	cached := q.peekCached(t, b) // SUB-1
	if cached == nil {
		if s := q.enter(t, b.Nowait()); s != kernel.BLK_STS_OK {
			t.Mark(b.step("SUB-1 no entry"))
			b.End(t, s)
			return nil
		}
	}
	leave := func() {
		if cached == nil {
			q.exit(t, 1)
		}
	}
	if lb := uint64(q.Limits.LogicalBlock); b.Sector*sectorSize%lb != 0 || uint64(b.Size)%lb != 0 {
		b.End(t, kernel.BLK_STS_IOERR)
		leave()
		return nil
	}
	if b.Flags&REQ_POLLED != 0 && !q.polls() {
		b.End(t, kernel.BLK_STS_NOTSUPP)
		leave()
		return nil
	}
	b, nsegs := q.SplitToLimits(t, b) // BIO-4
	if b != nil {
		q.integrityPrep(t, b)
	}
	if b == nil || q.plugMerge(t, b, nsegs) {
		leave()
		return nil
	}
	rq := cached
	if rq != nil {
		t.Mark(b.step("SUB-1 cached"))
		useCached(t, rq)
	} else if rq = q.newRequest(t, b); rq == nil {
		t.Say(b.step("SUB-1"), "no tag, may not wait: -EAGAIN")
		t.Mark(b.step("SUB-1 no tag"))
		b.End(t, kernel.BLK_STS_AGAIN)
		leave()
		return nil
	}
	rq.bind(b, nsegs)
	if b.Use != nil {
		t.Mark("SUB-2")
		t.Mark("SUB-3")
		rq.Frag.Nowait = mapped || rq.Frag.Nowait
		o := assign(t, b.Use.Token, &rq.Frag)
		switch {
		case o.Status == kernel.BLK_STS_AGAIN && mapped:
			rq.free(t, token.NeverQueued)
			t.Say("SUB-3", "no map: begin anew when there is one")
			return b
		case o.Status != kernel.BLK_STS_OK:
			q.unassigned(t, rq, b, o.Status, o.FreeRequest)
			return nil
		}
	}
	if rq.Flags&(REQ_PREFLUSH|REQ_FUA) != 0 && q.insertFlush(t, rq) {
		return nil
	}
	t.Mark(b.step("SUB-4"))
	if p := plugOf(t); p != nil {
		t.Mark(b.step("SUB-4 plugged"))
		p.add(t, rq)
		return nil
	}
	q.issue(t, rq)
	return nil
}

// assign is ASSIGN. What the exporter submits for it comes onto the list of the submission that runs, and is
// issued when that is over; the repaired design has a list of its own for it.
func assign(t *kernel.Task, tok token.Token, f *token.Frag) token.Outcome {
	if token.Repaired(t, token.FixSetBiosAside) {
		l := listsOf(t)
		was := *l
		*l = bioLists{}
		defer func() { *l = was }()
	}
	return tok.Submit(t, f)
}

// unassigned is the end of SUB-3 when the token has no map for the request. As posted,
// control goes to an exit that knows nothing of the request, so it stays behind with its
// tag and its queue reference.
func (q *Queue) unassigned(t *kernel.Task, rq *Request, b *Bio, s kernel.BlkStatus, free bool) {
	if s == kernel.BLK_STS_AGAIN {
		t.Mark("SUB-3 would block")
	} else {
		t.Mark("SUB-3 fails")
		if !token.Repaired(t, token.FixKeepErrno) {
			s = kernel.BLK_STS_RESOURCE
		}
	}
	if free {
		rq.free(t, token.NeverQueued)
		t.Sayf("SUB-3", "bio ends with %v", s.Errno())
	} else {
		t.Stressf("SUB-3", "bio ends with %v; its request keeps tag %d", s.Errno(), rq.tag)
	}
	b.End(t, s)
}
