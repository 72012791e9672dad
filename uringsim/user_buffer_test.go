package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq/dmatoken"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// userWorld is a drive, and a ring with two pages of user memory in slot 0.
type userWorld struct {
	ring  *Ring
	file  *iter.File
	ctrl  *nvmesim.Controller
	mm    *iter.Mm
	pages []*hw.Page
}

func newUserWorld(k *kernel.Task) *userWorld {
	q, ctrl := nvmesim.NewDisk(k, "nvme0", 1<<20, 4, dmatoken.Design{})
	w := &userWorld{ring: NewRing(k, 0), file: q.Open(iter.O_DIRECT), ctrl: ctrl}
	w.mm, w.pages = newMm(k, 2)
	w.ring.Mm = w.mm
	if err := w.ring.RegisterBuffers(k, []RegBuffer{userRange(0, bufferSize)}); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

func (w *userWorld) do(k *kernel.Task, sqe SQE) int64 {
	sqe.File = w.file
	w.ring.Submit(k, sqe)
	return w.ring.WaitCQE(k).Res
}

func (w *userWorld) teardown(k *kernel.Task) {
	if err := w.ring.UnregisterBuffers(k); err != kernel.OK {
		k.Fail(kernel.Leak, "unregister: %v", err)
	}
}

var _ = conform(cases{
	{"C-URING-07", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			page := new(hw.Memory).Alloc(k.Task, "kernel", 1)
			released := false
			v := []iter.Bvec{{Pages: page, Len: hw.PageSize}}
			release := func(*kernel.Task) { released = true }
			require.Equal(t, kernel.EINVAL, w.ring.RegisterBvec(k, 2, v, true, false, release))
			require.Equal(t, kernel.EBUSY, w.ring.RegisterBvec(k, 0, v, true, false, release))
			require.Equal(t, kernel.EBUSY, w.ring.UnregisterBvec(k, 0))
			require.Equal(t, kernel.EINVAL, w.ring.UnregisterBvec(k, 1))
			require.Equal(t, kernel.OK, w.ring.RegisterBvec(k, 1, v, true, false, release))
			require.EqualValues(t, 512, w.do(k, SQE{BufIndex: 1, Addr: 512, Len: 512}), "the address is an offset")
			require.Equal(t, neg(kernel.EFAULT), w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, BufIndex: 1, Len: 512}))
			require.Equal(t, kernel.OK, w.ring.UnregisterBvec(k, 1))
			require.True(t, released)
			w.teardown(k)
		})
		passes(t, func(k *kernel.Task) { // a user's buffer takes both
			w := newUserWorld(k)
			require.EqualValues(t, 512, w.do(k, SQE{Opcode: IORING_OP_READ_FIXED, Addr: userMemory, Len: 512}))
			require.EqualValues(t, 512, w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Addr: userMemory, Len: 512}))
			w.teardown(k)
		})
	}},
	{"C-URING-22", func(t *testing.T) {
		// An offset that the device cannot do never moves the data elsewhere.
		for _, profile := range []kernel.Profile{kernel.V6_12, kernel.RFCBase} {
			for _, off := range []uint64{0, 1, 2, 4, 511, 512, 4095} {
				for _, n := range []uint64{512, 4096} {
					passes(t, func(k *kernel.Task) {
						k.K.Profile = profile
						w := newUserWorld(k)
						before := hw.Peek(w.pages, 0, bufferSize)
						res := w.do(k, SQE{Opcode: IORING_OP_READ_FIXED, Addr: userMemory + off, Len: n, Off: 8192})
						want := before
						if res >= 0 {
							require.EqualValues(t, n, res)
							want = before.Overwrite(int(off), w.ctrl.Blocks(16, int(n/512)))
						}
						if off%4 != 0 {
							require.Negative(t, res)
						}
						require.True(t, hw.Peek(w.pages, 0, bufferSize).Equal(want), "offset %d, length %d, result %d", off, n, res)
						w.teardown(k)
					})
				}
			}
		}
	}},
	{"C-URING-23", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newUserWorld(k)
			require.Zero(t, w.do(k, SQE{Opcode: IORING_OP_READ_FIXED, Addr: userMemory}))
			require.Zero(t, w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Addr: userMemory + 5}))
			w.teardown(k)
		})
	}},
})

