package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// sharing is a plain field, and what tasks can tell each other with.
type sharing struct {
	Mem
	x    Field[int]
	flag Shared[bool]
	a, b Mutex
	spin Spinlock
	refs Refcount
	p    RCU[int]
	done Completion
	q    WaitQueue
	work Work
	tm   TimerList
}

// between has two tasks access the field: how each does it is the program.
func between(one, two func(k *Task, s *sharing)) func(k *Task) {
	return func(k *Task) {
		s := &sharing{}
		in := &s.Mem
		k.Alloc(GFP_KERNEL, in, "thing")
		s.x.Init(k, in, "thing.x", 0)
		s.flag.Init(k, in, "flag", false)
		s.a.Init(k, in, "a")
		s.b.Init(k, in, "b")
		s.spin.Init(k, in, "spin")
		s.refs.Init(k, in, "refs", 2)
		s.p.Init(k, in, "p")
		s.done.Init(k, in, "done")
		s.q.Init(k, in, "q")
		s.work.Init(k, in, "work", s.write)
		s.tm.Setup(k, in, "timer", s.write)
		k.K.Race("timer")
		k.Go("one", func(k *Task) { one(k, s) })
		k.Go("two", func(k *Task) { two(k, s) })
		k.Explore()
		s.x.Get(k)
		s.work.Flush(k)
		s.tm.DelSync(k)
		k.Free(in)
	}
}

func (s *sharing) read(k *Task)  { s.x.Get(k) }
func (s *sharing) write(k *Task) { s.x.Set(k, 1) }

