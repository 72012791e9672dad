package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

func TestQueueReferences(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		require.True(t, d.Get(k))
		require.Equal(t, 2, d.Refs())
		d.Remove(k)
		require.False(t, d.Get(k), "dying")
		d.Put(k)
		require.Zero(t, d.Refs())
	})
	fails(t, kernel.RefcountMisuse, "blk_put_queue of disk without a reference", func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.Put(k)
		d.Put(k)
	})
}

// A queue that is removed accepts no more I/O, as the comment of Remove says.
func TestRemovedQueueAcceptsNothing(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		d.Remove(k)
		d.SubmitBio(k, d.bio())
		require.Len(t, d.ended, 1)
		require.NotEqual(t, kernel.OK, d.ended[0])
		require.Empty(t, d.driver.queued)
	})
}

// Whether a reference is to be had depends on the removal, so the two conflict.
func TestRemoveIsDeclared(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	outcomes := map[bool]bool{}
	// The getter comes between the operation before the removal and its put.
	s := &nth{task: "getter", at: 2}
	m.Run(s, on.Body(func(k *kernel.Task) {
		d := newDisk(k, 1)
		k.Go("remover", func(k *kernel.Task) {
			k.Step(sim.Op{Verb: "step"})
			d.Remove(k)
		})
		k.Go("getter", func(k *kernel.Task) { outcomes[d.Get(k)] = true })
		k.Explore()
	}))
	require.True(t, outcomes[true], "the removal has not happened yet")
}

// nth runs a task from its n-th step on, by the default rule otherwise.
type nth struct {
	task string
	at   int
}

func (s *nth) Next(p *sim.Point) *sim.Task {
	for _, u := range p.Enabled {
		if p.Step > s.at && u.Name == s.task {
			return u
		}
	}
	return p.Default()
}
func (*nth) Choose(*sim.Task, int) int { return 0 }
func (*nth) Done(*sim.Result) bool     { return false }
