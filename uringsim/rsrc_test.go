package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var _ = conform(cases{
	{"C-URING-01", func(t *testing.T) {
		for name, c := range map[string]struct {
			profile kernel.Profile
			entries []RegBuffer
			set     func(k *kernel.Task, r *Ring)
			errno   kernel.Errno
		}{
			"none":                   {entries: []RegBuffer{}, errno: kernel.EINVAL},
			"too many":               {entries: make([]RegBuffer, maxBuffers+1), errno: kernel.EINVAL},
			"no array":               {entries: nil, errno: kernel.EINVAL},
			"unreadable entry":       {entries: []RegBuffer{{}}, errno: kernel.EFAULT},
			"no base":                {entries: []RegBuffer{{Iovec: &iter.Iovec{Len: 1}}}, errno: kernel.EFAULT},
			"no length":              {entries: []RegBuffer{userRange(0, 0)}, errno: kernel.EFAULT},
			"more than 1 GiB":        {entries: []RegBuffer{userRange(0, 1<<30+1)}, errno: kernel.EFAULT},
			"more than 1 TiB":        {profile: kernel.V7_3, entries: []RegBuffer{userRange(0, 1<<40+1)}, errno: kernel.EINVAL},
			"overflow":               {entries: []RegBuffer{{Iovec: &iter.Iovec{Base: ^uint64(0) - 4096, Len: 4096}}}, errno: kernel.EOVERFLOW},
			"not mapped":             {entries: []RegBuffer{userRange(2*hw.PageSize, 1)}, errno: kernel.EFAULT},
			"the end is not mapped":  {entries: []RegBuffer{userRange(0, 2*hw.PageSize+1)}, errno: kernel.EFAULT},
			"tag on an empty slot":   {entries: []RegBuffer{{Iovec: &iter.Iovec{}, Tag: 1}}, errno: kernel.EINVAL},
			"memory is limited":      {entries: []RegBuffer{userRange(0, 8192)}, set: func(_ *kernel.Task, r *Ring) { r.User = &User{Limit: 1} }, errno: kernel.ENOMEM},
			"no node":                {entries: []RegBuffer{userRange(0, 1)}, set: func(k *kernel.Task, _ *Ring) { k.K.FailAlloc("io_rsrc_node", 1) }, errno: kernel.ENOMEM},
			"no buffer":              {entries: []RegBuffer{userRange(0, 1)}, set: func(k *kernel.Task, _ *Ring) { k.K.FailAlloc("io_mapped_ubuf", 1) }, errno: kernel.ENOMEM},
			"no table":               {entries: []RegBuffer{userRange(0, 1)}, set: func(k *kernel.Task, _ *Ring) { k.K.FailAlloc("io_rsrc_data", 1) }, errno: kernel.ENOMEM},
			"the second one is bad":  {entries: []RegBuffer{userRange(0, 1), userRange(0, 0)}, errno: kernel.EFAULT},
			"restricted":             {entries: []RegBuffer{userRange(0, 1)}, set: func(_ *kernel.Task, r *Ring) { r.RestrictRegister = true }, errno: kernel.EACCES},
			"not the only submitter": {entries: []RegBuffer{userRange(0, 1)}, set: func(_ *kernel.Task, r *Ring) { r.submitter = &kernel.Task{} }, errno: kernel.EEXIST},
		} {
			t.Run(name, func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					k.K.Profile = max(c.profile, kernel.RFCBase)
					mm, pages := newMm(k, 2)
					r := NewRing(k, 0)
					r.Mm = mm
					if c.set != nil {
						c.set(k, r)
					}
					require.Equal(t, c.errno, r.RegisterBuffers(k, c.entries))
					require.False(t, r.buffers.exists())
					require.Zero(t, mm.Pins(pages[0])+mm.Pins(pages[1]))
					if r.User != nil {
						require.Zero(t, r.User.Locked)
					}
				})
			})
		}
	}},
	{"C-URING-02", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := NewRing(k, 0)
			require.Equal(t, kernel.ENXIO, r.UnregisterBuffers(k))
			_, err := r.UpdateBuffers(k, 0, 0, make([]RegBuffer, 1))
			require.Equal(t, kernel.ENXIO, err)
			require.Equal(t, kernel.OK, r.RegisterSparse(k, 3))
			require.Equal(t, kernel.EBUSY, r.RegisterSparse(k, 1))
			require.Len(t, r.buffers.nodes, 3)
			require.Equal(t, kernel.OK, r.UnregisterBuffers(k))
			require.Equal(t, kernel.ENXIO, r.UnregisterBuffers(k))
		})
	}},
	{"C-URING-08", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			mm, pages := newMm(k, 2)
			r := NewRing(k, 3)
			r.Mm = mm
			n, err := r.UpdateBuffers(k, 1, 0, []RegBuffer{userRange(4096, 512), userRange(0, 0)})
			require.Equal(t, 1, n)
			require.Equal(t, kernel.OK, err)
			require.Nil(t, r.buffers.nodes[0])
			require.NotNil(t, r.buffers.nodes[1])
			require.Nil(t, r.buffers.nodes[2])
			require.Equal(t, 1, mm.Pins(pages[1]))
			n, err = r.UpdateBuffers(k, 1, 0, []RegBuffer{userRange(0, 0)})
			require.Zero(t, n)
			require.Equal(t, kernel.EFAULT, err)
			require.NotNil(t, r.buffers.nodes[1], "what fails leaves the slot alone")
			require.Equal(t, kernel.OK, r.UnregisterBuffers(k))
			require.Zero(t, mm.Pins(pages[1]))
		})
	}},
	{"C-URING-21", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			mm, pages := newMm(k, 2)
			r := NewRing(k, 0)
			r.Mm = mm
			good := userRange(0, 4096)
			good.Tag = 7
			require.Equal(t, kernel.EFAULT, r.RegisterBuffers(k, []RegBuffer{good, userRange(0, 0)}))
			require.Zero(t, mm.Pins(pages[0]))
			_, ok := r.PeekCQE(k)
			require.False(t, ok, "a tag")
			require.Equal(t, kernel.OK, r.RegisterBuffers(k, []RegBuffer{good}))
			require.Equal(t, kernel.OK, r.UnregisterBuffers(k))
			c, ok := r.PeekCQE(k)
			require.True(t, ok)
			require.Equal(t, CQE{UserData: 7}, c)
		})
	}},
})

