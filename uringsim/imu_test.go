package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/kernel"
)

// dyingToken frees what its users have written to when it is unregistered.
type dyingToken struct {
	fakeToken
	mem  kernel.Mem
	uses kernel.Field[int]
}

func (d *dyingToken) Unregister(k *kernel.Task) {
	d.fakeToken.Unregister(k)
	k.Free(&d.mem)
}

// Two rings share a buffer, and each has a lock of its own. What one of them did with it before
// it gave it up comes before the release by the other: the reference count orders that.
func TestReleaseByTheOtherRing(t *testing.T) {
	always(t, func(k *kernel.Task) {
		w := newWorld(k)
		d := &dyingToken{}
		k.Alloc(kernel.GFP_KERNEL, &d.mem, "token")
		d.uses.Init(k, &d.mem, "token.uses", 0)
		w.ring.buffers.lookup(0).imu.dma.token = d
		other := NewRing(k, 0)
		require.Equal(t, kernel.OK, other.CloneBuffers(k, CloneArgs{Src: w.ring}))
		k.Go("user", func(k *kernel.Task) {
			d.uses.Set(k, 1)
			w.ring.UnregisterBuffer(k, 0)
		})
		k.Go("other", func(k *kernel.Task) { other.UnregisterBuffer(k, 0) })
		k.Explore()
		require.True(t, d.unregistered)
		w.buf.Put(k)
	})
}
