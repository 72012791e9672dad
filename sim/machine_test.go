package sim_test

import (
	"testing"

	"dmasim/sim"
)

type mutex struct {
	sim.Object
	held *sim.Task
}

func (m *mutex) Ready(*sim.Task) bool         { return m.held == nil }
func (m *mutex) Owners(*sim.Task) []*sim.Task { return []*sim.Task{m.held} }
func (m *mutex) lock(t *sim.Task) {
	t.Step(sim.Op{Verb: "lock", Obj: &m.Object, Guard: m})
	m.held = t
}
func (m *mutex) unlock(t *sim.Task) {
	t.Step(sim.Op{Verb: "unlock", Obj: &m.Object})
	m.held = nil
}

type walk struct{ x uint64 }

func (w *walk) Next(p *sim.Point) *sim.Task {
	w.x ^= w.x << 13
	w.x ^= w.x >> 7
	w.x ^= w.x << 17
	return p.Enabled[w.x%uint64(len(p.Enabled))]
}
func (w *walk) Choose(t *sim.Task, n int) int {
	w.x ^= w.x << 13
	w.x ^= w.x >> 7
	return int(w.x % uint64(n))
}
func (w *walk) Done(*sim.Result) bool { return true }

// BenchmarkMutexPing is the figure of steps per second: two tasks that take turns
// on one mutex, under a random walk.
func BenchmarkMutexPing(b *testing.B) {
	m := sim.NewMachine()
	defer m.Close()
	w := &walk{88172645463325252}
	steps := 0
	for b.Loop() {
		r := m.Run(w, func(t *sim.Task) {
			mu := &mutex{}
			t.Own(&mu.Object, "mutex", "m")
			for range 2 {
				t.Go("ping", func(t *sim.Task) {
					for range 500 {
						mu.lock(t)
						mu.unlock(t)
					}
				})
			}
			t.Explore()
		})
		if r.Failure != nil {
			b.Fatal(r.Failure)
		}
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Msteps/s")
}