// Every invalid update.
func TestUpdateErrors(t *testing.T) {
	empty := RegBuffer{Iovec: &iter.Iovec{}}
	for name, c := range map[string]struct {
		off, flags uint32
		entries    []RegBuffer
		errno      kernel.Errno
	}{
		"none":           {entries: nil, errno: kernel.EINVAL},
		"overflow":       {off: ^uint32(0), entries: []RegBuffer{empty}, errno: kernel.EOVERFLOW},
		"past the end":   {off: 1, entries: []RegBuffer{empty, empty}, errno: kernel.EINVAL},
		"unknown flag":   {flags: 2, entries: []RegBuffer{empty}, errno: kernel.EINVAL},
		"unreadable":     {flags: 1, entries: []RegBuffer{{}}, errno: kernel.EFAULT},
		"tag on nothing": {flags: 1, entries: []RegBuffer{{Iovec: &iter.Iovec{}, Tag: 3}}, errno: kernel.EINVAL},
		"iovec not zero": {flags: 1, entries: []RegBuffer{{Iovec: &iter.Iovec{Len: 1}, Target: &iter.File{}}}, errno: kernel.EFAULT},
		"no dma-buf":     {flags: 1, entries: []RegBuffer{{Iovec: &iter.Iovec{}, Target: &iter.File{Ops: plain{}}}}, errno: kernel.EBADF},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k)
				n, err := w.ring.UpdateBuffers(k, c.off, c.flags, c.entries)
				require.Equal(t, c.errno, err)
				require.Zero(t, n)
				w.teardown(k)
			})
		})
	}
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		_, err := w.ring.UpdateBuffers(k, 1, 1, []RegBuffer{{Iovec: &iter.Iovec{}, DmaBuf: w.buf}})
		require.Equal(t, kernel.EBADF, err, "a dma-buf without a target")
		_, err = w.ring.UpdateFiles(k, 0, 1, []RegFile{{}})
		require.Equal(t, kernel.ENXIO, err)
		require.Equal(t, kernel.OK, w.ring.RegisterFiles(k, []RegFile{{}}))
		_, err = w.ring.UpdateFiles(k, 0, 1, []RegFile{{}})
		require.Equal(t, kernel.EINVAL, err, "a flag")
		require.Equal(t, kernel.OK, w.ring.UnregisterFiles(k))
		w.teardown(k)
	})
}

