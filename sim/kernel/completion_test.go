package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// waiting is a number of waiters, of whom as many as possible are let through.
func waiting(k *Task, c *Completion, waiters int, done *int) {
	for range waiters {
		k.Go("waiter", func(k *Task) { c.Wait(k); *done++ })
	}
}

func newCompletion(k *Task) *Completion {
	c := &Completion{}
	c.Init(k, nil, "c")
	return c
}

var completionCases = cases{
	{"C-COMP-01", func(t *testing.T) {
		passes(t, func(k *Task) {
			c := newCompletion(k)
			c.Complete(k)
			c.Wait(k)
			require.False(t, c.Ready(nil))
		})
		fails(t, sim.Deadlock, "nobody can wake init", func(k *Task) {
			c := newCompletion(k)
			c.Complete(k)
			c.Wait(k)
			c.Wait(k)
		})
	}},
	{"C-COMP-02", func(t *testing.T) {
		complete := func(times int) func(k *Task) {
			return func(k *Task) {
				c, done := newCompletion(k), 0
				waiting(k, c, 2, &done)
				k.Go("completer", func(k *Task) {
					for range times {
						c.Complete(k)
					}
				})
				k.Explore()
				require.Equal(t, 2, done)
			}
		}
		always(t, complete(2))
		sometimes(t, sim.Deadlock, "nobody can wake waiter", complete(1))
	}},
	{"C-COMP-03", func(t *testing.T) {
		always(t, func(k *Task) {
			c, done := newCompletion(k), 0
			waiting(k, c, 2, &done)
			k.Go("completer", c.CompleteAll)
			k.Explore()
			require.Equal(t, 2, done)
			require.True(t, c.Ready(nil), "sticky")
			c.Reinit(k)
			require.False(t, c.Ready(nil))
		})
	}},
	{"C-COMP-05", func(t *testing.T) {
		always(t, func(k *Task) {
			o := newObject(k, 0)
			var c Completion
			c.Init(k, &o.Mem, "c")
			k.Go("waiter", func(k *Task) { c.Wait(k); k.Free(&o.Mem) })
			k.Go("completer", c.Complete)
			k.Explore()
		})
		sometimes(t, UseAfterFree, "completer (task 2) uses object#1", func(k *Task) {
			o := newObject(k, 0)
			var c Completion
			c.Init(k, &o.Mem, "c")
			k.Go("waiter", func(k *Task) { c.Wait(k); k.Free(&o.Mem) })
			k.Go("completer", func(k *Task) { c.Complete(k); c.Complete(k) })
			k.Explore()
		})
	}},
	{"C-COMP-07", func(t *testing.T) {
		sometimes(t, sim.Deadlock, "nobody can wake waiter", func(k *Task) {
			c, done := newCompletion(k), 0
			waiting(k, c, 1, &done)
			k.Go("completer", func(k *Task) { c.CompleteAll(k); c.Reinit(k) })
			k.Explore()
		})
	}},
}

func TestCompletionReinitAfterFree(t *testing.T) {
	fails(t, UseAfterFree, "uses object#1", func(k *Task) {
		o := newObject(k, 0)
		var c Completion
		c.Init(k, &o.Mem, "c")
		k.Free(&o.Mem)
		c.Reinit(k)
	})
}
