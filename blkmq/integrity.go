package blkmq

import (
	"dmasim/sim/kernel"
	"dmasim/token"
)

// integrityPrep is bio_integrity_prep, on a device with protection information (SUB-4): checksums
// of a write are made before it goes, those of a read checked before it ends, and both walk the
// vectors of the bio. Only what the walk makes of a token is modelled, and neither checksums nor
// the work that checks those of a read.
func (q *Queue) integrityPrep(t *kernel.Task, b *Bio) {
	if !q.Integrity || b.Use == nil || !b.Op.data() {
		return
	}
	if t.Mark("SUB-4 integrity"); token.Repaired(t, token.FixSkipIntegrity) {
		return
	}
	t.Stress("SUB-4", "checksums of a bio with a token")
	if b.Op.IsWrite() {
		b.walkIntegrity(t, "bio_integrity_generate")
	}
	b.verify = true
}

// walkIntegrity is bio_for_each_segment over a token bio. What stands where the vectors would be is
// the token: the first of them has its release function for a page, and the direction for a
// length, which is 0 (DMA_BIDIRECTIONAL).
func (b *Bio) walkIntegrity(t *kernel.Task, who string) {
	if b.Done == 0 {
		t.BUG("soft lockup in %s: the token is taken for vectors, the first of them has no bytes, and the walk does not go on", who)
	}
	t.BUG("KASAN: wild-memory-access in %s: the token is taken for vectors, the first of them with token->release for a page", who)
}
