package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// rw calls the file operation, and returns what it said and what the completion said.
func rw(t *testing.T, write bool, flags uint32, pos int64, off, count uint64, change func(d *disk)) (ret int64, completions []int64, bios []Bio) {
	t.Helper()
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 8)
		if change != nil {
			change(d)
		}
		d.driver.queue = func(_ *kernel.Task, rq *Request) { bios = append(bios, *rq.Bio) }
		f := d.Open(flags)
		kiocb := &iter.Kiocb{File: f, Pos: pos, Complete: func(_ *kernel.Task, res int64) { completions = append(completions, res) }}
		d.use.Off, d.use.Len, d.use.Dir = off, count, hw.FromDevice
		if write {
			d.use.Dir = hw.ToDevice
		}
		i := iter.DmaToken(k, &d.use)
		if write {
			ret = f.Ops.WriteIter(k, kiocb, &i)
		} else {
			ret = f.Ops.ReadIter(k, kiocb, &i)
		}
		for _, rq := range d.driver.queued {
			rq.Complete(k, kernel.BLK_STS_OK)
		}
	})
	return
}

var queued = iter.Neg(kernel.EIOCBQUEUED)

func TestFileReadWrite(t *testing.T) {
	for name, c := range map[string]struct {
		write      bool
		flags      uint32
		pos        int64
		count      uint64
		ret        int64
		completion []int64
	}{
		"read":                      {false, iter.O_DIRECT, 4096, 4096, queued, []int64{4096}},
		"write":                     {true, iter.O_DIRECT, 4096, 4096, queued, []int64{4096}},
		"read at the end":           {false, iter.O_DIRECT, size, 4096, 0, nil},
		"read beyond the end":       {false, iter.O_DIRECT, size + 4096, 4096, 0, nil},
		"read over the end":         {false, iter.O_DIRECT, size - 512, 4096, queued, []int64{512}},
		"write at the end":          {true, iter.O_DIRECT, size, 4096, iter.Neg(kernel.ENOSPC), nil},
		"write over the end":        {true, iter.O_DIRECT, size - 1024, 4096, queued, []int64{1024}},
		"position between blocks":   {false, iter.O_DIRECT, 4097, 512, iter.Neg(kernel.EINVAL), nil},
		"part of a block":           {true, iter.O_DIRECT, 4096, 513, iter.Neg(kernel.EINVAL), nil},
		"needs a split, and may":    {false, iter.O_DIRECT, 0, 64 << 10, queued, []int64{64 << 10}},
		"the end comes before that": {false, 0, size, 4097, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ret, completions, _ := rw(t, c.write, c.flags, c.pos, 0, c.count, nil)
			require.Equal(t, c.ret, ret)
			require.Equal(t, c.completion, completions)
		})
	}
}

// BIO-1: the bio is what the iterator says.
func TestFileBio(t *testing.T) {
	_, _, bios := rw(t, true, iter.O_DIRECT, 4096, 512, 1024, nil)
	require.Len(t, bios, 1)
	b := bios[0]
	require.Equal(t, REQ_OP_WRITE, b.Op)
	require.EqualValues(t, 8, b.Sector)
	require.EqualValues(t, 512, b.Done)
	require.EqualValues(t, 1024, b.Size)
	require.False(t, b.Nowait())
}

// An error of the submission comes through the completion, possibly before the return
// of -EIOCBQUEUED (C-BLK-22).
func TestFileErrorThroughCompletion(t *testing.T) {
	ret, completions, _ := rw(t, false, iter.O_DIRECT, 0, 0, 4096, func(d *disk) {
		d.driver.status = kernel.BLK_STS_IOERR
	})
	require.Equal(t, queued, ret)
	require.Equal(t, []int64{iter.Neg(kernel.EIO)}, completions)
}

func TestFileNowait(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.SubmitBio(k, d.bio()) // takes the tag
		f := d.Open(iter.O_DIRECT)
		d.use.Dir, d.use.Len = hw.FromDevice, 512
		i := iter.DmaToken(k, &d.use)
		var res int64
		kiocb := &iter.Kiocb{File: f, Flags: iter.IOCB_NOWAIT, Complete: func(_ *kernel.Task, r int64) { res = r }}
		require.Equal(t, queued, f.Ops.ReadIter(k, kiocb, &i))
		require.Equal(t, iter.Neg(kernel.EAGAIN), res)
		d.driver.queued[0].Complete(k, kernel.BLK_STS_OK)
	})
}

// BDEV-1 and the design's error.
func TestFileDmaMap(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		_, err := Fops{d.Queue}.DmaMap(k, d.Open(0), token.Params{})
		require.Equal(t, kernel.EINVAL, err)
		tok, err := Fops{d.Queue}.DmaMap(k, d.Open(iter.O_DIRECT), token.Params{})
		require.Equal(t, kernel.OK, err)
		require.NotNil(t, tok)
		d.Design = fakeDesign{kernel.EFAULT}
		_, err = Fops{d.Queue}.DmaMap(k, d.Open(iter.O_DIRECT), token.Params{})
		require.Equal(t, kernel.EFAULT, err)
		d.Ops = struct{ Ops }{d.Ops} // TOK-1: queue_rq is all that is left of the driver's callbacks
		_, err = Fops{d.Queue}.DmaMap(k, d.Open(iter.O_DIRECT), token.Params{})
		require.Equal(t, kernel.EINVAL, err)
		d.Stacked = &Multipath{} // a queue without mq_ops
		_, err = Fops{d.Queue}.DmaMap(k, d.Open(iter.O_DIRECT), token.Params{})
		require.Equal(t, kernel.EINVAL, err)
	})
}

// What must not be torn is one range of user memory, as long as a power of two, and aligned to that on the device.
func TestFileAtomic(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 8)
		f := d.Open(iter.O_DIRECT)
		mm := &iter.Mm{}
		write := func(pos int64, i iter.Iter) int64 {
			kiocb := &iter.Kiocb{File: f, Pos: pos, Flags: iter.IOCB_ATOMIC, Complete: func(*kernel.Task, int64) {}}
			return f.Ops.WriteIter(k, kiocb, &i)
		}
		d.use.Dir, d.use.Len = hw.ToDevice, 512
		invalid := iter.Neg(kernel.EINVAL)
		require.Equal(t, invalid, write(0, iter.DmaToken(k, &d.use)))
		require.Equal(t, invalid, write(0, iter.Ubuf(k, hw.ToDevice, mm, 0x1000, 1536)))
		require.Equal(t, invalid, write(512, iter.Ubuf(k, hw.ToDevice, mm, 0x1000, 1024)))
		require.Empty(t, d.driver.queued)
	})
}