// Each program is there twice: as it should be, and with one thing wrong.
func TestDataRaces(t *testing.T) {
	five := 5
	type do = func(k *Task, s *sharing)
	nothing := func(*Task, *sharing) {}
	wroteIt := func(k *Task, s *sharing) { s.write(k); s.flag.Store(k, true) }
	under := func(lock func(s *sharing) *Mutex) do {
		return func(k *Task, s *sharing) {
			l := lock(s)
			l.Lock(k)
			s.write(k)
			l.Unlock(k)
		}
	}
	a := under(func(s *sharing) *Mutex { return &s.a })
	try := func(ignore bool) do {
		return func(k *Task, s *sharing) {
			if got := s.a.Trylock(k); got || ignore {
				s.read(k)
				if got {
					s.a.Unlock(k)
				}
			}
		}
	}
	told := func(load func(k *Task, s *sharing) bool, barrier func(k *Task)) do {
		return func(k *Task, s *sharing) {
			if load(k, s) {
				barrier(k)
				s.read(k)
			}
		}
	}
	once := func(k *Task, s *sharing) bool { return s.flag.Load(k) }
	acquire := func(k *Task, s *sharing) bool { return s.flag.LoadAcquire(k) }
	none := func(*Task) {}
	putWith := func(read bool, write bool) do {
		return func(k *Task, s *sharing) {
			if read {
				s.write(k)
			}
			if s.refs.DecAndTest(k) == write {
				s.write(k)
			}
		}
	}
	publish := func(assign func(k *Task, s *sharing)) do {
		return func(k *Task, s *sharing) { s.write(k); assign(k, s) }
	}
	follow := func(load func(k *Task, s *sharing) *int) do {
		return func(k *Task, s *sharing) {
			k.RCUReadLock()
			if load(k, s) != nil {
				s.read(k)
			}
			k.RCUReadUnlock()
		}
	}
	dereference := follow(func(k *Task, s *sharing) *int { return s.p.Dereference(k) })
	assign := publish(func(k *Task, s *sharing) { s.p.Assign(k, &five) })
	reader := func(k *Task, s *sharing) {
		k.RCUReadLock()
		if !s.flag.Load(k) {
			s.read(k)
		}
		k.RCUReadUnlock()
	}
	for _, c := range []struct {
		name         string
		right, wrong [2]do
	}{
		{name: "mutex", right: [2]do{a, a}, wrong: [2]do{a, under(func(s *sharing) *Mutex { return &s.b })}},
		{name: "trylock", right: [2]do{a, try(false)}, wrong: [2]do{a, try(true)}},
		{name: "irqs off", right: [2]do{
			func(k *Task, s *sharing) { f := s.spin.LockIrqsave(k); s.write(k); s.spin.UnlockIrqrestore(k, f) },
			func(k *Task, s *sharing) {
				k.Interrupt("irq", func(k *Task) { s.spin.Lock(k); s.write(k); s.spin.Unlock(k) })
			},
		}, wrong: [2]do{
			func(k *Task, s *sharing) { f := k.LocalIrqSave(); s.write(k); k.LocalIrqRestore(f) },
			func(k *Task, s *sharing) { k.Interrupt("irq", s.write) },
		}},
		{name: "raised interrupt", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); k.Interrupt("irq", s.write) }, nothing,
		}, wrong: [2]do{
			func(k *Task, s *sharing) { k.Interrupt("irq", s.write); s.write(k) }, nothing,
		}},
		{name: "release and acquire", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.StoreRelease(k, true) }, told(acquire, none),
		}, wrong: [2]do{wroteIt, told(acquire, none)}},
		{name: "acquire missing", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.StoreRelease(k, true) }, told(once, (*Task).SmpRmb),
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.StoreRelease(k, true) }, told(once, none),
		}},
		{name: "barriers", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); k.SmpWmb(); s.flag.Store(k, true) }, told(once, (*Task).SmpMb),
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.Store(k, true); k.SmpWmb() }, told(once, (*Task).SmpMb),
		}},
		{name: "a later store", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.StoreRelease(k, true) }, told(acquire, none),
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.StoreRelease(k, true); s.flag.Store(k, true) }, told(acquire, none),
		}},
		{name: "atomic update", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.Update(k, func(bool) bool { return true }) }, told(acquire, none),
		}, wrong: [2]do{wroteIt, told(once, none)}},
		{name: "last reference", right: [2]do{putWith(true, true), putWith(false, true)}, wrong: [2]do{putWith(false, false), putWith(false, true)}},
		{name: "rcu pointer", right: [2]do{assign, dereference}, wrong: [2]do{
			publish(func(k *Task, s *sharing) { s.p.InitPointer(k, &five) }), dereference,
		}},
		{name: "rcu_access_pointer", right: [2]do{assign, dereference}, wrong: [2]do{
			assign, follow(func(k *Task, s *sharing) *int { return s.p.Access(k) }),
		}},
		{name: "grace period", right: [2]do{
			func(k *Task, s *sharing) { s.flag.Store(k, true); k.SynchronizeRCU(); s.write(k) }, reader,
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.flag.Store(k, true); s.write(k) }, reader,
		}},
		{name: "rcu callback", right: [2]do{
			func(k *Task, s *sharing) { s.flag.Store(k, true); k.CallRCU("cb", s.write) }, reader,
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.flag.Store(k, true); k.Softirq("cb", s.write) }, reader,
		}},
		{name: "completion", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.done.Complete(k) },
			func(k *Task, s *sharing) { s.done.Wait(k); s.write(k) },
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.done.Complete(k); s.write(k) },
			func(k *Task, s *sharing) { s.done.Wait(k); s.write(k) },
		}},
		{name: "wait_event", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.StoreRelease(k, true); s.q.WakeUp(k) },
			func(k *Task, s *sharing) {
				s.q.WaitEvent(k, func(k *Task) bool { return s.flag.LoadAcquire(k) })
				s.read(k)
			},
		}, wrong: [2]do{ // a condition that holds at once was not waited for
			func(k *Task, s *sharing) { s.write(k); s.flag.Store(k, true); s.q.WakeUp(k) },
			func(k *Task, s *sharing) {
				s.q.WaitEvent(k, func(k *Task) bool { return s.flag.Load(k) })
				s.read(k)
			},
		}},
		{name: "work", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); k.K.SystemWq.Queue(k, &s.work); s.work.Flush(k); s.write(k) },
			nothing,
		}, wrong: [2]do{
			func(k *Task, s *sharing) { k.K.SystemWq.Queue(k, &s.work); s.write(k) }, nothing,
		}},
		{name: "timer", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.tm.Mod(k, 1); s.tm.DelSync(k); s.write(k) },
			nothing,
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.tm.Mod(k, 1); s.write(k); s.tm.DelSync(k) },
			nothing,
		}},
		{name: "join", right: [2]do{
			func(k *Task, s *sharing) { k.Join(k.Go("child", s.write).Task); s.write(k) }, nothing,
		}, wrong: [2]do{
			func(k *Task, s *sharing) { k.Go("child", s.write); s.write(k) }, nothing,
		}},
		{name: "data_race()", right: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.Store(k, true) },
			func(k *Task, s *sharing) { s.x.Racy(k); s.flag.Load(k) },
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.write(k); s.flag.Store(k, true) },
			func(k *Task, s *sharing) { s.read(k); s.flag.Load(k) },
		}},
		{name: "readers", right: [2]do{
			func(k *Task, s *sharing) { s.read(k); s.flag.Store(k, true) },
			func(k *Task, s *sharing) { s.read(k); s.flag.Load(k) },
		}, wrong: [2]do{
			func(k *Task, s *sharing) { s.read(k); s.flag.Store(k, true) },
			func(k *Task, s *sharing) { s.write(k); s.flag.Load(k) },
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			always(t, between(c.right[0], c.right[1]))
			sometimes(t, DataRace, "BUG: KCSAN: data-race in ", between(c.wrong[0], c.wrong[1]))
		})
	}
}

