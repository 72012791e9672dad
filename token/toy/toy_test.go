package toy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/internal/simtest/toy"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on                 = simtest.On[*kernel.Task](kernel.Boot)
	passes, everywhere = on.Passes, on.Everywhere
)

func registered(k *kernel.Task) *toy.World[*toyToken] {
	return toy.Registered[*toyToken](k, Design{})
}

// against is a request and a move.
func against(early bool) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		w := registered(k)
		w.RequestAgainstMove(k, early)
		w.TeardownAll(k)
	}
}

func TestRequestAgainstMove(t *testing.T) {
	everywhere(t, against(false))
	on.Finds(t, simtest.Within(explore.Delays, 3), against(true), hw.StaleDMA, hw.IOMMUFault)
}

// Who may not wait gives up where there is no map, and where somebody else has the lock.
func TestNowait(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k)
		again := token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true}
		f, other := &token.Frag{Nowait: true}, &token.Frag{}
		require.Equal(t, again, w.Tok.Submit(k, f))
		w.Tok.Submit(k, other)
		w.Exp.Buf.Resv.Lock(k, nil)
		k.Go("io_uring", func(k *kernel.Task) { require.Equal(t, again, w.Tok.Submit(k, f)) })
		k.Explore()
		w.Exp.Buf.Resv.Unlock(k)
		require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status)
		require.Same(t, other.Map, f.Map)
		w.Tok.Free(k, f, token.Single)
		w.Tok.Free(k, other, token.Single)
		w.Teardown(k)
	})
}

// Every failure leaves nothing.
func TestFailures(t *testing.T) {
	for _, site := range []string{token.MapSite, "nvme dma array"} {
		passes(t, func(k *kernel.Task) {
			w := registered(k)
			k.K.FailAlloc(site, 1)
			f := &token.Frag{}
			require.Equal(t, token.Outcome{Status: kernel.BLK_STS_RESOURCE, FreeRequest: true}, w.Tok.Submit(k, f), site)
			require.Nil(t, f.Map)
			w.Tok.Free(k, f, token.NeverQueued)
			require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status)
			w.Tok.Free(k, f, token.NeverQueued)
			w.Teardown(k)
		})
	}
	passes(t, func(k *kernel.Task) {
		w := toy.New[*toyToken](k, Design{})
		k.K.FailAlloc("toy token", 1)
		require.Equal(t, kernel.ENOMEM, w.Register(k))
		require.Equal(t, 1, w.Queue.Refs())
		w.Queue.Remove(k)
		require.Equal(t, kernel.EFAULT, w.Register(k))
		w.Exp.Buf.Put(k)
	})
}

// A part of a split request has the map as the whole has, and move_notify waits for both.
func TestSplit(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k)
		parent, child, none := &token.Frag{}, &token.Frag{}, &token.Frag{}
		w.Tok.Split(k, parent, none)
		require.Nil(t, none.Map)
		w.Tok.Submit(k, parent)
		w.Tok.Split(k, parent, child)
		require.Same(t, parent.Map, child.Map)
		w.Tok.Free(k, parent, token.Single)
		require.Equal(t, 1, w.Tok.users.Peek())
		w.Tok.Complete(k, child) // it may be tried again
		require.Equal(t, 1, w.Tok.users.Peek())
		w.Tok.Free(k, child, token.Single)
		w.Tok.Free(k, child, token.Single) // counted once
		require.Zero(t, w.Tok.users.Peek())
		w.Teardown(k)
	})
	on.Fails(t, sim.LostWakeup, "init waits for", func(k *kernel.Task) {
		w := registered(k)
		w.Tok.Submit(k, &token.Frag{})
		w.Exp.Move(k)
	})
}
