package drain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/internal/simtest/toy"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Every failure of a registration leaves nothing.
func TestRegisterFails(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(k *kernel.Task, w *world)
		errno kernel.Errno
		refs  int // of the queue afterwards
	}{
		"no memory":   {func(k *kernel.Task, w *world) { k.K.FailAlloc("drain token", 1) }, kernel.ENOMEM, 1},
		"dying queue": {func(k *kernel.Task, w *world) { w.Queue.Remove(k) }, kernel.EFAULT, 0},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k)
				c.set(k, w)
				require.Equal(t, c.errno, w.Register(k))
				require.Equal(t, c.refs, w.Queue.Refs())
				w.Exp.Buf.Put(k)
			})
		})
	}
	t.Run("the driver refuses", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			good := w.Exp.Buf
			w.Exp.Buf = dmabufsim.NewBus(k).Export(k, "odd", 6144, bare{})
			require.Equal(t, kernel.EINVAL, w.Register(k))
			require.Equal(t, 1, w.Queue.Refs())
			w.Exp.Buf.Put(k)
			good.Put(k)
		})
	})
}

// bare is an exporter of nothing.
type bare struct{}

func (bare) MapDmaBuf(*kernel.Task, *dmabufsim.Attachment, hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	return nil, kernel.ENODEV
}
func (bare) UnmapDmaBuf(*kernel.Task, *dmabufsim.Attachment, *dmabufsim.SgTable, hw.Direction) {}
func (bare) Release(*kernel.Task)                                                              {}

// Registering and unregistering again and again leaves nothing, used or not.
func TestRegisterAgainAndAgain(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		for n := range 4 {
			require.Equal(t, kernel.OK, w.Register(k))
			for range n {
				f := &token.Frag{}
				require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status)
				w.DMA(k, toy.First(f.Map))
				w.Tok.Free(k, f, token.Single)
				w.Tok.Free(k, f, token.Single)
			}
			w.Tok.Unregister(k)
			require.False(t, w.Tok.Alive())
			require.Zero(t, w.Ctrl.IOMMU.Mapped())
			require.Equal(t, 1, w.Queue.Refs())
		}
		w.Exp.Buf.Put(k)
	})
}

// A map that cannot be made leaves nothing, and the next one is made.
func TestMakeFails(t *testing.T) {
	for _, site := range []string{token.MapSite, "percpu_ref", "nvme dma array"} {
		t.Run(site, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := registered(k)
				k.K.FailAlloc(site, 1)
				f := &token.Frag{}
				require.Equal(t, token.Outcome{Status: kernel.BLK_STS_RESOURCE, FreeRequest: true}, w.Tok.Submit(k, f))
				require.Nil(t, f.Map)
				require.False(t, w.Exp.Buf.Resv.Held(k))
				w.Tok.Free(k, f, token.NeverQueued)
				require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status)
				w.Tok.Free(k, f, token.NeverQueued) // it was not completed
				w.TeardownAll(k)
			})
		})
	}
}

func TestNowait(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k)
		f := &token.Frag{Nowait: true}
		require.Equal(t, token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true}, w.Tok.Submit(k, f))
		blocking := &token.Frag{}
		w.Tok.Submit(k, blocking)
		require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status, "there is a map now")
		require.Same(t, blocking.Map, f.Map)
		w.Tok.Free(k, f, token.Single)
		w.Tok.Free(k, blocking, token.Single)
		w.TeardownAll(k)
	})
}

// A part of a split request holds the map as the whole does.
func TestSplit(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k)
		parent, child, none := &token.Frag{}, &token.Frag{}, &token.Frag{}
		w.Tok.Split(k, parent, none)
		require.Nil(t, none.Map)
		w.Tok.Submit(k, parent)
		w.Tok.Split(k, parent, child)
		require.Same(t, parent.Map, child.Map)
		g := w.Tok.current.Peek()
		require.Equal(t, 3, g.refs.Count())
		w.Tok.Free(k, parent, token.Single)
		w.Tok.Free(k, child, token.Single)
		w.Tok.Free(k, child, token.Single) // dropped once
		require.Equal(t, 1, g.refs.Count())
		w.TeardownAll(k)
	})
}

// Invalidate waits for the last request, and that is a deadlock if it never completes.
func TestInvalidateWaits(t *testing.T) {
	on.Fails(t, sim.LostWakeup, "init waits for", func(k *kernel.Task) {
		w := registered(k)
		w.Tok.Submit(k, &token.Frag{})
		w.Exp.Move(k)
	})
	on.Fails(t, sim.Misuse, "invalidate without the reservation lock", func(k *kernel.Task) { registered(k).Tok.Invalidate(k) })
}

// against is a request and a move.
func against(early bool) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		w := registered(k)
		w.RequestAgainstMove(k, early)
		if w.Exp.Buf.Resv.TestSignaled(k, dmabufsim.UsageBookkeep) != true {
			k.BUG("a fence was published")
		}
		w.TeardownAll(k)
	}
}

func TestRequestAgainstMove(t *testing.T) {
	everywhere(t, against(false))
	// A reference that is dropped too early is found.
	on.Finds(t, simtest.Within(explore.Delays, 3), against(true), hw.StaleDMA, hw.IOMMUFault)
}

func TestUnregisterAgainstMove(t *testing.T) {
	everywhere(t, func(k *kernel.Task) {
		w := registered(k)
		f := &token.Frag{}
		w.Tok.Submit(k, f)
		w.Tok.Free(k, f, token.Single)
		k.Go("ring", func(k *kernel.Task) { w.Tok.Unregister(k) })
		k.Go("exporter", w.Exp.Move)
		k.Explore()
		require.Equal(t, 1, w.Queue.Refs())
		w.Exp.Buf.Put(k)
	})
}
