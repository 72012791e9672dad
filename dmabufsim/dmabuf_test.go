package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// world is a buffer of an inert exporter, and a device.
type world struct {
	bus *Bus
	exp *inert
	buf *DmaBuf
	dev *hw.IOMMU
}

func newWorld(k *kernel.Task) *world {
	w := &world{bus: NewBus(k), exp: &inert{}, dev: hw.NewIOMMU(k.Task, "dev0")}
	w.buf = w.bus.Export(k, "vram", hw.PageSize, w.exp)
	return w
}

func (w *world) attach(k *kernel.Task) *Attachment {
	a, _ := w.buf.DynamicAttach(k, w.dev, nil, nil)
	return a
}

var bufferCases = []conformanceCase{
	{"C-DBUF-02", func(t *testing.T) {
		fails(t, sim.Misuse, "dma_buf_map_attachment without the reservation lock", func(k *kernel.Task) {
			newWorld(k).attach(k).Map(k, hw.Bidirectional)
		})
		fails(t, sim.Misuse, "dma_buf_unmap_attachment without the reservation lock", func(k *kernel.Task) {
			newWorld(k).attach(k).Unmap(k, &SgTable{}, hw.Bidirectional)
		})
		fails(t, sim.Misuse, "dma_buf_move_notify without the reservation lock", func(k *kernel.Task) {
			newWorld(k).buf.MoveNotify(k)
		})
		for name, unlocked := range map[string]func(k *kernel.Task, w *world, a *Attachment){
			"unmap":  func(k *kernel.Task, w *world, a *Attachment) { a.UnmapUnlocked(k, &SgTable{}, hw.Bidirectional) },
			"attach": func(k *kernel.Task, w *world, a *Attachment) { w.attach(k) },
			"detach": func(k *kernel.Task, w *world, a *Attachment) { w.buf.Detach(k, a) },
		} {
			t.Run(name+" with the lock", func(t *testing.T) {
				fails(t, sim.Deadlock, "and holds it already", func(k *kernel.Task) {
					w := newWorld(k)
					a := w.attach(k)
					w.buf.Resv.Lock(k, nil)
					unlocked(k, w, a)
				})
			})
		}
	}},
	{"C-DBUF-06", func(t *testing.T) { // a dynamic importer waits for the fences itself
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			a := w.attach(k)
			w.buf.Resv.Lock(k, nil)
			w.buf.Resv.ReserveFences(k, 1)
			f := newFence(k, 1, 1)
			add(k, &w.buf.Resv, f, UsageKernel)
			sgt, err := a.Map(k, hw.Bidirectional)
			require.Equal(t, kernel.OK, err)
			a.Unmap(k, sgt, hw.Bidirectional)
			w.buf.Resv.Unlock(k)
			f.Signal(k)
			w.buf.Detach(k, a)
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-08", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			var told []string
			w.attach(k)
			for _, n := range []string{"a", "b"} {
				w.buf.DynamicAttach(k, w.dev, notified(func(*kernel.Task, *Attachment) { told = append(told, n) }), nil)
			}
			w.buf.Resv.Lock(k, nil)
			w.buf.MoveNotify(k)
			w.buf.Resv.Unlock(k)
			require.Equal(t, []string{"a", "b"}, told, "in order of attachment, and not the one without the op")
			for len(w.buf.attachments) > 0 {
				w.buf.Detach(k, w.buf.attachments[0])
			}
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-12", func(t *testing.T) {
		fails(t, sim.Deadlock, "and holds it already", func(k *kernel.Task) {
			w := newWorld(k)
			w.buf.DynamicAttach(k, w.dev, notified(func(k *kernel.Task, a *Attachment) { a.Buf.Resv.Lock(k, nil) }), nil)
			w.buf.Resv.Lock(k, nil)
			w.buf.MoveNotify(k)
		})
	}},
	{"C-DBUF-13", func(t *testing.T) { // the completion path needs the lock under which the exporter waits
		sometimes(t, sim.Deadlock, "nobody can wake exporter, completion", func(k *kernel.Task) {
			w := newWorld(k)
			f := newFence(k, 1, 1)
			w.buf.Resv.Lock(k, nil)
			w.buf.Resv.ReserveFences(k, 1)
			add(k, &w.buf.Resv, f, UsageKernel)
			w.buf.Resv.Unlock(k)
			k.Go("exporter", func(k *kernel.Task) {
				w.buf.Resv.Lock(k, nil)
				w.buf.Resv.Wait(k, UsageBookkeep)
				w.buf.Resv.Unlock(k)
			})
			k.Go("completion", func(k *kernel.Task) {
				w.buf.Resv.Lock(k, nil)
				f.Signal(k)
				w.buf.Resv.Unlock(k)
			})
			k.Explore()
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-14", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.buf.Get(k)
			w.buf.Put(k)
			w.buf.Put(k)
			require.False(t, w.buf.released, "not inside the put")
			k.Explore()
			require.True(t, w.buf.released)
			require.Equal(t, kernel.InWorker, w.exp.released)
		})
	}},
	{"C-DBUF-15", func(t *testing.T) {
		fails(t, kernel.Leak, `dma_buf_detach of "vram" with 1 live mapping(s)`, func(k *kernel.Task) {
			w := newWorld(k)
			a := w.attach(k)
			w.buf.Resv.Lock(k, nil)
			a.Map(k, hw.Bidirectional)
			w.buf.Resv.Unlock(k)
			w.buf.Detach(k, a)
		})
		fails(t, kernel.Leak, `dma-buf "vram" is released with 1 attachment(s)`, func(k *kernel.Task) {
			w := newWorld(k)
			w.attach(k)
			w.buf.Put(k)
			k.Explore()
		})
	}},
}