// REG-3 and RELEASE-IMU: the target file lives as long as the buffer.
func TestTargetFileIsHeld(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		target := &iter.File{Ops: w.fake, Mode: rwMode, Ref: &kernel.File{}}
		target.Ref.Init(k, "target", func(*kernel.Task) {})
		w.fake.tok = &fakeToken{}
		require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 1, target, w.buf))
		require.Equal(t, 2, target.Ref.Count())
		w.fake.mapErr = kernel.ENOMEM
		require.Equal(t, kernel.ENOMEM, w.ring.RegisterDmaBuf(k, 1, target, w.buf))
		require.Equal(t, 2, target.Ref.Count())
		target.Put(k)
		require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 1))
		require.Zero(t, target.Ref.Count())
		w.fake.tok.unregistered = false
		require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 0))
		w.buf.Put(k)
	})
}

// The io_mapped_ubuf of a dma-buf as posted still has acct_pages of the ordinary buffer that
// it stood for before (REG-7, REG-8).
func TestStaleImu(t *testing.T) {
	for _, repaired := range []bool{false, true} {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			mm, _ := newMm(k, 2)
			w.ring.Mm, w.ring.User = mm, &User{}
			if repaired {
				token.Repair(k, token.FixInitImu)
			}
			_, err := w.ring.UpdateBuffers(k, 1, 0, []RegBuffer{userRange(0, 8192)})
			require.Equal(t, kernel.OK, err)
			require.EqualValues(t, 2, w.ring.User.Locked)
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 1))
			require.Zero(t, w.ring.User.Locked)
			require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 1, w.file, w.buf))
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 1))
			want := int64(-2)
			if repaired {
				want = 0
			}
			require.Equal(t, want, w.ring.User.Locked)
			w.teardown(k)
		})
	}
}

// IMP-4 on a dma-buf: what is read is not its vector.
func TestVectoredOnDmaBuf(t *testing.T) {
	read := SQE{Opcode: IORING_OP_READV_FIXED, Iovecs: []iter.Iovec{{Base: 0, Len: 512}}}
	f := on.Run(func(k *kernel.Task) {
		w := newWorld(k)
		w.do(k, read)
	})
	require.NotNil(t, f)
	require.Contains(t, f.Message, "KASAN: slab-out-of-bounds in io_vec_fill_bvec")
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		token.Repair(k, token.FixRefuseVectored)
		require.Equal(t, neg(kernel.EFAULT), w.do(k, read))
		w.teardown(k)
	})
}

// The length of a buffer has 32 bits in io_uring: a dma-buf of 4 GiB has none.
func TestLengthIsCutTo32Bits(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		w.buf.Size += 1 << 32
		w.fake.tok = &fakeToken{}
		require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 1, w.file, w.buf))
		require.Equal(t, neg(kernel.EFAULT), w.do(k, SQE{BufIndex: 1, Addr: bufferSize, Len: 512}))
		w.fake.tok.unregistered = false
		require.Equal(t, kernel.OK, w.ring.UnregisterBuffers(k))
		w.buf.Put(k)
	})
}
