package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// A run on a machine that has room of earlier ones is the same as on a fresh machine, and finds
// nothing of them.
func TestRoom(t *testing.T) {
	body := func(objects int, leak bool) func(*sim.Task) {
		return on.Body(func(k *Task) {
			require.Empty(t, k.K.Deps.notes)
			require.Empty(t, k.K.memory)
			var mu Mutex
			mu.Init(k, nil, "mu")
			for range objects {
				o := newObject(k, 0)
				k.Go("user", func(k *Task) {
					mu.Lock(k)
					o.get(k)
					mu.Unlock(k)
					if !leak {
						k.Free(&o.Mem)
					}
				})
			}
			k.Explore()
		})
	}
	used := sim.NewMachine()
	defer used.Close()
	for n := 3; n > 0; n-- {
		for _, leak := range []bool{true, false} {
			fresh := sim.NewMachine()
			defer fresh.Close()
			want, got := fresh.Run(sim.Default{}, body(n, leak)), used.Run(sim.Default{}, body(n, leak))
			require.Equal(t, want.Hash, got.Hash)
			require.Equal(t, leak, got.Failure != nil)
			if leak {
				require.Equal(t, want.Failure.Error(), got.Failure.Error())
			}
		}
	}
}

// Two kernels of one run have nothing in common.
func TestRoomOfTwo(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	for range 2 {
		require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
			k := Boot(st)
			o := newObject(k, 0)
			require.Empty(t, Boot(st).K.memory)
			k.Free(&o.Mem)
		}).Failure)
	}
}