type notified func(k *kernel.Task, a *Attachment)

func (n notified) MoveNotify(k *kernel.Task, a *Attachment) { n(k, a) }

func TestBufferReferences(t *testing.T) {
	fails(t, kernel.RefcountMisuse, `dma_buf_put of "vram" without a reference`, func(k *kernel.Task) {
		w := newWorld(k)
		w.buf.Put(k)
		w.buf.Put(k)
	})
	fails(t, kernel.UseAfterFree, `reference taken on dma-buf "vram", which has none left`, func(k *kernel.Task) {
		w := newWorld(k)
		w.buf.Put(k)
		w.buf.Get(k)
	})
	fails(t, kernel.DoubleFree, `dma_buf_unmap_attachment of "vram", which is not mapped`, func(k *kernel.Task) {
		w := newWorld(k)
		a := w.attach(k)
		w.buf.Resv.Lock(k, nil)
		a.Unmap(k, &SgTable{}, hw.Bidirectional)
	})
}

// What is left at the end of a run is found.
func TestBufferAuditor(t *testing.T) {
	fails(t, kernel.Leak, `dma-buf "vram" was never released; 1 reference(s) are left`, func(k *kernel.Task) { newWorld(k) })
	fails(t, kernel.Leak, `the reservation lock of "vram" is still held`, func(k *kernel.Task) {
		newWorld(k).buf.Resv.Lock(k, nil) // the first task is no task of the kernel's
	})
}

// Nothing may be done with an attachment that is gone, or a buffer that is.
func TestUseAfterDetach(t *testing.T) {
	for name, use := range map[string]func(k *kernel.Task, w *world, a *Attachment){
		"detach again": func(k *kernel.Task, w *world, a *Attachment) { w.buf.Detach(k, a) },
		"map": func(k *kernel.Task, w *world, a *Attachment) {
			w.buf.Resv.Lock(k, nil)
			sgt, _ := a.Map(k, hw.Bidirectional)
			a.Unmap(k, sgt, hw.Bidirectional)
			w.buf.Resv.Unlock(k)
		},
		"attach to a released buffer": func(k *kernel.Task, w *world, a *Attachment) {
			w.buf.Put(k)
			k.Explore()
			w.buf.Detach(k, w.attach(k))
			w.buf.count, w.buf.released = 1, false
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := on.Run(func(k *kernel.Task) {
				w := newWorld(k)
				a := w.attach(k)
				w.buf.Detach(k, a)
				use(k, w, a)
				w.buf.Put(k)
			})
			require.NotNil(t, f)
			require.Equal(t, kernel.UseAfterFree, f.Kind, f.Message)
		})
	}
}
