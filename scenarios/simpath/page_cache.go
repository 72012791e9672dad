package simpath

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// pageCache is a file whose pages are all in memory: one of tmpfs, or one without O_DIRECT that
// was just written.
type pageCache struct {
	pages []*hw.Page
	size  int64
	// mayBlock is that of blkmq.RegularFile.
	mayBlock bool
}

// blocks tells whether a transfer needs somebody who may wait.
func (f *pageCache) blocks(t *kernel.Task, k *iter.Kiocb) bool {
	return f.mayBlock && k.Nowait() && t.Choose(2, "would the file system block") == 1
}

// ReadIter is generic_file_read_iter, or that of tmpfs.
func (f *pageCache) ReadIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if k.Pos >= f.size {
		return 0
	}
	if f.blocks(t, k) {
		return iter.Neg(kernel.EAGAIN)
	}
	n := min(i.Count, uint64(f.size-k.Pos))
	return f.result(k, n, i.CopyToIter(t, hw.Load(t.Task, f.pages, int(k.Pos), int(n))))
}

// WriteIter is generic_perform_write, for what does not grow the file.
func (f *pageCache) WriteIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if f.blocks(t, k) {
		return iter.Neg(kernel.EAGAIN)
	}
	want := i.Count
	data, n := i.CopyFromIter(t, want)
	hw.Store(t.Task, f.pages, int(k.Pos), data)
	return f.result(k, want, n)
}

func (f *pageCache) result(k *iter.Kiocb, want, n uint64) int64 {
	if n == 0 && want > 0 {
		return iter.Neg(kernel.EFAULT)
	}
	k.Pos += int64(n)
	return int64(n)
}
