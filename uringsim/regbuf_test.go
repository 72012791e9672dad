package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq/dmatoken"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim/kernel"
)

// Every invalid registration: its errno, the slot as it was, and no reference left.
func TestRegisterErrors(t *testing.T) {
	for name, c := range map[string]struct {
		slot  int
		file  func(w *world) *iter.File
		set   func(k *kernel.Task, w *world)
		errno kernel.Errno
	}{
		"slot past the end": {slot: 2, errno: kernel.EINVAL},
		"slot before":       {slot: -1, errno: kernel.EOVERFLOW},
		"no memory":         {slot: 1, set: func(k *kernel.Task, _ *world) { k.K.FailAlloc("io_rsrc_node", 1) }, errno: kernel.ENOMEM},
		"file without dma_map": {slot: 1, file: func(*world) *iter.File { return &iter.File{Ops: plain{}} },
			errno: kernel.EOPNOTSUPP},
		"dma_map fails": {slot: 1, set: func(_ *kernel.Task, w *world) { w.fake.mapErr = kernel.EFAULT }, errno: kernel.EFAULT},
		"the slot in use stays": {slot: 0, set: func(_ *kernel.Task, w *world) { w.fake.mapErr = kernel.EBUSY },
			errno: kernel.EBUSY},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k)
				file := w.file
				if c.file != nil {
					file = c.file(w)
				}
				if c.set != nil {
					c.set(k, w)
				}
				require.Equal(t, c.errno, w.ring.RegisterDmaBuf(k, c.slot, file, w.buf))
				require.Nil(t, w.ring.buffers.nodes[1])
				require.NotNil(t, w.ring.buffers.nodes[0])
				require.False(t, w.fake.tok.unregistered)
				w.teardown(k) // and nothing is left, or the auditors say so
			})
		})
	}
}

// A block device that was opened without O_DIRECT is refused at registration.
func TestRegisterWithoutODirect(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		q, _ := nvmesim.NewDisk(k, "nvme0", 1<<20, 1, dmatoken.Design{})
		buf := dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 1).Buf
		ring := NewRing(k, 1)
		require.Equal(t, kernel.EINVAL, ring.RegisterDmaBuf(k, 0, q.Open(0), buf))
		require.Equal(t, kernel.OK, ring.RegisterDmaBuf(k, 0, q.Open(iter.O_DIRECT), buf))
		require.Equal(t, kernel.OK, ring.UnregisterBuffer(k, 0))
		buf.Put(k)
	})
}

func TestUnregisterErrors(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		for _, slot := range []int{-1, 1, 2} {
			require.Equal(t, kernel.ENXIO, w.ring.UnregisterBuffer(k, slot))
		}
		w.teardown(k)
		require.Equal(t, kernel.ENXIO, w.ring.UnregisterBuffer(k, 0))
	})
}

// REG-7: the old node of a slot goes when a new one comes.
func TestRegisterReplaces(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		old := w.fake.tok
		w.fake.tok = &fakeToken{}
		require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 0, w.file, w.buf))
		require.True(t, old.unregistered)
		require.False(t, w.fake.tok.unregistered)
		w.teardown(k)
	})
}
