package dmabufsim

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// stagehand is a reservation object with a fence, and a publisher that waits for nothing.
type stagehand struct {
	r  Resv
	f  *testFence
	wq [2]*kernel.Workqueue // the second one has a rescuer
}

// published has the publisher do something to the fence before and after it is published.
func published(before, after func(k *kernel.Task, s *stagehand), others ...func(k *kernel.Task, s *stagehand)) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		s := &stagehand{}
		s.r.Init(k, "resv")
		s.wq[0] = kernel.AllocWorkqueue(k, "signaller", kernel.WQ_UNBOUND, 0)
		s.wq[1] = kernel.AllocWorkqueue(k, "signaller", kernel.WQ_UNBOUND|kernel.WQ_MEM_RECLAIM, 0)
		s.f = &testFence{}
		k.Alloc(kernel.GFP_KERNEL, &s.f.Mem, "fence")
		k.Go("publisher", func(k *kernel.Task) {
			s.r.Lock(k, nil)
			s.r.ReserveFences(k, 1)
			s.f.Init(k, &s.f.Mem, "test", 1, 1)
			if before != nil {
				before(k, s)
			}
			s.r.AddFence(k, &s.f.Fence, UsageKernel)
			if after != nil {
				after(k, s)
			}
			s.r.Unlock(k)
		})
		k.Go("bystander", func(k *kernel.Task) { k.Step(sim.Op{Verb: "stands by", Obj: &s.r.list, Class: sim.Read}) })
		for _, o := range others {
			k.Go("other", func(k *kernel.Task) { o(k, s) })
		}
		k.Explore()
		s.f.Put(k)
		s.r.fini(k)
	}
}

// fromWork has a worker of the queue do something and then signal.
func fromWork(queue int, inside func(k *kernel.Task, s *stagehand)) func(k *kernel.Task, s *stagehand) {
	return func(k *kernel.Task, s *stagehand) {
		w := &kernel.Work{}
		w.Init(k, nil, "signal", func(k *kernel.Task) {
			if inside != nil {
				inside(k, s)
			}
			s.f.Signal(k)
		})
		s.wq[queue].Queue(k, w)
	}
}

func waiting(k *kernel.Task, s *stagehand) {
	s.r.Lock(k, nil)
	k.MayFail(kernel.GFP_KERNEL, "buffer")
	s.r.Wait(k, UsageBookkeep)
	s.r.Unlock(k)
}

