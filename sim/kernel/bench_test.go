package kernel

import (
	"testing"
	"time"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// How many scheduling steps a second a program makes, under random walks: first one of
// the bare machine, then one on all primitives, with all checks on and with one of them
// off at a time. The second is to make at least half as many steps as the first.
//
//	go test ./sim/kernel -bench Steps -run xxx

const (
	benchTasks  = 3
	benchRounds = 6
)

// steps reports the steps per second of a program.
func steps(b *testing.B, body func(t *sim.Task)) {
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewRandom(1)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r := m.Run(s, body)
		if r.Failure != nil {
			b.Fatal(r.Failure)
		}
		n += r.Steps
		s.Done(r)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Msteps/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/step")
	b.ReportMetric(float64(n)/float64(b.N), "steps/run")
}

// bareLock is a lock of the machine: an object and a guard.
type bareLock struct {
	obj  sim.Object
	held bool
}

func (l *bareLock) Ready(*sim.Task) bool { return !l.held }

// bare is a program that pings on one lock, about as often as the other makes steps.
func bare(t *sim.Task) {
	l := &bareLock{}
	t.Own(&l.obj, "lock", "l")
	for range benchTasks {
		t.Go("task", func(t *sim.Task) {
			for range benchRounds * 10 {
				t.Step(sim.Op{Verb: "lock", Obj: &l.obj, Guard: l})
				l.held = true
				t.Step(sim.Op{Verb: "unlock", Obj: &l.obj, Releases: true})
				l.held = false
			}
		})
	}
	t.Explore()
}

// shaped is a program of the bare machine with the shape of the other: in each round the
// same locks are taken, as many steps are made that wait for nobody, and a task is
// spawned and waited for.
func shaped(t *sim.Task) {
	var locks [3]bareLock
	var obj sim.Object
	for i := range locks {
		t.Own(&locks[i].obj, "lock", "l")
	}
	t.Own(&obj, "object", "o")
	lock := func(t *sim.Task, l *bareLock) {
		t.Step(sim.Op{Verb: "lock", Obj: &l.obj, Guard: l})
		l.held = true
	}
	unlock := func(t *sim.Task, l *bareLock) {
		t.Step(sim.Op{Verb: "unlock", Obj: &l.obj, Releases: true})
		l.held = false
	}
	for range benchTasks {
		t.Go("task", func(t *sim.Task) {
			for range benchRounds {
				lock(t, &locks[0])
				lock(t, &locks[1])
				unlock(t, &locks[1])
				unlock(t, &locks[0])
				lock(t, &locks[2])
				unlock(t, &locks[2])
				for range 11 {
					t.Step(sim.Op{Verb: "step", Obj: &obj})
				}
				t.Join(t.Spawn("work", sim.Op{Verb: "run", Obj: &obj}, func(t *sim.Task) {
					t.Step(sim.Op{Verb: "step", Obj: &obj})
				}))
			}
		})
	}
	t.Explore()
}

// armed has fault injection and memory pressure for somebody else.
func armed(k *Task) {
	k.K.InjectFaults(Faults{Fail: []Fault{{"nobody", 1}}})
	k.K.Pressure(1, 1, "nobody")
}

// parts is a set of primitives.
type parts uint

const (
	partMutex parts = 1 << iota
	partSpinlock
	partRefcount
	partPercpuRef
	partRCU
	partCompletion
	partWork
	partAlloc
	partShared
	partAll = 1<<iota - 1
)

// off is what is switched off.
type off struct{ lockdep, lifetime bool }

// thing is an object with one of each primitive.
type thing struct {
	Mem
	mu    Mutex
	inner Mutex
	spin  Spinlock
	refs  Refcount
	live  PercpuRef
	ptr   RCU[int]
	done  Completion
	work  Work
	value Shared[int]
}

// primitives is a program whose tasks ping on one thing.
func primitives(p parts, o off, arm func(k *Task)) func(st *sim.Task) {
	return func(st *sim.Task) {
		k := Boot(st)
		k.K.Lockdep.Off = o.lockdep
		if arm != nil {
			arm(k)
		}
		x := &thing{}
		in := &x.Mem
		k.Alloc(GFP_KERNEL, in, "thing")
		part := in
		if o.lifetime {
			part = nil
		}
		x.mu.Init(k, part, "thing.mu")
		x.inner.Init(k, part, "thing.inner")
		x.spin.Init(k, part, "thing.spin")
		x.refs.Init(k, part, "thing.refs", 1)
		x.ptr.Init(k, part, "thing.ptr")
		x.done.Init(k, part, "thing.done")
		x.work.Init(k, part, "thing.work", func(k *Task) { x.done.Complete(k) })
		var gone Completion
		gone.Init(k, nil, "gone")
		x.value.Init(k, part, "thing.value", 0)
		if p&partPercpuRef != 0 {
			x.live.Init(k, part, "thing.live", GFP_KERNEL, gone.Complete)
		}
		for range benchTasks {
			k.Go("task", func(k *Task) {
				for range benchRounds {
					x.round(k, p)
				}
			})
		}
		k.Explore()
		if p&partPercpuRef != 0 {
			x.live.Kill(k)
			gone.Wait(k)
			x.live.Exit(k)
		}
		k.Free(in)
	}
}

// round uses each of the primitives once.
func (x *thing) round(k *Task, p parts) {
	if p&partMutex != 0 {
		x.mu.Lock(k)
		x.inner.Lock(k)
		x.inner.Unlock(k)
		x.mu.Unlock(k)
	}
	if p&partSpinlock != 0 {
		flags := x.spin.LockIrqsave(k)
		x.spin.UnlockIrqrestore(k, flags)
	}
	if p&partRefcount != 0 {
		x.refs.Inc(k)
		x.refs.DecAndTest(k)
	}
	if p&partPercpuRef != 0 {
		x.live.TrygetLive(k)
		x.live.Put(k)
	}
	if p&partRCU != 0 {
		k.RCUReadLock()
		x.ptr.Dereference(k)
		k.RCUReadUnlock()
	}
	if p&partCompletion != 0 {
		x.done.Complete(k)
		x.done.Wait(k)
	}
	if p&partWork != 0 {
		k.K.SystemWq.Queue(k, &x.work)
		x.work.Flush(k)
	}
	if p&partAlloc != 0 {
		m := &Mem{}
		k.Alloc(GFP_KERNEL, m, "part")
		k.Use(m)
		k.Free(m)
	}
	if p&partShared != 0 {
		x.value.Store(k, x.value.Load(k)+1)
	}
}

func BenchmarkSteps(b *testing.B) {
	b.Run("bare", func(b *testing.B) { steps(b, bare) })
	b.Run("bare-shaped", func(b *testing.B) { steps(b, shaped) })
	b.Run("all", func(b *testing.B) { steps(b, primitives(partAll, off{}, nil)) })
	b.Run("no-lockdep", func(b *testing.B) { steps(b, primitives(partAll, off{lockdep: true}, nil)) })
	b.Run("no-lifetime", func(b *testing.B) { steps(b, primitives(partAll, off{lifetime: true}, nil)) })
	b.Run("neither", func(b *testing.B) { steps(b, primitives(partAll, off{true, true}, nil)) })
	b.Run("faults-armed", func(b *testing.B) { steps(b, primitives(partAll, off{}, armed)) })
}

// BenchmarkStepsOf is one primitive at a time.
func BenchmarkStepsOf(b *testing.B) {
	for _, c := range []struct {
		name string
		part parts
	}{
		{"mutex", partMutex}, {"spinlock", partSpinlock}, {"refcount", partRefcount}, {"percpu_ref", partPercpuRef},
		{"rcu", partRCU}, {"completion", partCompletion}, {"work", partWork}, {"alloc", partAlloc}, {"shared", partShared},
	} {
		b.Run(c.name, func(b *testing.B) { steps(b, primitives(c.part, off{}, nil)) })
		if c.part&(partMutex|partSpinlock) != 0 {
			b.Run(c.name+"/no-lockdep", func(b *testing.B) { steps(b, primitives(c.part, off{lockdep: true}, nil)) })
		}
	}
}

// BenchmarkStepsCompared runs the variants in turn, so that what else the machine does
// hits all of them, and reports the least time of a step of each, in nanoseconds, and how
// many steps the kernel makes per hundred of the bare machine: of a lock that is pinged
// on, where two tasks of three wait and so few switches happen, and of the same shape.
func BenchmarkStepsCompared(b *testing.B) {
	least := compare(b, []variant{
		{"bare", bare},
		{"bare-shaped", shaped},
		{"kernel", primitives(partAll, off{}, nil)},
		{"no-lockdep", primitives(partAll, off{lockdep: true}, nil)},
		{"no-lifetime", primitives(partAll, off{lifetime: true}, nil)},
		{"neither", primitives(partAll, off{true, true}, nil)},
		{"armed", primitives(partAll, off{}, armed)},
	})
	b.ReportMetric(100*least[0]/least[2], "kernel/bare-%")
	b.ReportMetric(100*least[1]/least[2], "kernel/shaped-%")
}

type variant struct {
	name string
	body func(*sim.Task)
}

// compare is the least time of a step of each variant.
func compare(b *testing.B, variants []variant) []float64 {
	const batch = 20
	least := make([]float64, len(variants))
	m := sim.NewMachine()
	defer m.Close()
	for b.Loop() {
		for i, v := range variants {
			s, n, start := explore.NewRandom(1), 0, time.Now()
			for range batch {
				r := m.Run(s, v.body)
				n += r.Steps
				s.Done(r)
			}
			d := float64(time.Since(start).Nanoseconds()) / float64(n)
			if least[i] == 0 || d < least[i] {
				least[i] = d
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, v := range variants {
		b.ReportMetric(least[i], v.name+"-ns/step")
	}
	return least
}

// fields is a program that does nothing but take locks and access plain fields under them, so
// many in each section: the worst case of the check for data races.
func fields(offNow bool, n int) func(st *sim.Task) {
	return func(st *sim.Task) {
		k := Boot(st)
		k.K.Races.Off = offNow
		var mu [2]Mutex
		x := make([]Field[int], 2*n)
		mu[0].Init(k, nil, "a")
		mu[1].Init(k, nil, "b")
		for i := range x {
			x[i].Init(k, nil, "x", 0)
		}
		for range benchTasks {
			k.Go("task", func(k *Task) {
				for round := range benchRounds * 4 {
					i := round % 2
					mu[i].Lock(k)
					for j := i; j < len(x); j += 2 {
						x[j].Set(k, x[j].Get(k)+1)
					}
					mu[i].Unlock(k)
				}
			})
		}
		k.Explore()
	}
}

// BenchmarkRaces is the cost of the check for data races, as StepsCompared.
func BenchmarkRaces(b *testing.B) {
	least := compare(b, []variant{
		{"none", fields(false, 0)},
		{"one", fields(false, 1)},
		{"one-off", fields(true, 1)},
		{"four", fields(false, 4)},
		{"four-off", fields(true, 4)},
	})
	b.ReportMetric(100*(least[1]/least[2]-1), "one/off-%")
	b.ReportMetric(100*(least[3]/least[4]-1), "four/off-%")
}
