package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// pool is a mempool that has only its reserve to give.
func pool(k *Task, reserve int) *Mempool {
	p := &Mempool{}
	p.Init(k, "bio", reserve)
	k.K.Exhaust()
	return p
}

var _ = conform(cases{
	{"C-MEM-07", func(t *testing.T) {
		// Each of two tasks takes n elements and gives them back.
		users := func(reserve, n int) func(k *Task) {
			return func(k *Task) {
				p := pool(k, reserve)
				for _, name := range []string{"a", "b"} {
					k.Go(name, func(k *Task) {
						elements := make([]Mem, n)
						for i := range elements {
							require.Equal(t, OK, p.Alloc(k, GFP_NOIO, &elements[i]), "it does not fail")
						}
						for i := range elements {
							p.Free(k, &elements[i])
						}
					})
				}
				k.Explore()
			}
		}
		always(t, users(1, 1))
		always(t, users(3, 2))
		f := sometimes(t, sim.LostWakeup, "mempool_alloc bio", users(2, 2))
		require.Contains(t, f.Detail[0], "all elements of the reserve are in use")
		f = sometimes(t, sim.LostWakeup, "mempool_alloc bio", users(1, 2))
		require.NotNil(t, f)
	}},
})

// Without memory an allocation that may not sleep fails when the reserve is empty.
func TestMempoolAtomic(t *testing.T) {
	passes(t, func(k *Task) {
		p := pool(k, 1)
		var first, second Mem
		for range 2 {
			require.Equal(t, OK, p.Alloc(k, GFP_ATOMIC, &first))
			require.Equal(t, ENOMEM, p.Alloc(k, GFP_NOWAIT, &second))
			require.False(t, second.Alive())
			p.Free(k, &first)
		}
	})
	require.Equal(t, set("1", "2"), outcomes(t, func(k *Task, say func(string, ...any)) {
		p, n := pool(k, 1), 0
		for _, name := range []string{"a", "b"} {
			k.Go(name, func(k *Task) {
				var m Mem
				if p.Alloc(k, GFP_ATOMIC, &m) == OK {
					n++
					p.Free(k, &m)
				}
			})
		}
		k.Explore()
		say("%d", n)
	}))
}

// With memory the reserve is not touched; and it is when memory fails.
func TestMempoolReserve(t *testing.T) {
	passes(t, func(k *Task) {
		p := &Mempool{}
		require.Equal(t, OK, p.Init(k, "bio", 1))
		var m [3]Mem
		for i := range m {
			require.Equal(t, OK, p.Alloc(k, GFP_NOIO, &m[i]))
		}
		require.Equal(t, 1, p.left)
		p.Free(k, &m[0])
		require.Equal(t, 1, p.left, "what is not missing goes back to the system")
		k.K.FailAlloc("bio", 1)
		require.Equal(t, OK, p.Alloc(k, GFP_NOIO, &m[0]))
		require.Zero(t, p.left)
		p.Free(k, &m[1])
		require.Equal(t, 1, p.left, "any element fills the reserve")
		p.Free(k, &m[0])
		p.Free(k, &m[2])
		require.Equal(t, 1, p.left)
		k.K.FailAlloc("mempool", 1)
		require.Equal(t, ENOMEM, (&Mempool{}).Init(k, "bio", 1))
	})
	fails(t, Context, "allocation(bio) in an RCU read section", func(k *Task) {
		p := pool(k, 1)
		k.RCUReadLock()
		p.Alloc(k, GFP_NOIO, &Mem{})
	})
	fails(t, Leak, "bio#1", func(k *Task) { pool(k, 1).Alloc(k, GFP_NOIO, &Mem{}) })
	fails(t, DoubleFree, "bio#1", func(k *Task) {
		var m Mem
		p := pool(k, 1)
		p.Alloc(k, GFP_NOIO, &m)
		p.Free(k, &m)
		p.Free(k, &m)
	})
	fails(t, sim.Misuse, "object#1 does not come from the mempool of bio", func(k *Task) { pool(k, 1).Free(k, &newObject(k, 0).Mem) })
	fails(t, sim.Misuse, "reserve of 0", func(k *Task) { pool(k, 0) })
}
