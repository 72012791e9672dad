package iter

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// MaxRWCount is MAX_RW_COUNT: no transfer is longer, in bytes.
const MaxRWCount = 0x7ffff000

// Iter is struct iov_iter. It is not safe for use by two tasks, and after an error it may
// be anywhere: whoever wants to use it again restores it.
type Iter struct {
	Type Type
	// Dir is hw.FromDevice for a read, into memory (ITER_DEST), and hw.ToDevice for a
	// write, from memory (ITER_SOURCE).
	Dir hw.Direction
	// Nofault keeps the pinning of user pages from faulting them in.
	Nofault bool
	// Offset is iov_offset: of a token in the buffer, of the others in the range or in the
	// current vector. Count is the number of bytes left.
	Offset, Count uint64
	// Pointer is the storage of the iterator's pointer as a number, where that matters: the
	// user address of UBUF. A token has its own address there.
	Pointer uint64
	// Use carries the token.
	Use *token.Use

	mm     *Mm // of UBUF and IOVEC
	iovecs []Iovec
	kvecs  []Kvec
	bvecs  []Bvec
	seg    int // the current vector; nr_segs is the number from it on
}

// tokenAddr stands for the address of any token. kmalloc aligns what it returns, and no
// more: a token's address says nothing about its buffer.
const tokenAddr = pageOffset + 0x1_0423_5c80

// checkDir warns of a direction other than READ and WRITE; the iterator is made all the
// same, as a source.
func checkDir(t *kernel.Task, constructor string, dir hw.Direction) {
	if dir != hw.FromDevice && dir != hw.ToDevice {
		t.Warn("%s: direction is neither READ nor WRITE", constructor)
	}
}

// Ubuf is iov_iter_ubuf: count bytes of user memory.
func Ubuf(t *kernel.Task, dir hw.Direction, mm *Mm, addr, count uint64) Iter {
	checkDir(t, "iov_iter_ubuf", dir)
	return Iter{Type: ITER_UBUF, Dir: dir, mm: mm, Pointer: addr, Count: count}
}

// Iovecs is iov_iter_init: count bytes of ranges of user memory, of which there may be
// more.
func Iovecs(t *kernel.Task, dir hw.Direction, mm *Mm, v []Iovec, count uint64) Iter {
	checkDir(t, "iov_iter_init", dir)
	return Iter{Type: ITER_IOVEC, Dir: dir, mm: mm, iovecs: v, Count: count}
}

// Kvecs is iov_iter_kvec, see Iovecs.
func Kvecs(t *kernel.Task, dir hw.Direction, v []Kvec, count uint64) Iter {
	checkDir(t, "iov_iter_kvec", dir)
	return Iter{Type: ITER_KVEC, Dir: dir, kvecs: v, Count: count}
}

// Bvecs is iov_iter_bvec, see Iovecs. Whoever wants to begin inside the first vector sets
// Offset.
func Bvecs(t *kernel.Task, dir hw.Direction, v []Bvec, count uint64) Iter {
	checkDir(t, "iov_iter_bvec", dir)
	return Iter{Type: ITER_BVEC, Dir: dir, bvecs: v, Count: count}
}

// DmaToken is iov_iter_dma_token (IT-6).
func DmaToken(t *kernel.Task, u *token.Use) Iter {
	t.Mark("IT-6")
	checkDir(t, "iov_iter_dma_token", u.Dir)
	return Iter{Type: ITER_DMA_TOKEN, Dir: u.Dir, Use: u, Pointer: tokenAddr, Offset: u.Off, Count: u.Len}
}

// UserBacked is user_backed_iter: the memory is a user's, and can fault.
func (i *Iter) UserBacked() bool { return i.Type == ITER_UBUF || i.Type == ITER_IOVEC }

// Mm is the address space of user memory.
func (i *Iter) Mm() *Mm { return i.mm }

// source is data_source: data comes from the memory.
func (i *Iter) source() bool { return i.Dir != hw.FromDevice }

// NrSegs is nr_segs: the vectors from the current one on.
func (i *Iter) NrSegs() int {
	if i.Type == ITER_UBUF {
		return 1
	}
	return i.vecs() - i.seg
}
