package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Fops is the block device's struct file_operations (block/fops.c).
type Fops struct{ Queue *Queue }

// Open returns a file of the device.
func (q *Queue) Open(flags uint32) *iter.File {
	return &iter.File{Name: "/dev/" + q.Name, Flags: flags, Ops: Fops{q}}
}

// DmaMap is the file operation dma_map (BDEV-1): a token for the dma-buf on this
// device.
func (f Fops) DmaMap(t *kernel.Task, file *iter.File, p token.Params) (token.Token, kernel.Errno) {
	if file.Flags&iter.O_DIRECT == 0 {
		return nil, kernel.EINVAL
	}
	return f.Queue.Design.Register(t, p, f.Queue, f.Queue.Ops)
}

// ReadIter is blkdev_read_iter (BIO-0).
func (f Fops) ReadIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	size := f.Queue.Size
	if k.Pos >= size {
		return 0
	}
	if left := uint64(size - k.Pos); i.Count > left {
		i.Count = left
	}
	return f.direct(t, k, i)
}

// WriteIter is blkdev_write_iter (BIO-0).
func (f Fops) WriteIter(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	size := f.Queue.Size
	if k.Pos >= size {
		return iter.Neg(kernel.ENOSPC)
	}
	if left := uint64(size - k.Pos); i.Count > left {
		i.Count = left
	}
	return f.direct(t, k, i)
}

// direct is the O_DIRECT path of one asynchronous bio (BIO-0, BIO-1). Files without
// O_DIRECT have no path here.
func (f Fops) direct(t *kernel.Task, k *iter.Kiocb, i *iter.Iter) int64 {
	if k.File.Flags&iter.O_DIRECT == 0 {
		return iter.Neg(kernel.EOPNOTSUPP)
	}
	if (uint64(k.Pos)|i.Count)&uint64(f.Queue.Limits.LogicalBlock-1) != 0 {
		return iter.Neg(kernel.EINVAL)
	}
	size := i.Count
	b := &Bio{
		Dir:    i.Dir,
		Sector: uint64(k.Pos) / hw.SectorSize,
		Done:   uint32(i.Offset),
		Size:   uint32(size),
		Nowait: k.Nowait(),
		Use:    i.Use,
		EndIO: func(t *kernel.Task, b *Bio) {
			res := int64(size)
			if e := b.Status().Errno(); e != kernel.OK {
				res = iter.Neg(e)
			}
			k.Complete(t, res)
		},
	}
	f.Queue.SubmitBio(t, b)
	return iter.Neg(kernel.EIOCBQUEUED)
}