// Fixed and vectored transfers bring the same bytes, each to its place.
func TestUserBufferData(t *testing.T) {
	for _, vectored := range []bool{false, true} {
		passes(t, func(k *kernel.Task) {
			w := newUserWorld(k)
			want := hw.Peek(w.pages, 0, bufferSize)
			sqe := SQE{Opcode: IORING_OP_READ_FIXED, Addr: userMemory + 2048, Len: 4096, Off: 4096}
			if vectored {
				sqe = SQE{Opcode: IORING_OP_READV_FIXED, Off: 4096, Iovecs: []iter.Iovec{
					{Base: userMemory + 2048, Len: 1024}, {Base: userMemory + 3072, Len: 3072}}}
			}
			res := w.do(k, sqe)
			if res < 0 { // where vectors meet within a page
				require.True(t, vectored)
				require.Equal(t, neg(kernel.EINVAL), res)
			} else {
				require.EqualValues(t, 4096, res)
				want = want.Overwrite(2048, w.ctrl.Blocks(8, 8))
			}
			require.True(t, hw.Peek(w.pages, 0, bufferSize).Equal(want))
			w.teardown(k)
		})
	}
	for name, c := range map[string]struct {
		v     []iter.Iovec
		errno kernel.Errno
	}{
		"empty part":   {[]iter.Iovec{{Base: userMemory}}, kernel.EFAULT},
		"outside":      {[]iter.Iovec{{Base: userMemory + bufferSize, Len: 1}}, kernel.EFAULT},
		"too many":     {make([]iter.Iovec, iter.UIO_MAXIOV+1), kernel.EINVAL},
		"bad length":   {[]iter.Iovec{{Base: userMemory, Len: 1 << 63}}, kernel.EINVAL},
		"second fails": {[]iter.Iovec{{Base: userMemory, Len: 512}, {Base: userMemory - 1, Len: 1}}, kernel.EFAULT},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newUserWorld(k)
				require.Equal(t, neg(c.errno), w.do(k, SQE{Opcode: IORING_OP_WRITEV_FIXED, Iovecs: c.v}))
				w.teardown(k)
			})
		})
	}
}

// Pages of a buffer stay where they are after the user has unmapped them.
func TestUserPagesArePinned(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newUserWorld(k)
		w.mm.Munmap(k, userMemory, bufferSize)
		require.EqualValues(t, 512, w.do(k, SQE{Opcode: IORING_OP_READ_FIXED, Addr: userMemory, Len: 512}))
		require.Equal(t, 1, w.mm.Pins(w.pages[0]))
		w.teardown(k)
		require.Zero(t, w.mm.Pins(w.pages[0]))
	})
}

// READ and WRITE take any memory of the user, which is pinned as long as they run, and a file
// that has no operations refuses them.
func TestPlainReadAndWrite(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newUserWorld(k)
		require.EqualValues(t, 512, w.do(k, SQE{Opcode: IORING_OP_READ, BufIndex: 9, Addr: userMemory, Len: 512, Off: 4096}))
		require.True(t, hw.Peek(w.pages, 0, 512).Equal(w.ctrl.Blocks(8, 1)))
		require.EqualValues(t, 512, w.do(k, SQE{Opcode: IORING_OP_WRITE, Flags: IOSQE_ASYNC, Addr: userMemory + 4096, Len: 512}))
		require.True(t, w.ctrl.Blocks(0, 1).Equal(hw.Peek(w.pages, 4096, 512)))
		require.Equal(t, neg(kernel.EFAULT), w.do(k, SQE{Opcode: IORING_OP_READ, Addr: userMemory + bufferSize, Len: 512}))
		require.Equal(t, neg(kernel.EFAULT), w.do(k, SQE{Opcode: IORING_OP_READ, Addr: 1 << 63, Len: 512}))
		require.Equal(t, 1, w.mm.Pins(w.pages[0]), "only the registration")
		dmabuf := &iter.File{Name: "dmabuf", Mode: rwMode}
		for _, op := range []Opcode{IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED, IORING_OP_READ, IORING_OP_WRITE} {
			w.ring.Submit(k, SQE{Opcode: op, File: dmabuf, Addr: userMemory, Len: 512})
			require.Equal(t, neg(kernel.EINVAL), w.ring.WaitCQE(k).Res, op)
		}
		w.teardown(k)
	})
}
