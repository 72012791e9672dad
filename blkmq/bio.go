package blkmq

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Bio is struct bio: an I/O of a device, with vectors or a token for payload.
type Bio struct {
	Op    Op
	Flags Flags
	// BvecIter is bi_iter: submission changes it (C-SPLIT-13).
	BvecIter
	// Vecs is bi_io_vec. Clones share it, and nothing changes it.
	Vecs []iter.Bvec
	// Use is the token that the bio carries (BIO_DMA_TOKEN), nil for a bio with vectors.
	Use *token.Use
	// EndIO is bi_end_io: called once, in any context.
	EndIO func(t *kernel.Task, b *Bio)
	// Queue is bi_bdev: the device that the bio was submitted to last.
	Queue *Queue
	// Cookie is bi_cookie: the hardware queue that will complete a polled bio.
	Cookie *Hctx

	next     *Bio // of the request
	cloned   bool // the table is another bio's: bi_vcnt is 0
	remapped bool // BIO_REMAPPED

	parent    *Bio       // that the end of this one is part of
	remaining int        // __bi_remaining: ends that are missing, if there are children
	chain     sim.Object // remaining, once there are children

	status kernel.BlkStatus
	ended  bool // by itself; children may be missing
	over   bool // end_io was called
	// counted is the queue that waits for the end of the bio, see Queue.unended.
	counted *Queue
	// frag is the token's view of the bio, from the Split stage on; it is a request's
	// afterwards, or freed with the bio.
	frag  token.Frag
	split bool
	// verify is set if the protection information of a read is checked at its end.
	verify bool
	mem    kernel.Mem // of a bio from a reserve
	pins
}

// Status is bi_status.
func (b *Bio) Status() kernel.BlkStatus { return b.status }

// Nowait tells whether the bio may not wait.
func (b *Bio) Nowait() bool { return b.Flags&REQ_NOWAIT != 0 }

// step is the name of a step of the protocol for a bio with a token: "" for all others, which come by as well, and
// for none.
func (b *Bio) step(name string) string {
	if b == nil || b.Use == nil {
		return ""
	}
	return name
}

// sectors is bio_sectors.
func (b *Bio) sectors() uint64 { return uint64(b.Size) / sectorSize }

// Clone is bio_alloc_clone: a bio of the same range and payload (BIO-2), with an end of its
// own. Any number of clones may exist at once. The token's Split stage is called.
func (b *Bio) Clone(t *kernel.Task) *Bio {
	c := &Bio{Op: b.Op, Flags: b.Flags, BvecIter: b.BvecIter, Vecs: b.Vecs, Use: b.Use, Queue: b.Queue, cloned: true, remapped: b.remapped}
	if b.Use != nil {
		t.Mark("BIO-2")
		b.carve(t, c)
	}
	return c
}

// carve is the Split stage of a bio and its clone, whose range is known.
func (b *Bio) carve(t *kernel.Task, c *Bio) {
	b.setFrag()
	c.setFrag()
	b.Use.Token.Split(t, &b.frag, &c.frag)
	c.split = true
}

// setFrag tells the frag of a token bio what its range is now.
func (b *Bio) setFrag() {
	b.frag.Use, b.frag.Off, b.frag.Len, b.frag.Nowait = b.Use, uint64(b.Done), uint64(b.Size), b.Nowait()
}

// takeFrag gives the frag of a token bio to its request.
func (b *Bio) takeFrag() token.Frag {
	b.setFrag()
	f := b.frag
	b.frag, b.split = token.Frag{}, false
	return f
}
