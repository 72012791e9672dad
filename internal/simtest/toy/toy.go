// Package toy is the world in which the designs of tokens are tested by themselves.
package toy

import (
	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/nvmesim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// World is a drive and a buffer that moves, and tokens of a design.
type World[T token.Token] struct {
	Exp   *dmabufsim.Moving
	Queue *blkmq.Queue
	Ctrl  *nvmesim.Controller
	Tok   T // the last one that was registered
}

// New is a world without a token.
func New[T token.Token](k *kernel.Task, d token.Design) *World[T] {
	w := &World[T]{Exp: dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 2)}
	w.Queue, w.Ctrl = nvmesim.NewDisk(k, "nvme0", 1<<20, 4, d)
	return w
}

// Registered is a world with a token.
func Registered[T token.Token](k *kernel.Task, d token.Design) *World[T] {
	w := New[T](k, d)
	if err := w.Register(k); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

// Register makes a token.
func (w *World[T]) Register(k *kernel.Task) kernel.Errno {
	tok, err := w.Queue.Design.Register(k, token.Params{DmaBuf: w.Exp.Buf}, w.Queue, w.Queue.Ops.(token.Driver))
	if err == kernel.OK {
		w.Tok = tok.(T)
	}
	return err
}

// Teardown releases the token and the buffer; the auditors do the rest.
func (w *World[T]) Teardown(k *kernel.Task) {
	w.Tok.Unregister(k)
	w.Exp.Buf.Put(k)
}

// RequestAgainstMove is a request and a move; the request is freed before its data is through if early
// is set, which a design must not survive.
func (w *World[T]) RequestAgainstMove(k *kernel.Task, early bool) {
	k.Go("submitter", func(k *kernel.Task) {
		f := &token.Frag{}
		if w.Tok.Submit(k, f).Status != kernel.BLK_STS_OK {
			k.BUG("no map")
		}
		addr := First(f.Map)
		if early {
			w.Tok.Free(k, f, token.Single)
		}
		w.DMA(k, addr)
		w.Tok.Free(k, f, token.Single)
	})
	k.Go("exporter", w.Exp.Move)
	k.Explore()
}

// TeardownAll is Teardown of a design that leaves nothing to be done later.
func (w *World[T]) TeardownAll(k *kernel.Task) {
	w.Teardown(k)
	if n := w.Ctrl.IOMMU.Mapped(); n != 0 || w.Queue.Refs() != 1 {
		k.Fail(kernel.Leak, "%d page(s) mapped, %d references on the queue", n, w.Queue.Refs())
	}
}

// DMA reads the first sector of the buffer through a map.
func (w *World[T]) DMA(k *kernel.Task, addr hw.BusAddr) {
	data := w.Ctrl.IOMMU.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: addr, Len: hw.SectorSize}}, nil)
	if !data.Equal(hw.Bytes("vram", 0, hw.SectorSize)) {
		k.Fail(hw.DataCorruption, "read %v", data)
	}
}

// First is the address of the first page of a map.
func First(m *token.Map) hw.BusAddr { return m.Private.Peek().(*nvmesim.Array).Pages[0] }
