package iter

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// MaxRWCount is MAX_RW_COUNT: no transfer is longer, in bytes.
const MaxRWCount = 0x7ffff000

// Iter is struct iov_iter of the type ITER_DMA_TOKEN.
type Iter struct {
	// Dir is hw.FromDevice for a read, into memory (ITER_DEST), and hw.ToDevice for a
	// write, from memory (ITER_SOURCE).
	Dir hw.Direction
	// Use carries the token.
	Use *token.Use
	// Offset in the buffer and Count of bytes left.
	Offset, Count uint64
}

// State is struct iov_iter_state.
type State struct{ offset, count uint64 }

// DmaToken is the constructor (IT-6): a direction other than READ and WRITE warns.
func DmaToken(t *kernel.Task, u *token.Use) Iter {
	if u.Dir != hw.FromDevice && u.Dir != hw.ToDevice {
		t.Warn("iov_iter_dma_token: direction is neither READ nor WRITE")
	}
	return Iter{Dir: u.Dir, Use: u, Offset: u.Off, Count: u.Len}
}

// Advance takes n bytes, at most what is left (IT-1).
func (i *Iter) Advance(n uint64) {
	n = min(n, i.Count)
	i.Offset += n
	i.Count -= n
}

// Revert gives n bytes back (IT-2).
func (i *Iter) Revert(t *kernel.Task, n uint64) {
	switch {
	case n == 0:
		return
	case n > MaxRWCount:
		t.Warn("iov_iter_revert by %d bytes", n)
		return
	}
	i.Count += n
	if n > i.Offset {
		t.BUG("iov_iter_revert by %d bytes at offset %d", n, i.Offset)
	}
	i.Offset -= n
}

// Alignment is iov_iter_alignment (IT-3): storage is the value of the pointer that the
// iterator carries, which stands for the address of a buffer here.
func (i *Iter) Alignment(storage uint64) uint64 {
	if i.Count == 0 {
		return 0
	}
	return storage + i.Offset | i.Count
}

// GapAlignment is iov_iter_gap_alignment (IT-4).
func (i *Iter) GapAlignment() uint64 { return 0 }

// Save is iov_iter_save_state.
func (i *Iter) Save() State { return State{i.Offset, i.Count} }

// Restore is iov_iter_restore (IT-5).
func (i *Iter) Restore(s State) { i.Offset, i.Count = s.offset, s.count }
