package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Bio is struct bio with a token for payload (flag BIO_DMA_TOKEN).
type Bio struct {
	// Dir is hw.FromDevice for REQ_OP_READ, hw.ToDevice for REQ_OP_WRITE.
	Dir hw.Direction
	// Sector is bi_iter.bi_sector: the first sector on the device.
	Sector uint64
	// Done is bi_iter.bi_bvec_done: the offset in the token's buffer, in bytes.
	Done uint32
	// Size is bi_iter.bi_size: the bytes that are left.
	Size uint32
	// Nowait is REQ_NOWAIT.
	Nowait bool
	// Use is the token that the bio carries.
	Use *token.Use
	// EndIO is bi_end_io: called once, in any context.
	EndIO func(t *kernel.Task, b *Bio)

	status kernel.BlkStatus
	ended  bool
}

// Status is bi_status.
func (b *Bio) Status() kernel.BlkStatus { return b.status }

// end is bio_endio with a status.
func (b *Bio) end(t *kernel.Task, s kernel.BlkStatus) {
	if b.ended {
		t.Fail(iter.DoubleCompletion, "bio of sector %d completed twice (%s)", b.Sector, t.Task)
	}
	b.ended = true
	b.status = s
	b.EndIO(t, b)
}
