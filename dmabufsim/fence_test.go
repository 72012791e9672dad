package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

var _ = conform(cases{
	{"C-FENCE-01", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			require.Equal(t, 1, f.refs)
			require.False(t, f.Signaled())
			require.False(t, f.IsSignaled(k))
			require.Equal(t, kernel.OK, f.err)
			require.Equal(t, 0, f.GetStatus(k))
			f.Signal(k)
			require.Equal(t, 1, f.GetStatus(k))
			f.Put(k)
		})
		for _, ops := range []*FenceOps{nil, {DriverName: named.DriverName}, {TimelineName: named.TimelineName}} {
			fails(t, sim.Bug, "dma_fence_init", func(k *kernel.Task) { (&Fence{}).InitOps(k, nil, ops, nil, 1, 1) })
		}
	}},
	{"C-FENCE-03", func(t *testing.T) {
		for profile, again := range map[kernel.Profile]kernel.Errno{kernel.V6_12: kernel.EINVAL, kernel.RFCBase: kernel.EINVAL, kernel.V7_3: kernel.OK} {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = profile
				f, g := newFence(k, 1, 1), newFence(k, 1, 2)
				require.False(t, f.CheckAndSignal(k))
				require.True(t, f.CheckAndSignal(k))
				g.Lock(k)
				require.False(t, g.CheckAndSignalLocked(k))
				require.True(t, g.CheckAndSignalLocked(k))
				require.Equal(t, again, g.SignalLocked(k))
				g.Unlock(k)
				require.Equal(t, again, g.Signal(k), "%v", profile)
				require.Equal(t, again, g.SignalTimestamp(k, 5), "%v", profile)
				f.Put(k)
				g.Put(k)
			})
		}
		fails(t, sim.Misuse, "does not hold the lock", func(k *kernel.Task) { newFence(k, 1, 1).SignalLocked(k) })
		fails(t, sim.Warn, "dma_fence_signal of no fence", func(k *kernel.Task) { (*Fence)(nil).Signal(k) })
		passes(t, func(k *kernel.Task) {
			k.K.Profile = kernel.V6_12
			require.Equal(t, kernel.EINVAL, (*Fence)(nil).Signal(k))
		})
	}},
	{"C-FENCE-09", func(t *testing.T) {
		for how, ask := range map[string]func(k *kernel.Task, f *Fence) bool{
			"is_signaled": func(k *kernel.Task, f *Fence) bool { return f.IsSignaled(k) },
			"get_status":  func(k *kernel.Task, f *Fence) bool { return f.GetStatus(k) == 1 },
		} {
			passes(t, func(k *kernel.Task) {
				done, ran := false, ""
				f := newFenceOf(k, FenceOps{Signaled: func(*kernel.Task, *Fence) bool { return done }}, nil)
				require.Equal(t, kernel.OK, f.AddCallback(k, &FenceCB{}, func(k *kernel.Task, _ *Fence, _ *FenceCB) { ran = k.Name }))
				require.False(t, ask(k, &f.Fence))
				require.Empty(t, ran)
				done = true
				k.Go(how, func(k *kernel.Task) {
					require.True(t, ask(k, &f.Fence))
					require.Equal(t, how, ran, "in the context of who asks")
				})
				k.Explore()
				require.True(t, f.Signaled())
				f.Put(k)
			})
		}
	}},
	{"C-FENCE-10", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			signalling := false
			k.Go("poller", func(k *kernel.Task) {
				for range 2 {
					if f.IsSignaled(k) && !signalling {
						k.BUG("nobody has signalled it")
					}
				}
			})
			k.Interrupt("driver", func(k *kernel.Task) { signalling = true; f.Signal(k) })
			k.Explore()
			f.Put(k)
		})
	}},
	{"C-FENCE-14", func(t *testing.T) {
		later := func(a, b uint64) bool { return (&Fence{Seqno: a}).later(&Fence{Seqno: b}) }
		require.True(t, later(0x1_0000_0001, 0xffff_ffff))
		require.False(t, later(0xffff_ffff, 0x1_0000_0001))
		require.False(t, later(1<<31, 0), "neither way")
		require.False(t, later(0, 1<<31))
		require.False(t, later(5, 5))
		require.True(t, later(6, 5))
		passes(t, func(k *kernel.Task) { // SEQNO64
			var f, g Fence
			f.Init64(k, nil, named, nil, 1, 0xffff_ffff)
			g.Init64(k, nil, named, nil, 1, 0x1_0000_0001)
			require.True(t, g.IsLater(k, &f))
			require.False(t, f.IsLater(k, &g))
			f.Seqno = 1<<31 + 0x1_0000_0001
			require.True(t, f.IsLater(k, &g))
			g.Seqno = f.Seqno
			require.False(t, f.IsLaterOrSame(k, &g), "of equal numbers neither is later, nor the same")
			require.True(t, f.IsLaterOrSame(k, &f))
		})
	}},
	{"C-FENCE-15", func(t *testing.T) {
		fails(t, sim.Warn, "dma_fence_is_later: fence test:1:1 and fence test:2:2 are on different timelines", func(k *kernel.Task) {
			f, g := newFence(k, 1, 1), newFence(k, 2, 2)
			require.False(t, f.IsLater(k, &g.Fence))
			f.Put(k)
			g.Put(k)
		})
		passes(t, func(k *kernel.Task) {
			f, g := newFence(k, 1, 1), newFence(k, 1, 2)
			require.True(t, g.IsLater(k, &f.Fence))
			require.Same(t, &g.Fence, Later(k, &f.Fence, &g.Fence))
			require.Same(t, &g.Fence, Later(k, &g.Fence, &f.Fence))
			g.Signal(k)
			require.Nil(t, Later(k, &f.Fence, &g.Fence), "the later one has signalled")
			f.Put(k)
			g.Put(k)
		})
		fails(t, sim.Warn, "dma_fence_later", func(k *kernel.Task) {
			f, g := newFence(k, 1, 1), newFence(k, 2, 2)
			require.Nil(t, Later(k, &f.Fence, &g.Fence))
			f.Put(k)
			g.Put(k)
		})
	}},
	{"C-FENCE-16", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.SetError(k, kernel.EIO)
			require.Equal(t, 0, f.GetStatus(k), "as long as it has not signalled")
			f.Signal(k)
			require.Equal(t, -5, f.GetStatus(k))
			f.Put(k)
		})
		for name, set := range map[string]func(k *kernel.Task, f *testFence){
			"signalled already": func(k *kernel.Task, f *testFence) { f.Signal(k); f.SetError(k, kernel.EIO) },
			"0 is no error":     func(k *kernel.Task, f *testFence) { f.SetError(k, kernel.OK) },
			"5 is no error":     func(k *kernel.Task, f *testFence) { f.SetError(k, -kernel.EIO) },
		} {
			fails(t, sim.Warn, name, func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				set(k, f)
				f.Put(k)
			})
		}
	}},
	{"C-FENCE-17", func(t *testing.T) {
		var seen kernel.Errno
		var alive, after bool
		body := func(signal bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				f.AddCallback(k, &FenceCB{}, func(_ *kernel.Task, g *Fence, _ *FenceCB) { seen, alive = g.err, f.Alive() })
				if signal {
					f.Signal(k)
				}
				f.Put(k)
				after = f.Alive()
			}
		}
		fails(t, sim.Warn, "Fence test:test:1:1 released with pending signals!", body(false))
		require.Equal(t, kernel.EDEADLK, seen)
		require.True(t, alive)
		require.False(t, after)
		passes(t, body(true))
		require.Equal(t, kernel.OK, seen)
	}},
	{"C-FENCE-18", func(t *testing.T) { // an unsignalled fence without waiters goes silently
		passes(t, func(k *kernel.Task) { newFence(k, 1, 1).Put(k) })
	}},
	{"C-FENCE-19", func(t *testing.T) {
		// A reader that looks at the fence inside its section, or after it.
		reading := func(late bool, gone *bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				f := newFence(k, 1, 1)
				var p kernel.RCU[Fence]
				p.Init(k, nil, "p")
				p.Assign(k, &f.Fence)
				k.Go("reader", func(k *kernel.Task) {
					k.RCUReadLock()
					defer k.RCUReadUnlock()
					f := p.Dereference(k)
					if f == nil {
						return
					}
					if f.GetRCU(k) != nil {
						f.Put(k)
						return
					}
					*gone = true
					if late {
						k.RCUReadUnlock()
						step(k)
						k.RCUReadLock()
					}
					f.IsSignaled(k)
				})
				k.Go("owner", func(k *kernel.Task) { p.Assign(k, nil); f.Put(k) })
				k.Explore()
			}
		}
		gone := false
		always(t, reading(false, &gone))
		require.True(t, gone, "some reader was too late")
		sometimes(t, kernel.UseAfterFree, "reader (task 1) uses fence#1", reading(true, &gone))
		always(t, func(k *kernel.Task) { // a pointer that is exchanged meanwhile
			f, g := newFence(k, 1, 1), newFence(k, 1, 2)
			var p kernel.RCU[Fence]
			p.Init(k, nil, "p")
			p.Assign(k, &f.Fence)
			k.Go("reader", func(k *kernel.Task) {
				k.RCUReadLock()
				h := GetRCUSafe(k, &p)
				k.RCUReadUnlock()
				h.IsSignaled(k)
				h.Put(k)
			})
			k.Go("owner", func(k *kernel.Task) { p.Assign(k, &g.Fence); f.Put(k) })
			k.Explore()
			require.Nil(t, func() *Fence {
				k.RCUReadLock()
				defer k.RCUReadUnlock()
				p.Assign(k, nil)
				return GetRCUSafe(k, &p)
			}())
			g.Put(k)
		})
	}},
	{"C-FENCE-20", func(t *testing.T) {
		release := func(k *kernel.Task, f *Fence) { f.Free(k) }
		wait := (*Fence).DefaultWait
		for _, c := range []struct {
			profile kernel.Profile
			ops     FenceOps
			kept    bool
		}{
			{kernel.V7_3, FenceOps{}, false},
			{kernel.V7_3, FenceOps{Release: release}, true},
			{kernel.V7_3, FenceOps{Wait: func(k *kernel.Task, f *Fence, intr bool, n kernel.Jiffies) kernel.Jiffies { return wait(f, k, intr, n) }}, true},
			{kernel.RFCBase, FenceOps{}, true},
			{kernel.V6_12, FenceOps{}, true},
		} {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = c.profile
				f := newFenceOf(k, c.ops, nil)
				require.NotNil(t, f.Ops())
				f.Signal(k)
				require.Equal(t, c.kept, f.Ops() != nil, "%v", c.profile)
				f.Put(k)
			})
		}
		passes(t, func(k *kernel.Task) {
			k.K.Profile = kernel.V7_3
			a := NewFenceArray(k, []*Fence{&newFence(k, 1, 1).Fence}, 9, 1, false)
			c := NewFenceChain(k, nil, &newFence(k, 1, 2).Fence, 1)
			for _, f := range []*Fence{&a.Fence, &c.Fence} {
				f.Signal(k)
				require.NotNil(t, f.Ops())
				f.Put(k)
			}
		})
	}},
	{"C-FENCE-21", func(t *testing.T) {
		fails(t, sim.Warn, "dma_fence_timestamp: fence test:1:1 is not signalled", func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.Timestamp(k)
			f.Put(k)
		})
		between := false
		always(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.twoSteps = true
			k.Go("reader", func(k *kernel.Task) {
				step(k)
				if !f.Signaled() {
					return
				}
				between = between || !f.stamped
				if at := f.Timestamp(k); at != 7 {
					k.BUG("the timestamp is %d", at)
				}
			})
			k.Interrupt("signaller", func(k *kernel.Task) { f.SignalTimestamp(k, 7) })
			k.Explore()
			f.Put(k)
		})
		require.True(t, between)
	}},
	{"C-FENCE-23", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			var asked []Ktime
			f := newFenceOf(k, FenceOps{SetDeadline: func(_ *kernel.Task, _ *Fence, d Ktime) { asked = append(asked, d) }}, nil)
			f.SetDeadline(k, 5)
			f.SetDeadline(k, 3)
			f.Signal(k)
			f.SetDeadline(k, 1)
			require.Equal(t, []Ktime{5, 3}, asked)
			f.Put(k)
		})
	}},
	{"C-FENCE-24", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			for _, name := range []string{"a", "b"} {
				k.Go(name, func(k *kernel.Task) {
					f := GetStub(k)
					if !f.IsSignaled(k) || f.WaitTimeout(k, true, 0) != 1 {
						k.BUG("the stub is not signalled")
					}
					f.Put(k)
				})
			}
			k.Explore()
			f := GetStub(k)
			require.Equal(t, 2, f.refs, "one that nobody drops")
			require.Same(t, f, GetStub(k))
			require.Equal(t, kernel.ENOENT, f.AddCallback(k, &FenceCB{}, never(t)))
			p := AllocPrivateStub(k, 5)
			require.Equal(t, Ktime(5), p.Timestamp(k))
			p.Put(k)
			k.K.FailAlloc("dma_fence stub", 1)
			require.Nil(t, AllocPrivateStub(k, 5))
		})
	}},
})

