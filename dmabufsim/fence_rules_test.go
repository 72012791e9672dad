package dmabufsim

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
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
	// Who published the fence, and what led to the offence.
	chain := strings.Join(f.Detail, "\n")
	require.Regexp(t, `published by|move by`, chain)
	require.Greater(t, strings.Count(chain, "\n"), 0, chain)
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
	for what, c := range map[string]struct {
		do   func(k *kernel.Task)
		rule string // what forbids it with a reference, "" if nothing does
	}{
		"an allocation":             {func(k *kernel.Task) { k.MayFail(kernel.GFP_KERNEL, "list") }, "R3: an allocation of list with GFP_KERNEL"},
		"a submission":              {func(k *kernel.Task) { k.Submits("disk") }, ""},
		"a wait for what I/O holds": {func(k *kernel.Task) { k.Behind("a tag") }, "R7: holder (task 1) held a reference of map.refs and took a tag"},
	} {
		t.Run(what, func(t *testing.T) {
			with := body(nil, func(k *kernel.Task) {
				k.Step(sim.Op{Verb: "prepare"})
				c.do(k)
			})
			on.Survives(t, explore.NewDPOR(), body(c.do, nil))
			if c.rule == "" {
				on.Survives(t, explore.NewDPOR(), with)
			} else {
				finds(t, c.rule, with)
			}
		})
	}
}

// What looks like a breach, and is allowed.
func TestRulesAllow(t *testing.T) {
	irq := func(k *kernel.Task, s *stagehand) { k.Interrupt("irq", func(k *kernel.Task) { s.f.Signal(k) }) }
	alloc := func(k *kernel.Task) { k.MayFail(kernel.GFP_KERNEL, "buffer") }
	locked := func(do func(k *kernel.Task, s *stagehand)) func(k *kernel.Task, s *stagehand) {
		return func(k *kernel.Task, s *stagehand) {
			s.r.Lock(k, nil)
			do(k, s)
			s.r.Unlock(k)
		}
	}
	for name, body := range map[string]func(k *kernel.Task){
		"a signal before the unmap":                 manners{}.play,
		"a signal from an interrupt":                published(nil, irq),
		"a wait with the reservation lock held":     published(nil, irq, locked(func(k *kernel.Task, s *stagehand) { s.r.Wait(k, UsageBookkeep) })),
		"GFP_KERNEL with the reservation lock held": published(nil, irq, locked(func(k *kernel.Task, s *stagehand) { alloc(k) })),
		"GFP_KERNEL of the publisher, when the work needs it no more": published(nil, func(k *kernel.Task, s *stagehand) {
			irq(k, s)
			alloc(k)
		}),
	} {
		t.Run(name, func(t *testing.T) { on.Survives(t, explore.NewDPOR(), body) })
	}
}

// What a device does through a mapping.
func TestRulesOfAccess(t *testing.T) {
	p := Policy{Wait: Pipelined, ReserveFirst: true}
	moved := func(i *importer) func(k *kernel.Task) {
		return func(k *kernel.Task) { stages[0].play(k, p, i) }
	}
	right := func() *importer { return &importer{} }
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) { moved(right())(k) })
	// What was read is right here, by luck: the copy has run.
	lucky := func(waits bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 0, p)
			b := g.Export(k, "bo", 1, System)
			i := &importer{noKernelWait: !waits}
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
	}
	t.Run("R8", func(t *testing.T) {
		finds(t, "R8: dev0 uses its mapping", lucky(false))
		on.Survives(t, explore.NewDPOR(), lucky(true))
	})
	for _, c := range []struct {
		name, rule string
		m          manners
	}{
		{"waits for its device, signals and unmaps", "", manners{}},
		{"R7 waits for its device after the signal", "R7: dev0 used its old mapping", manners{early: true}},
		{"R5 goes on after the signal", "R5: dev0 uses its old mapping of \"bo\", and fence test:9:1, which stood for that, had signalled", manners{
			later: func(k *kernel.Task, dev *hw.IOMMU, segs []hw.Segment) { dev.DMA(k.Task, hw.ToDevice, segs, nil) }}},
		{"R5 reads ahead after the signal", "", manners{
			later: func(k *kernel.Task, dev *hw.IOMMU, segs []hw.Segment) { dev.Prefetch(k.Task, segs) }}},
		{"R5 goes on without a fence", "R5: dev0 uses its old mapping of \"bo\", and its importer left no fence that stands for that", manners{noFence: true,
			later: func(k *kernel.Task, dev *hw.IOMMU, segs []hw.Segment) { dev.DMA(k.Task, hw.ToDevice, segs, nil) }}},
		{"R5 unmaps when it is closed", "R5: the old mapping of \"bo\" for dev0 is still there when all tasks have ended: nothing makes its importer unmap it", manners{keeps: true}},
		{"R5 unmaps after a timer", "", manners{delay: true}},
		{"R7 uses a new mapping meanwhile", "", manners{again: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rule == "" {
				on.Survives(t, explore.NewDPOR(), c.m.play)
				on.Survives(t, simtest.Within(explore.Delays, 4), c.m.play) // which takes nothing for the same
				return
			}
			finds(t, c.rule, c.m.play)
		})
	}
}

