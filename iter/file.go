package iter

import (
	"dmasim/sim/kernel"
	"dmasim/token"
)

// O_DIRECT is the file status flag: transfers bypass the page cache.
const O_DIRECT = 0o40000

// FileOps is struct file_operations, as far as it is needed. Both functions return
// the number of bytes, or a negative errno; -EIOCBQUEUED means that the kiocb's
// Complete will be called, and may have been already.
type FileOps interface {
	ReadIter(t *kernel.Task, k *Kiocb, i *Iter) int64
	WriteIter(t *kernel.Task, k *Kiocb, i *Iter) int64
}

// DmaMapper is the file operation dma_map, which only raw block devices have.
type DmaMapper interface {
	DmaMap(t *kernel.Task, f *File, p token.Params) (token.Token, kernel.Errno)
}

// File is struct file. Its references are not counted: no scenario closes one that
// is in use.
type File struct {
	Name  string
	Flags uint32
	Ops   FileOps
}

// IOCB_NOWAIT is the kiocb flag: do not block, return -EAGAIN.
const IOCB_NOWAIT = 1 << 7

// Kiocb is struct kiocb: one read or write.
type Kiocb struct {
	File *File
	// Pos is the position in the file, in bytes.
	Pos   int64
	Flags uint32
	// Complete is ki_complete: called once, in any context, with the number of bytes
	// or a negative errno.
	Complete func(t *kernel.Task, res int64)
}

// Nowait tells whether the kiocb may not block.
func (k *Kiocb) Nowait() bool { return k.Flags&IOCB_NOWAIT != 0 }

// Neg is an errno as functions return it among counts.
func Neg(e kernel.Errno) int64 { return -int64(e) }