func never(t *testing.T) FenceFunc {
	return func(*kernel.Task, *Fence, *FenceCB) { require.Fail(t, "it must not be called") }
}

func TestFenceContexts(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		require.EqualValues(t, 1, FenceContextAlloc(k, 3))
		require.EqualValues(t, 4, FenceContextAlloc(k, 1))
		require.EqualValues(t, 5, FenceContextAlloc(k, 1))
	})
	fails(t, sim.Warn, "dma_fence_context_alloc", func(k *kernel.Task) { FenceContextAlloc(k, 0) })
}

// Names are the driver's as long as it is there.
func TestFenceNames(t *testing.T) {
	for profile, want := range map[kernel.Profile]string{kernel.V6_12: "test test", kernel.RFCBase: "detached-driver signaled-timeline", kernel.V7_3: "detached-driver signaled-timeline"} {
		passes(t, func(k *kernel.Task) {
			k.K.Profile = profile
			f := newFence(k, 1, 1)
			k.RCUReadLock()
			require.Equal(t, "test test", f.DriverName(k)+" "+f.TimelineName(k))
			f.Signal(k)
			require.Equal(t, want, f.DriverName(k)+" "+f.TimelineName(k), "%v", profile)
			k.RCUReadUnlock()
			f.Put(k)
		})
	}
	fails(t, kernel.Context, "suspicious RCU usage: dma_fence_driver_name", func(k *kernel.Task) { newFence(k, 1, 1).DriverName(k) })
}