// Each rule has a program that breaks it and one of the same shape that does not.
func TestFenceRules(t *testing.T) {
	const rescued = 1
	alloc := func(gfp kernel.GFP) func(k *kernel.Task, s *stagehand) {
		return func(k *kernel.Task, s *stagehand) { k.MayFail(gfp, "buffer") }
	}
	signal := func(k *kernel.Task, s *stagehand) { s.f.Signal(k) }
	irq := func(k *kernel.Task, s *stagehand) { k.Interrupt("irq", func(k *kernel.Task) { s.f.Signal(k) }) }
	for _, c := range []struct {
		name, rule string // the rule is empty if nothing is to be found
		body       func(k *kernel.Task)
	}{
		{"R2 the work is begun before a slot is reserved", "R2: the work of fence test:1:1 had begun", func(k *kernel.Task) {
			s := &stagehand{}
			s.r.Init(k, "resv")
			var go_ kernel.Completion
			go_.Init(k, nil, "published")
			k.Go("publisher", func(k *kernel.Task) {
				s.f = newFence(k, 1, 1)
				k.Kthread("job", sim.Op{Verb: "job"}, func(k *kernel.Task) { go_.Wait(k); s.f.Signal(k) })
				s.r.Lock(k, nil)
				s.r.ReserveFences(k, 1)
				s.r.AddFence(k, &s.f.Fence, UsageKernel)
				s.r.Unlock(k)
				go_.Complete(k)
			})
			k.Explore()
			s.f.Put(k)
			s.r.fini(k)
		}},
		{"R2 a slot is reserved before", "", published(func(k *kernel.Task, s *stagehand) {
			k.Kthread("job", sim.Op{Verb: "job"}, func(k *kernel.Task) { s.f.Signal(k) })
		}, nil)},
		{"R2 the work is begun after", "", func(k *kernel.Task) {
			s := &stagehand{}
			s.r.Init(k, "resv")
			k.Go("publisher", func(k *kernel.Task) {
				s.f = newFence(k, 1, 1)
				s.r.Lock(k, nil)
				s.r.ReserveFences(k, 1)
				s.r.AddFence(k, &s.f.Fence, UsageKernel)
				s.r.Unlock(k)
				k.Kthread("job", sim.Op{Verb: "job"}, func(k *kernel.Task) { s.f.Signal(k) })
				k.Step(sim.Op{Verb: "goes on"})
			})
			k.Explore()
			s.f.Put(k)
			s.r.fini(k)
		}},

		{"R3 the signaller allocates", "R3: an allocation of buffer with GFP_KERNEL", published(nil, fromWork(rescued, alloc(kernel.GFP_KERNEL)))},
		{"R3 it allocates without file systems", "R3: an allocation of buffer with GFP_NOIO", published(nil, fromWork(rescued, alloc(kernel.GFP_NOIO)))},
		{"R3 it allocates without reclaim", "", published(nil, fromWork(rescued, alloc(kernel.GFP_NOWAIT)))},
		{"R3 whom it waits for allocates", "R3: an allocation of buffer with GFP_KERNEL", chained(alloc(kernel.GFP_KERNEL), nil)},
		{"R3 whom it waits for allocates afterwards", "", chained(nil, alloc(kernel.GFP_KERNEL))},
		{"R3 the waiter allocates, with the lock held", "", published(nil, fromWork(rescued, nil), waiting)},
		{"R3 an allocation before the publication", "", published(alloc(kernel.GFP_KERNEL), irq)},

		{"R4 the signaller takes the lock", "R4: reservation lock resv", published(nil, fromWork(rescued, func(k *kernel.Task, s *stagehand) {
			s.r.Lock(k, nil)
			s.r.Unlock(k)
		}))},
		{"R4 it tries to", "", published(nil, fromWork(rescued, func(k *kernel.Task, s *stagehand) {
			if s.r.Trylock(k) {
				s.r.Unlock(k)
			}
		}))},
		{"R4 the waiter holds it", "", published(nil, irq, waiting)},

		{"R6 a queue without a rescuer", "R6: work signal ran from workqueue signaller, which has no rescuer", published(nil, fromWork(0, nil))},
		{"R6 a queue with one", "", published(nil, fromWork(rescued, nil))},
		{"R6 task work", "R6: task work had to run", byUser(func(k, user *kernel.Task, s *stagehand) {
			k.TaskWorkAdd(user, &kernel.TaskWork{Func: func(k *kernel.Task) { signal(k, s) }}, kernel.TWA_SIGNAL)
		})},
		{"R6 an interrupt instead", "", byUser(func(k, user *kernel.Task, s *stagehand) {
			irq(k, s)
			k.TaskWorkAdd(user, &kernel.TaskWork{Func: func(k *kernel.Task) {}}, kernel.TWA_SIGNAL)
		})},
		{"R6 a system call", "R6: other (task 3) had to come from user space, with signal", published(nil, nil, func(k *kernel.Task, s *stagehand) {
			k.Await("wait for the fence", &s.r.list, sim.Read, func() bool { return s.r.fences.count() > 0 })
			k.FromUser("signal")
			signal(k, s)
		})},
		{"R6 new I/O", "R6: I/O to disk was not submitted yet", published(nil, func(k *kernel.Task, s *stagehand) {
			k.Submits("disk")
			irq(k, s)
		})},
		{"R6 I/O under way", "", published(func(k *kernel.Task, s *stagehand) { k.Submits("disk"); irq(k, s) }, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rule == "" {
				on.Survives(t, explore.NewDPOR(), c.body)
				return
			}
			finds(t, c.rule, c.body)
			unruled.Survives(t, explore.NewDPOR(), c.body)
		})
	}
}