// Without an IOMMU the old and the new mapping of pages that stayed where they are have the same
// addresses: what is done is done through the new one.
func TestTransferThroughTheNewMapping(t *testing.T) {
	body := func(both bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			bus := NewBus(k)
			b := NewGPU(k, bus, "gpu", 0, Policy{}).Export(k, "bo", 1, System)
			dev := hw.NewIOMMU(k.Task, "dev0")
			dev.Configure(k.Task, hw.Config{Mode: hw.Passthrough, Memory: bus.Memory})
			a, _ := b.Buf.DynamicAttach(k, dev, hearing(func(*kernel.Task) {}), nil)
			old, _ := a.MapUnlocked(k, hw.Bidirectional)
			b.Buf.Resv.Lock(k, nil)
			b.Buf.MoveNotify(k)
			b.Buf.Resv.Unlock(k)
			tables := []*SgTable{old}
			if both {
				fresh, _ := a.MapUnlocked(k, hw.Bidirectional)
				require.Equal(t, old.Segments, fresh.Segments)
				tables = append(tables, fresh)
			}
			k.Go("device", func(k *kernel.Task) {
				dev.DMA(k.Task, hw.ToDevice, old.Segments, nil)
				for _, sgt := range tables {
					a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				}
			})
			k.Go("other", step)
			k.Explore()
			b.Buf.Detach(k, a)
			b.Buf.Put(k)
		}
	}
	on.Survives(t, explore.NewDPOR(), body(true))
	finds(t, "R5: dev0 uses its old mapping", body(false))
}

// manners are what an importer does that is told of a move while its device is at work.
type manners struct {
	early   bool // signals before it waits for its device
	noFence bool
	later   func(k *kernel.Task, dev *hw.IOMMU, segs []hw.Segment) // what the device does after the signal
	delay   bool                                                   // unmaps some time later
	again   bool                                                   // maps and uses the buffer anew
	keeps   bool                                                   // leaves that to the end
}

func (m manners) play(k *kernel.Task) {
	g := NewGPU(k, NewBus(k), "gpu", 0, Policy{})
	b := g.Export(k, "bo", 1, System)
	dev := hw.NewIOMMU(k.Task, "dev0")
	var done kernel.Shared[bool]
	done.Init(k, nil, "done", false)
	var told kernel.Completion
	told.Init(k, nil, "told")
	var a *Attachment
	var sgt *SgTable
	var f *testFence
	a, _ = b.Buf.DynamicAttach(k, dev, hearing(func(k *kernel.Task) {
		f = newFence(k, 9, 1)
		if !m.noFence {
			a.Buf.Resv.ReserveFences(k, 1)
			a.Buf.Resv.AddFence(k, &f.Fence, UsageBookkeep)
		}
		k.Kthread("signaller", sim.Op{Verb: "run"}, func(k *kernel.Task) {
			idle := func() { done.Await(k, "wait for the device", func(d bool) bool { return d }) }
			if m.early {
				f.Signal(k)
				idle()
			} else {
				idle()
				f.Signal(k)
			}
			if m.later != nil {
				// The lock keeps the mapping, and that it is held by then says that all were told.
				b.Buf.Resv.Lock(k, nil)
				var idle kernel.Completion
				idle.Init(k, nil, "device is idle")
				k.Device("device", sim.Op{Verb: "goes on"}, func(k *kernel.Task) { m.later(k, dev, sgt.Segments); idle.Complete(k) })
				idle.Wait(k)
				b.Buf.Resv.Unlock(k)
			}
			if m.delay {
				k.Msleep(10)
			}
			if !m.keeps {
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
			}
		})
	}), nil)
	sgt, _ = a.MapUnlocked(k, hw.Bidirectional)
	k.Go("exporter", func(k *kernel.Task) {
		b.Buf.Resv.Lock(k, nil)
		b.Buf.MoveNotify(k)
		b.Buf.Resv.Unlock(k)
		told.Complete(k)
	})
	if m.again {
		k.Go("other", func(k *kernel.Task) {
			told.Wait(k)
			fresh, _ := a.MapUnlocked(k, hw.Bidirectional)
			dev.DMA(k.Task, hw.ToDevice, fresh.Segments, nil)
			a.UnmapUnlocked(k, fresh, hw.Bidirectional)
		})
	}
	k.Device("device", sim.Op{Verb: "transfer"}, func(k *kernel.Task) {
		dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil)
		done.Update(k, func(bool) bool { return true })
	})
	k.Explore()
	if m.keeps {
		a.UnmapUnlocked(k, sgt, hw.Bidirectional)
	}
	b.Buf.Detach(k, a)
	f.Put(k)
	b.Buf.Put(k)
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