func TestFenceMisuse(t *testing.T) {
	fails(t, sim.LostWakeup, "init waits for dma_fence_wait fence test:1:1", func(k *kernel.Task) { newFence(k, 1, 1).Wait(k) })
	freed := func(use func(k *kernel.Task, f *testFence)) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.Get(k)
			f.Signal(k)
			f.Put(k)
			f.Put(k)
			use(k, f)
		}
	}
	passes(t, freed(func(*kernel.Task, *testFence) {}))
	for _, use := range []func(k *kernel.Task, f *testFence){
		func(k *kernel.Task, f *testFence) { f.Get(k) },
		func(k *kernel.Task, f *testFence) { f.Put(k) },
		func(k *kernel.Task, f *testFence) { f.Signal(k) },
		func(k *kernel.Task, f *testFence) { f.Wait(k) },
		func(k *kernel.Task, f *testFence) { f.IsSignaled(k) },
		func(k *kernel.Task, f *testFence) { f.AddCallback(k, &FenceCB{}, never(t)) },
	} {
		fails(t, kernel.UseAfterFree, "uses fence#1", freed(use))
	}
	// With the memory still there, the count tells.
	dead := func(use func(k *kernel.Task, f *testFence)) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			k.RCUReadLock()
			f.Put(k)
			use(k, f)
		}
	}
	fails(t, kernel.RefcountMisuse, "addition on 0", dead(func(k *kernel.Task, f *testFence) { f.Get(k) }))
	fails(t, kernel.RefcountMisuse, "underflow", dead(func(k *kernel.Task, f *testFence) { f.Put(k) }))
	fails(t, kernel.Leak, "fence#1 was never freed", func(k *kernel.Task) { newFence(k, 1, 1).Signal(k) })
	passes(t, func(k *kernel.Task) {
		require.Nil(t, (*Fence)(nil).Get(k))
		(*Fence)(nil).Put(k)
	})
}

