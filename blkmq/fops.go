package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Fops is the block device's struct file_operations (block/fops.c).
type Fops struct{ Queue *Queue }

// Open returns a file of the device.
func (q *Queue) Open(flags uint32) *iter.File {
	if flags&iter.O_DIRECT == 0 {
		q.cache.used = true
	}
	return &iter.File{Name: "/dev/" + q.Name, Flags: flags, Ops: Fops{q},
		Mode: iter.FMODE_READ | iter.FMODE_WRITE | iter.FMODE_NOWAIT | iter.FMODE_CAN_ATOMIC_WRITE}
}

// DmaMap is the file operation dma_map (BDEV-1): a token for the dma-buf on this
// device, if its driver has the callbacks (TOK-1).
func (f Fops) DmaMap(t *kernel.Task, file *iter.File, p token.Params) (token.Token, kernel.Errno) {
	t.Mark("BDEV-1")
	if !file.Direct(t) {
		t.Mark("BDEV-1 buffered")
		return nil, kernel.EINVAL
	}
	if f.Queue.Stacked != nil {
		t.Mark("BDEV-1 no requests")
		return nil, kernel.EINVAL
	}
	t.Mark("TOK-1")
	drv, ok := f.Queue.Ops.(token.Driver)
	if !ok {
		t.Mark("TOK-1 refused")
		return nil, kernel.EINVAL
	}
	return f.Queue.Design.Register(t, p, f.Queue, drv)
}

// ReadIter is blkdev_read_iter (BIO-0). What goes past the end of the device is cut off, and
// the iterator has it again afterwards.
func (f Fops) ReadIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if k.Pos >= f.Queue.Size {
		markIter(t, i, "BIO-0 at the end")
		return 0
	}
	return f.upTo(t, k, i)
}

// WriteIter is blkdev_write_iter (BIO-0).
func (f Fops) WriteIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if i.Count == 0 {
		return 0
	}
	if k.Pos >= f.Queue.Size {
		markIter(t, i, "BIO-0 no space")
		return iter.Neg(kernel.ENOSPC)
	}
	if k.Flags&iter.IOCB_ATOMIC != 0 && !atomicWriteValid(k, i) {
		return iter.Neg(kernel.EINVAL)
	}
	return f.upTo(t, k, i)
}

// atomicWriteValid is generic_atomic_write_valid (fs/read_write.c): what is to be written at once is one range of user
// memory, as long as a power of two, and aligned to that. No token is, so that none needs to be kept in one piece.
func atomicWriteValid(k *iter.Kiocb, i *iter.Iter) bool {
	return i.Type == iter.ITER_UBUF && i.Count&(i.Count-1) == 0 && uint64(k.Pos)%i.Count == 0
}

// markIter is Mark for transfers with a token.
func markIter(t *kernel.Task, i *iter.Iter, step string) {
	if i.Type == iter.ITER_DMA_TOKEN {
		t.Mark(step)
	}
}

// upTo transfers as far as the device goes. Whether a file is O_DIRECT is asked at each issue.
func (f Fops) upTo(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if !k.File.Direct(t) {
		return f.buffered(t, k, i)
	}
	err := f.Queue.beforeDirect(t, k, i)
	for err == kernel.EBUSY && i.Type == iter.ITER_DMA_TOKEN && token.Repaired(t, token.FixRetryBusy) {
		err = f.Queue.beforeDirect(t, k, i)
	}
	switch err {
	case kernel.OK:
	case kernel.EBUSY: // of a write
		return f.fallBack(t, k, i)
	default:
		if err == kernel.EAGAIN {
			markIter(t, i, "BIO-0 cached")
		}
		return iter.Neg(err)
	}
	markIter(t, i, "BIO-0")
	more := uint64(0)
	if left := uint64(f.Queue.Size - k.Pos); i.Count > left {
		markIter(t, i, "BIO-0 truncated")
		more = i.Count - left
		i.Truncate(left)
	}
	count := i.Count
	ret := f.direct(t, k, i)
	if ret != iter.Neg(kernel.EIOCBQUEUED) { // what was taken and not transferred
		i.Revert(t, count-uint64(max(ret, 0))-i.Count)
	}
	i.Reexpand(i.Count + more)
	return ret
}
