package draw_test

import (
	"testing"

	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore/draw"
)

// adders is a program with a workload: what each of its tasks adds.
func adders(amounts []int) func(*sim.Task) {
	return func(t *sim.Task) {
		sum, want := &counter{}, 0
		t.Own(&sum.Object, "counter", "sum")
		for _, n := range amounts {
			want += n
			t.Go("adder", func(t *sim.Task) {
				t.Step(sim.Op{Verb: "add", Obj: &sum.Object, Class: sim.Commute})
				sum.n += n
			})
		}
		t.Explore()
		if sum.n != want {
			t.Fail(sim.Bug, "the sum is %d, not %d", sum.n, want)
		}
	}
}

// TestAdders draws a workload and a schedule, and makes what fails smaller in both.
func TestAdders(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	rapid.Check(t, func(rt *rapid.T) {
		amounts := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 4).Draw(rt, "amounts")
		draw.Fail(rt, draw.Run(rt, m, adders(amounts), draw.Schedule(6, 30)))
	})
}