// finds looks for the rule in every interleaving, and asks that one breaks it.
func finds(t *testing.T, rule string, body func(k *kernel.Task)) {
	t.Helper()
	r := explore.Run(context.Background(), on.Body(body), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
	require.NotNil(t, r.Found, "nothing was found; want %s", rule)
	r.Found.Machine.Close()
	f := r.Found.Failure
	require.Equal(t, FenceRule, f.Kind, f.Message)
	require.Contains(t, f.Message, rule)
	require.True(t, f.Minor)
}

// chained has a worker signal that waits for another task, which does something before it lets
// the worker go on, and something afterwards.
func chained(before, after func(k *kernel.Task, s *stagehand)) func(k *kernel.Task) {
	var c kernel.Completion
	return published(nil, func(k *kernel.Task, s *stagehand) {
		c = kernel.Completion{OneWaiter: true}
		c.Init(k, nil, "helper is done")
		k.Kthread("helper", sim.Op{Verb: "start"}, func(k *kernel.Task) {
			if before != nil {
				before(k, s)
			}
			c.Complete(k)
			if after != nil {
				after(k, s)
			}
		})
		fromWork(1, func(k *kernel.Task, s *stagehand) { c.Wait(k) })(k, s)
	})
}

// byUser has the publisher do something with a task that runs its task work.
func byUser(do func(k, user *kernel.Task, s *stagehand)) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		s := &stagehand{f: newFence(k, 1, 1)}
		s.r.Init(k, "resv")
		user := k.Go("user", func(k *kernel.Task) { k.WaitTaskWork() })
		k.Go("publisher", func(k *kernel.Task) {
			s.r.Lock(k, nil)
			s.r.ReserveFences(k, 1)
			s.r.AddFence(k, &s.f.Fence, UsageKernel)
			s.r.Unlock(k)
			do(k, user, s)
		})
		k.Explore()
		s.f.Put(k)
		s.r.fini(k)
	}
}

// A fence that waits for references waits for whoever has one, from when they took it.
func TestFenceOfReferences(t *testing.T) {
	body := func(before, after func(k *kernel.Task)) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			s := &stagehand{f: newFence(k, 1, 1)}
			s.r.Init(k, "resv")
			var ref kernel.PercpuRef
			ref.Init(k, nil, "map.refs", kernel.GFP_KERNEL, func(k *kernel.Task) { s.f.Signal(k) })
			for range 2 {
				k.Go("holder", func(k *kernel.Task) {
					if before != nil {
						before(k)
					}
					if !ref.TrygetLive(k) {
						return
					}
					if after != nil {
						after(k)
					}
					ref.Put(k)
				})
			}
			k.Go("publisher", func(k *kernel.Task) {
				s.r.Lock(k, nil)
				s.r.ReserveFences(k, 1)
				s.r.AddFence(k, &s.f.Fence, UsageKernel)
				ref.Kill(k)
				s.r.Unlock(k)
			})
			k.Explore()
			ref.Exit(k)
			s.f.Put(k)
			s.r.fini(k)
		}
	}
	alloc := func(k *kernel.Task) { k.MayFail(kernel.GFP_KERNEL, "list") }
	on.Survives(t, explore.NewDPOR(), body(alloc, nil))
	finds(t, "R3: an allocation of list with GFP_KERNEL", body(nil, func(k *kernel.Task) {
		k.Step(sim.Op{Verb: "prepare"})
		alloc(k)
	}))
}