// A queue_work that finds the work pending is a full barrier, and orders what came before it
// before the function.
func TestQueueingPendingWorkOrders(t *testing.T) {
	body := func(queues bool) func(k *Task) {
		return func(k *Task) {
			var x Field[int]
			var said Shared[bool]
			var w Work
			x.Init(k, nil, "x", 0)
			said.Init(k, nil, "said", false)
			w.Init(k, nil, "work", func(k *Task) { x.Get(k) })
			wq := NewWorkqueue(k, "wq", 1)
			wq.Occupy(k, 1)
			wq.Queue(k, &w)
			k.Go("one", func(k *Task) {
				x.Set(k, 1)
				if queues && wq.Queue(k, &w) {
					k.BUG("the work was pending")
				}
				said.Store(k, true)
			})
			k.Go("two", func(k *Task) {
				said.Await(k, "wait", func(v bool) bool { return v })
				wq.Occupy(k, -1)
			})
			k.Explore()
		}
	}
	always(t, body(true))
	sometimes(t, DataRace, "data-race in one / kworker/wq: write to x, and read of it", body(false))
}

// A race is found in the default run, in which the accesses are far apart; both are told.
func TestDataRaceReport(t *testing.T) {
	body := func(k *Task) {
		var x Field[int]
		var mu Mutex
		x.Init(k, nil, "dev.state", 0)
		mu.Init(k, nil, "dev.lock")
		k.Go("writer", func(k *Task) {
			mu.Lock(k)
			x.Set(k, 1)
			mu.Unlock(k)
		})
		k.Go("reader", func(k *Task) {
			k.Step(opStep)
			x.Get(k)
		})
		k.Explore()
	}
	m := sim.NewMachine()
	defer m.Close()
	m.Trace(true)
	f := m.Run(sim.Default{}, on.Body(body)).Failure
	require.NotNil(t, f)
	require.Equal(t, DataRace, f.Kind)
	require.Equal(t, "BUG: KCSAN: data-race in writer / reader: write to dev.state, and read of it", f.Message)
	detail := strings.Join(f.Detail, "\n")
	require.Contains(t, detail, "read of dev.state by reader (task 2) at step")
	require.Contains(t, detail, "write to dev.state by writer (task 1) at step 2, in task context, locks held: dev.lock (taken by writer (task 1) at step 2)")
	require.Contains(t, detail, "Call trace: kernel.(*Field).Set")

	m.Trace(false)
	again := m.Run(sim.Default{}, on.Body(body)).Failure
	require.Equal(t, f.Message, again.Message, "with a trace or without")
	require.Nil(t, on.Run(raceless(body)))
}

// What a race needs is not that the accesses meet: the free of an object is predicted to meet
// a user from a run in which it came late enough.
func TestFreeRacesWithUse(t *testing.T) {
	body := func(get bool) func(k *Task) {
		return func(k *Task) {
			o := newObject(k, 1)
			var refs Refcount
			refs.Init(k, nil, "refs", 1+int32(boolInt(get)))
			k.Go("user", func(k *Task) {
				k.Step(opStep)
				o.v.Get(k)
				if get && refs.DecAndTest(k) {
					k.Free(&o.Mem)
				}
			})
			k.Go("owner", func(k *Task) {
				if refs.DecAndTest(k) {
					k.Free(&o.Mem)
				}
			})
			k.Explore()
		}
	}
	fails(t, DataRace, "read of object.v, and kfree of it", body(false))
	always(t, body(true))
}
