package blkmq

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Chain is bio_chain: parent does not end before b, and has the first error of its
// children if it has none of its own.
func (b *Bio) Chain(t *kernel.Task, parent *Bio) {
	b.parent = parent
	if parent.remaining == 0 {
		t.Own(&parent.chain, "bio", "bio remaining")
		parent.remaining = 1
	}
	t.Touch(&parent.chain, sim.Write)
	parent.remaining++
}

// End is bio_endio with a status: b has come to its end. Whoever it is chained to ends with
// the last of its children. An error of b's own replaces one that a child left.
func (b *Bio) End(t *kernel.Task, s kernel.BlkStatus) {
	if b.ended {
		t.Fail(iter.DoubleCompletion, "bio of sector %d completed twice (%s)", b.Sector, t.Task)
	}
	b.ended = true
	if b.verify && s == kernel.BLK_STS_OK {
		b.walkIntegrity(t, "bio_integrity_verify")
	}
	if s != kernel.BLK_STS_OK {
		b.status = s
	}
	for {
		if b.remaining > 0 {
			t.Touch(&b.chain, sim.Write)
			t.Release(&b.chain) // atomic_dec_and_test orders, too
			if b.remaining--; b.remaining > 0 {
				return
			}
			t.Acquire(&b.chain)
		}
		b.over = true
		if b.split { // it never had a request
			f := b.takeFrag()
			f.Use.Token.Free(t, &f, token.NeverQueued)
		}
		if b.counted != nil {
			b.counted.unended--
		}
		p := b.parent
		if p == nil {
			b.EndIO(t, b)
			return
		}
		if p.status == kernel.BLK_STS_OK {
			p.status = b.status
		}
		if b.mem.Alive() {
			b.Queue.bios.Free(t, &b.mem)
		}
		b = p
	}
}

// audit finds bios that never ended.
func (q *Queue) audit() *sim.Failure {
	if q.unended == 0 {
		return nil
	}
	return &sim.Failure{Kind: iter.LostCompletion, Message: numbered(q.unended, "bio") + " of " + q.Name + " never completed"}
}