// What a device does through a mapping.
func TestRulesOfAccess(t *testing.T) {
	p := Policy{Wait: Pipelined, ReserveFirst: true}
	moved := func(i *importer) func(k *kernel.Task) {
		return func(k *kernel.Task) { stages[0].play(k, p, i) }
	}
	right := func() *importer { return &importer{} }
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) { moved(right())(k) })
	t.Run("R8", func(t *testing.T) {
		// What was read is right here, by luck: the copy has run.
		lucky := func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 0, p)
			b := g.Export(k, "bo", 1, System)
			i := &importer{noKernelWait: true}
			i.attach(k, b.Buf, hw.NewIOMMU(k.Task, "dev0"))
			b.Buf.Resv.Lock(k, nil)
			b.Buf.Resv.ReserveFences(k, 1)
			f := newFence(k, 7, 1)
			b.Buf.Resv.AddFence(k, &f.Fence, UsageKernel)
			b.Buf.Resv.Unlock(k)
			k.Go("reader", i.read)
			k.Go("copier", func(k *kernel.Task) { f.Signal(k) })
			k.Explore()
			f.Put(k)
			i.close(k)
			b.Buf.Put(k)
		}
		finds(t, "R8: dev0 uses its mapping", lucky)
	})
	t.Run("R7", func(t *testing.T) {
		finds(t, "R7: dev0 used its old mapping", early(false))
		on.Survives(t, explore.NewDPOR(), early(true))
	})
}

// early is an importer that signals without waiting for its device, which happens to be done,
// or that waits for it.
func early(waits bool) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		g := NewGPU(k, NewBus(k), "gpu", 0, Policy{})
		b := g.Export(k, "bo", 1, System)
		dev := hw.NewIOMMU(k.Task, "dev0")
		var done kernel.Shared[bool]
		done.Init(k, nil, "done", false)
		var a *Attachment
		var sgt *SgTable
		var f *testFence
		a, _ = b.Buf.DynamicAttach(k, dev, hearing(func(k *kernel.Task) {
			f = newFence(k, 9, 1)
			a.Buf.Resv.ReserveFences(k, 1)
			a.Buf.Resv.AddFence(k, &f.Fence, UsageKernel)
			k.Kthread("signaller", sim.Op{Verb: "run"}, func(k *kernel.Task) {
				if waits {
					done.Await(k, "wait for the device", func(d bool) bool { return d })
				}
				f.Signal(k)
			})
		}), nil)
		sgt, _ = a.MapUnlocked(k, hw.Bidirectional)
		k.Go("exporter", func(k *kernel.Task) {
			b.Buf.Resv.Lock(k, nil)
			b.Buf.MoveNotify(k)
			b.Buf.Resv.Unlock(k)
		})
		k.Device("device", sim.Op{Verb: "transfer"}, func(k *kernel.Task) {
			dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil)
			done.Update(k, func(bool) bool { return true })
		})
		k.Explore()
		a.UnmapUnlocked(k, sgt, hw.Bidirectional)
		b.Buf.Detach(k, a)
		f.Put(k)
		b.Buf.Put(k)
	}
}

type hearing func(k *kernel.Task)

func (n hearing) MoveNotify(k *kernel.Task, _ *Attachment) { n(k) }

// Without a word from the driver: a lock that is taken between the publication of a fence and
// its signal, and that somebody holds who waits for fences.
func TestUnannotatedSignalling(t *testing.T) {
	body := func(held, taken bool) func(k *kernel.Task) {
		var l kernel.Mutex
		return published(func(k *kernel.Task, s *stagehand) { l.Init(k, nil, "driver.lock") },
			fromWork(1, func(k *kernel.Task, s *stagehand) {
				if taken {
					l.Lock(k)
					l.Unlock(k)
				}
			}),
			func(k *kernel.Task, s *stagehand) {
				k.Await("wait for the fence", &s.r.list, sim.Read, func() bool { return s.r.fences.count() > 0 })
				if held {
					l.Lock(k)
				}
				s.f.Wait(k)
				if held {
					l.Unlock(k)
				}
			})
	}
	on.Finds(t, explore.NewRandom(1), func(k *kernel.Task) { body(true, true)(k) }, kernel.LockOrder)
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) { body(true, false)(k) })
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) { body(false, true)(k) })
}
