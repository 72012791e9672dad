package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// The array has the bus address of every page, in the order of the buffer, however
// the table is cut.
func TestDmaMapArray(t *testing.T) {
	for _, segments := range [][]int{{1}, {5}, {1, 3, 1}, {2, 2}} {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k, segments...)
			require.Equal(t, kernel.OK, w.dmaMap(k))
			array := w.tok.m.Private.Peek().(*Array).Pages
			require.Len(t, array, len(w.exp.pages))
			for i, a := range array {
				data := w.ctrl.IOMMU.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: a, Len: hw.PageSize}}, nil)
				require.Equal(t, hw.Bytes("vram", uint64(i)*hw.PageSize, hw.PageSize), data)
			}
			w.teardown(k)
			require.Nil(t, w.tok.m.Sgt.Peek())
			require.Nil(t, w.tok.m.Private.Peek())
		})
	}
}

func TestDmaMapFails(t *testing.T) {
	for name, c := range map[string]struct {
		break_ func(k *kernel.Task, w *world)
		errno  kernel.Errno
	}{
		"array":    {func(k *kernel.Task, w *world) { k.K.FailAlloc("nvme dma array", 1) }, kernel.ENOMEM},
		"exporter": {func(k *kernel.Task, w *world) { w.exp.fail = kernel.EBUSY }, kernel.EBUSY},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k, 2)
				c.break_(k, w)
				require.Equal(t, c.errno, w.dmaMap(k))
				require.Nil(t, w.tok.m.Sgt.Peek())
				w.teardown(k)
			})
		})
	}
	fails(t, "misuse", "dma_buf_map_attachment without the reservation lock", func(k *kernel.Task) {
		w := newWorld(k, 1)
		w.driver.DmaMap(k, &w.reg, &token.Map{})
	})
}

func TestDmaUnmapTakesTheLock(t *testing.T) {
	unmap := func(lock, held bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := newWorld(k, 1)
			w.dmaMap(k)
			if lock {
				w.reg.DmaBuf.Resv.Lock(k, nil)
			}
			w.driver.DmaUnmap(k, &w.reg, w.tok.m, held)
			if lock {
				w.reg.DmaBuf.Resv.Unlock(k)
			}
			w.teardown(k)
		}
	}
	passes(t, unmap(false, false))
	passes(t, unmap(true, true))
	fails(t, "deadlock", "and holds it already", unmap(true, false))
	fails(t, "misuse", "without the reservation lock", unmap(false, true))
}

func TestInitDmaToken(t *testing.T) {
	for size, want := range map[uint64]kernel.Errno{4096: kernel.OK, 8192: kernel.OK, 4095: kernel.EINVAL, 6144: kernel.EINVAL, 512: kernel.EINVAL} {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k, 1)
			r := token.Reg{Params: token.Params{DmaBuf: dmabufsim.NewBus(k).Export(k, "odd", size, w.exp)}, Token: w.tok}
			require.Equal(t, want, w.driver.InitDmaToken(k, &r))
			if want == kernel.OK {
				r.DmaBuf.Resv.Lock(k, nil)
				r.DmaBuf.MoveNotify(k)
				r.DmaBuf.Resv.Unlock(k)
				require.Equal(t, 1, w.tok.invalidated, "move_notify invalidates the token")
				w.driver.CleanDmaToken(k, &r)
			} else {
				require.Nil(t, r.Private)
			}
			r.DmaBuf.Put(k)
			w.teardown(k)
		})
	}
}
