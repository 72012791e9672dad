package sim_test

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// known are the points that a task, or an object, comes after.
type known map[int]bool

func (k known) add(l known) { maps.Copy(k, l) }

// ordering is a random program of tasks that come and go, and what a model that keeps
// everything says of its order.
type ordering struct {
	t      *testing.T
	rng    *rand.Rand
	objs   [3]sim.Object
	seen   [3]known // by who acquires it
	stamps []sim.Stamp
	left   int // operations
	asked  int
}

func (o *ordering) task(t *sim.Task, mine known) {
	for n := o.rng.IntN(8) + 1; n > 0 && o.left > 0; n-- {
		o.left--
		i := o.rng.IntN(len(o.objs))
		t.Step(sim.Op{Verb: "act", Obj: &o.objs[i]})
		switch o.rng.IntN(7) {
		case 0, 1:
			t.Acquire(&o.objs[i])
			mine.add(o.seen[i])
		case 2:
			t.Release(&o.objs[i])
			o.seen[i].add(mine)
		case 3:
			t.Publish(&o.objs[i])
			o.seen[i] = maps.Clone(mine)
		case 4:
			mine[len(o.stamps)] = true
			o.stamps = append(o.stamps, t.Stamp())
		case 5:
			o.ask(t, mine)
		case 6:
			theirs := maps.Clone(mine)
			u := t.Go("task", func(t *sim.Task) { o.task(t, theirs) })
			if o.rng.IntN(3) == 0 {
				t.Join(u)
				mine.add(theirs)
			}
		}
	}
}

func (o *ordering) ask(t *sim.Task, mine known) {
	for i, s := range o.stamps {
		require.Equal(o.t, mine[i], t.Follows(s), "point %d, of %s, asked by %s", i, s.Task(), t)
		o.asked++
	}
}

func TestOrder(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewRandom(1)
	asked := 0
	for seed := range uint64(500) {
		r := m.Run(s, func(st *sim.Task) {
			o := &ordering{t: t, rng: rand.New(rand.NewPCG(seed, 1)), left: 120}
			for i := range o.objs {
				st.Own(&o.objs[i], "object", "o")
				o.seen[i] = known{}
			}
			all := known{}
			for range 3 {
				st.Go("task", func(t *sim.Task) { o.task(t, known{}) })
			}
			st.Explore()
			for i := range o.stamps {
				all[i] = true
			}
			o.ask(st, all)
			asked += o.asked
		})
		require.Nil(t, r.Failure, "seed %d: %v", seed, r.Failure)
		s.Done(r)
	}
	require.Greater(t, asked, 10_000)
}

// Fences make loads and stores without an order of their own acquire and release.
func TestOrderOfFences(t *testing.T) {
	for _, c := range []struct {
		release, acquire, again, want bool
	}{
		{true, true, false, true}, {true, false, false, false}, {false, true, false, false}, {false, false, false, false},
		{true, true, true, true}, // a second store after the same fence
	} {
		var s sim.Stamp
		m := sim.NewMachine()
		defer m.Close()
		require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
			var o sim.Object
			st.Own(&o, "object", "o")
			st.Go("one", func(t *sim.Task) {
				t.Step(sim.Op{Verb: "store", Obj: &o})
				s = t.Stamp()
				if c.release {
					t.FenceRelease()
				}
				t.Overwrite(&o)
				if c.again {
					t.Overwrite(&o)
				}
			})
			st.Go("two", func(u *sim.Task) {
				u.Step(sim.Op{Verb: "load", Obj: &o})
				u.Observe(&o)
				if c.acquire {
					u.FenceAcquire()
				}
				require.Equal(t, c.want, u.Follows(s), "%+v", c)
			})
			st.Explore()
		}).Failure)
	}
}