// Release has the last reference, in an RCU section, and frees after a grace period.
func TestFenceRelease(t *testing.T) {
	inRCU := false
	passes(t, func(k *kernel.Task) {
		f := newFenceOf(k, FenceOps{Release: func(k *kernel.Task, f *Fence) { inRCU = k.RCUReadLockHeld(); f.Free(k) }}, nil)
		k.Interrupt("put", func(k *kernel.Task) { f.Put(k) })
		k.Explore()
	})
	require.True(t, inRCU)
	fails(t, kernel.Context, "an RCU read section", func(k *kernel.Task) {
		newFenceOf(k, FenceOps{Release: func(k *kernel.Task, f *Fence) { k.SynchronizeRCU() }}, nil).Put(k)
	})
}

// dma_fence_get_status signals a fence that the driver says is done, for others to see.
func TestGetStatusSignals(t *testing.T) {
	out := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		f := newFenceOf(k, FenceOps{Signaled: func(*kernel.Task, *Fence) bool { return true }}, nil)
		k.Go("asker", func(k *kernel.Task) { f.GetStatus(k) })
		k.Go("other", func(k *kernel.Task) {
			step(k)
			k.Touch(&f.obj, sim.Read)
			say("%v", f.Signaled())
		})
		k.Explore()
		f.Put(k)
	})
	require.Equal(t, set("true", "false"), out)
}
