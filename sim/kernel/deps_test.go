package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// What is done on behalf of somebody depends on what that one had done up to there, within the same
// operation, too, and on what was done on the way; what is done afterwards, and what is done for nobody, on
// the task itself.
func TestOnBehalf(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	found := map[string][]string{}
	r := m.Run(sim.Default{}, func(st *sim.Task) {
		k := Boot(st)
		since := k.Point()
		names := func(name string) func(k *Task) {
			return func(k *Task) {
				for _, n := range k.DependsOn(since).Notes {
					found[name] = append(found[name], n.Name)
				}
			}
		}
		var o sim.Object
		k.Own(&o, "variable", "v")
		step := func(k *Task) { k.Step(sim.Op{Verb: "store", Obj: &o}) }
		k.Explore()
		var p Point
		a := k.Go("submitter", func(k *Task) {
			step(k)
			k.FromUser("before")
			p = k.Point()
			k.FromUser("after")
			step(k)
			k.FromUser("much later")
		})
		k.Join(a.Task)
		b := k.Go("dispatcher", func(k *Task) {
			step(k)
			k.FromUser("dispatcher")
			k.OnBehalf(p, func() {
				k.Go("handed", names("handed"))
				k.OnBehalf(Point{}, func() { k.Go("for nobody", names("for nobody")) })
				k.FromUser("meanwhile")
				k.Go("handed too", names("handed too"))
				step(k)
				names("itself")(k)
				k.Go("handed later", names("handed later"))
			})
			k.Go("own", names("own"))
			step(k)
			names("later")(k)
		})
		k.Join(b.Task)
	})
	require.Nil(t, r.Failure)
	require.Equal(t, []string{"before"}, found["handed"])
	for _, name := range []string{"handed too", "itself", "handed later"} {
		require.Equal(t, []string{"before", "meanwhile"}, found[name], name)
	}
	require.Contains(t, found["later"], "dispatcher")
	require.Equal(t, found["own"], append(found["for nobody"], "meanwhile"))
	require.Contains(t, found["own"], "dispatcher")
}

func completion(k *Task, name string) *Completion {
	c := &Completion{}
	c.Init(k, nil, name)
	return c
}

// Who has done something on behalf of somebody, and something for itself later, of which both are needed, is
// needed for itself.
func TestOnBehalfAndForItself(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var found []string
	r := m.Run(sim.Default{}, func(st *sim.Task) {
		k := Boot(st)
		since := k.Point()
		x, y, z := completion(k, "x"), completion(k, "y"), completion(k, "z")
		k.Explore()
		var p Point
		k.Go("waiter", func(k *Task) {
			x.Wait(k)
			z.Complete(k)
			y.Wait(k)
			for _, n := range k.DependsOn(since).Notes {
				found = append(found, n.Name)
			}
		})
		k.Go("submitter", func(k *Task) {
			k.FromUser("submitter")
			p = k.Point()
		})
		k.Go("dispatcher", func(k *Task) {
			k.FromUser("dispatcher")
			k.OnBehalf(p, func() { x.Complete(k) })
			z.Wait(k)
			y.Complete(k)
		})
	})
	require.Nil(t, r.Failure)
	require.Contains(t, found, "submitter")
	require.Contains(t, found, "dispatcher")
}

// Who does something on behalf of two within one operation has both go on from there, in either order.
func TestOnBehalfOfTwo(t *testing.T) {
	for _, turned := range []bool{false, true} {
		m := sim.NewMachine()
		var found []string
		r := m.Run(sim.Default{}, func(st *sim.Task) {
			k := Boot(st)
			since := k.Point()
			x, y, z := completion(k, "x"), completion(k, "y"), completion(k, "z")
			k.Explore()
			var points [2]Point
			for i := range points {
				k.Go("submitter", func(k *Task) {
					k.FromUser([]string{"first", "second"}[i])
					points[i] = k.Point()
				})
			}
			k.Go("dispatcher", func(k *Task) {
				k.FromUser("dispatcher")
				births := []func(){
					func() { k.OnBehalf(points[0], func() { k.Go("device", func(k *Task) { x.Complete(k) }) }) },
					func() { k.OnBehalf(points[1], func() { k.Go("device", func(k *Task) { z.Wait(k); y.Complete(k) }) }) },
				}
				if turned {
					births[0], births[1] = births[1], births[0]
				}
				births[0]()
				births[1]()
			})
			k.Go("waiter", func(k *Task) {
				x.Wait(k)
				z.Complete(k)
				y.Wait(k)
				for _, n := range k.DependsOn(since).Notes {
					found = append(found, n.Name)
				}
			})
		})
		m.Close()
		require.Nil(t, r.Failure)
		require.Equal(t, []string{"first", "second"}, found)
	}
}

// Who puts off a work that another one has to wait for is not needed by the latter, which would have run behind the
// former.
func TestPutOff(t *testing.T) {
	passed := 0
	r := explore.Run(t.Context(), func(st *sim.Task) {
		k := Boot(st)
		since := k.Point()
		wq := AllocWorkqueue(k, "one", WQ_UNBOUND|WQ_MEM_RECLAIM, 1)
		var first DelayedWork
		var second Work
		off, early := false, false
		first.Init(k, nil, "first", func(*Task) { early = true })
		second.Init(k, nil, "second", func(k *Task) {
			if off && !early {
				passed++
			}
			for _, n := range k.DependsOn(since).Notes {
				if n.Name == "third" {
					t.Error("the third task is not needed")
				}
			}
		})
		k.Go("queuer", func(k *Task) {
			wq.ModDelayed(k, &first, 0)
			wq.Queue(k, &second)
		})
		k.Go("third", func(k *Task) {
			k.FromUser("third")
			wq.ModDelayed(k, &first, HZ)
			off = true
		})
		k.Explore()
	}, explore.NewRandom(1), explore.Options{Executions: 300})
	if r.Found != nil {
		defer r.Found.Machine.Close()
		t.Fatal(r.Found.Failure)
	}
	require.Positive(t, passed)
}
