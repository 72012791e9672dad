package drain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim"
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
		"dying queue": {func(k *kernel.Task, w *world) { w.queue.Remove(k) }, kernel.EFAULT, 0},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k)
				c.set(k, w)
				require.Equal(t, c.errno, w.register(k))
				require.Equal(t, c.refs, w.queue.Refs())
				w.exp.Buf.Put(k)
			})
		})
	}
	t.Run("the driver refuses", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			good := w.exp.Buf
			w.exp.Buf = dmabufsim.NewBus(k).Export(k, "odd", 6144, bare{})
			require.Equal(t, kernel.EINVAL, w.register(k))
			require.Equal(t, 1, w.queue.Refs())
			w.exp.Buf.Put(k)
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
			require.Equal(t, kernel.OK, w.register(k))
			for range n {
				f := &token.Frag{}
				require.Equal(t, kernel.BLK_STS_OK, w.tok.Submit(k, f).Status)
				w.dma(k, first(f.Map))
				w.tok.Complete(k, f)
				w.tok.Free(k, f, token.Single)
			}
			w.tok.Unregister(k)
			require.False(t, w.tok.Alive())
			require.Zero(t, w.ctrl.IOMMU.Mapped())
			require.Equal(t, 1, w.queue.Refs())
		}
		w.exp.Buf.Put(k)
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
				require.Equal(t, token.Outcome{Status: kernel.BLK_STS_RESOURCE, FreeRequest: true}, w.tok.Submit(k, f))
				require.Nil(t, f.Map)
				require.False(t, w.exp.Buf.Resv.Held(k))
				w.tok.Free(k, f, token.NeverQueued)
				require.Equal(t, kernel.BLK_STS_OK, w.tok.Submit(k, f).Status)
				w.tok.Free(k, f, token.NeverQueued) // it was not completed
				w.teardown(k)
			})
		})
	}
}

func TestNowait(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k)
		f := &token.Frag{Nowait: true}
		require.Equal(t, token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true}, w.tok.Submit(k, f))
		blocking := &token.Frag{}
		w.tok.Submit(k, blocking)
		require.Equal(t, kernel.BLK_STS_OK, w.tok.Submit(k, f).Status, "there is a map now")
		require.Same(t, blocking.Map, f.Map)
		w.tok.Complete(k, f)
		w.tok.Complete(k, blocking)
		w.teardown(k)
	})
}

// A part of a split request holds the map as the whole does.
func TestSplit(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k)
		parent, child, none := &token.Frag{}, &token.Frag{}, &token.Frag{}
		w.tok.Split(k, parent, none)
		require.Nil(t, none.Map)
		w.tok.Submit(k, parent)
		w.tok.Split(k, parent, child)
		require.Same(t, parent.Map, child.Map)
		g := w.tok.current.Peek()
		require.Equal(t, 3, g.refs.Count())
		w.tok.Complete(k, parent)
		w.tok.Complete(k, child)
		w.tok.Complete(k, child) // dropped once
		require.Equal(t, 1, g.refs.Count())
		w.teardown(k)
	})
}

// Invalidate waits for the last request, and that is a deadlock if it never completes.
func TestInvalidateWaits(t *testing.T) {
	f := run(func(k *kernel.Task) {
		w := registered(k)
		w.tok.Submit(k, &token.Frag{})
		w.exp.Move(k)
	})
	require.NotNil(t, f)
	require.Equal(t, sim.Deadlock, f.Kind)
	require.Contains(t, f.Message, "nobody can wake init")

	f = run(func(k *kernel.Task) { registered(k).tok.Invalidate(k) })
	require.NotNil(t, f)
	require.Equal(t, sim.Misuse, f.Kind)
	require.Contains(t, f.Message, "invalidate without the reservation lock")
}

// against is a request and a move; the request drops its reference before its data is
// through if early is set.
func against(early bool) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		w := registered(k)
		k.Go("submitter", func(k *kernel.Task) {
			f := &token.Frag{}
			if w.tok.Submit(k, f).Status != kernel.BLK_STS_OK {
				k.BUG("no map")
			}
			addr := first(f.Map)
			if early {
				w.tok.Complete(k, f)
			}
			w.dma(k, addr)
			w.tok.Complete(k, f)
		})
		k.Go("exporter", w.exp.Move)
		k.Explore()
		if w.exp.Buf.Resv.TestSignaled(k, dmabufsim.UsageBookkeep) != true {
			k.BUG("a fence was published")
		}
		w.teardown(k)
	}
}

func TestRequestAgainstMove(t *testing.T) {
	everywhere(t, against(false))
	r := within(t, 3, against(true))
	require.NotNil(t, r.Found, "a reference that is dropped too early is found")
	require.Contains(t, []sim.Kind{hw.StaleDMA, hw.IOMMUFault}, r.Found.Failure.Kind)
}

func TestUnregisterAgainstMove(t *testing.T) {
	everywhere(t, func(k *kernel.Task) {
		w := registered(k)
		f := &token.Frag{}
		w.tok.Submit(k, f)
		w.tok.Complete(k, f)
		k.Go("ring", func(k *kernel.Task) { w.tok.Unregister(k) })
		k.Go("exporter", w.exp.Move)
		k.Explore()
		require.Equal(t, 1, w.queue.Refs())
		w.exp.Buf.Put(k)
	})
}
