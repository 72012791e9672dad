package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func TestSharedUpdateIsAtomic(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		var x Shared[int]
		x.Init(k, nil, "x", 0)
		for range 3 {
			k.Go("adder", func(k *Task) { x.Update(k, func(v int) int { return v + 1 }) })
		}
		k.Explore()
		say("%d", x.Peek())
	})
	require.Equal(t, set("3"), out)
}

// Store buffering: at least one of two tasks sees the other's store, as the machine
// is sequentially consistent, and both may.
func TestSharedIsSequentiallyConsistent(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		var x, y Shared[int]
		x.Init(k, nil, "x", 0)
		y.Init(k, nil, "y", 0)
		var a, b int
		k.Go("one", func(k *Task) { x.Store(k, 1); a = y.Load(k) })
		k.Go("two", func(k *Task) { y.Store(k, 1); b = x.Load(k) })
		k.Explore()
		say("%d%d", a, b)
	})
	require.Equal(t, set("01", "10", "11"), out)
}

func TestSharedAwait(t *testing.T) {
	waits := func(stores int) func(k *Task) {
		return func(k *Task) {
			var x Shared[int]
			x.Init(k, nil, "x", 0)
			k.Go("waiter", func(k *Task) {
				x.Await(k, "wait_event", func(v int) bool { return v == 2 })
				if x.Load(k) != 2 {
					k.BUG("woken too early")
				}
			})
			k.Go("waker", func(k *Task) {
				for v := 1; v <= stores; v++ {
					x.Store(k, v)
				}
			})
			k.Explore()
		}
	}
	always(t, waits(2))
	sometimes(t, sim.LostWakeup, "waiter waits for wait_event x", waits(1))
}
