package blkmq

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// counted is a token whose requests hold a reference of its map, from the submit stage on or from
// before that.
type counted struct {
	fakeToken
	early bool
	refs  kernel.PercpuRef
}

func (c *counted) Submit(k *kernel.Task, f *token.Frag) token.Outcome {
	if !c.early && !c.refs.TrygetLive(k) {
		return token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true}
	}
	f.Map = &token.Map{}
	return token.Outcome{}
}

func (c *counted) Free(k *kernel.Task, f *token.Frag, _ token.Path) {
	if f.Map != nil {
		c.refs.Put(k)
	}
}

// fenced is a queue of one tag, and a fence that waits for the requests that hold its map.
type fenced struct {
	*disk
	tok *counted
	buf *dmabufsim.DmaBuf
	f   struct {
		kernel.Mem
		dmabufsim.Fence
	}
}

func newFenced(k *kernel.Task, early bool) *fenced {
	x := &fenced{disk: newDisk(k, 1), tok: &counted{early: early}}
	x.driver.complete = true
	x.use.Token = x.tok
	x.buf = dmabufsim.NewGPU(k, dmabufsim.NewBus(k), "gpu", 0, dmabufsim.Policy{}).Export(k, "bo", 1, dmabufsim.System).Buf
	k.Alloc(kernel.GFP_KERNEL, &x.f.Mem, "fence")
	x.f.Init(k, &x.f.Mem, "map", 1, 1)
	x.tok.refs.Init(k, nil, "map#1.refs", kernel.GFP_KERNEL, func(k *kernel.Task) { x.f.Signal(k) })
	return x
}

// invalidate publishes the fence and kills the map.
func (x *fenced) invalidate(k *kernel.Task) {
	x.buf.Resv.Lock(k, nil)
	x.buf.Resv.ReserveFences(k, 1)
	x.buf.Resv.AddFence(k, &x.f.Fence, dmabufsim.UsageBookkeep)
	x.tok.refs.Kill(k)
	x.buf.Resv.Unlock(k)
}

func (x *fenced) close(k *kernel.Task) {
	x.buf.Resv.Lock(k, nil)
	x.buf.Resv.Wait(k, dmabufsim.UsageBookkeep)
	x.buf.Resv.Unlock(k)
	x.tok.refs.Exit(k)
	x.f.Put(k)
	x.buf.Put(k)
}

// A published fence that waits for the requests with the old mapping: one of them that still has
// to get into the queue, or to get a tag, can be kept from it by others, which may come to wait
// for the fence (R7). Who has a tag already may go on, and so may one that is in a plug while its
// task waits for another tag: the plug is flushed first.
func TestTagWithTheMap(t *testing.T) {
	body := func(early, plugged, frozen bool, flags Flags) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, early)
			if frozen {
				x.Freeze(k)
			}
			k.Go("submitter", func(k *kernel.Task) {
				n := 1
				if plugged {
					defer StartPlug(k, 1).Finish(k)
					n = 2
				}
				for range n {
					if !early || x.tok.refs.TrygetLive(k) {
						b := x.bio()
						b.Flags |= flags
						x.SubmitBio(k, b)
					}
				}
			})
			k.Go("exporter", func(k *kernel.Task) {
				x.invalidate(k)
				if frozen {
					x.Unfreeze(k)
				}
			})
			k.Explore()
			x.close(k)
		}
	}
	for _, right := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		on.Survives(t, explore.NewDPOR(), body(false, right[0], right[1], 0))
	}
	on.Survives(t, explore.NewDPOR(), body(true, false, false, REQ_NOWAIT)) // who does not wait is not blocked
	for frozen, what := range map[bool]string{false: "one of disk tags", true: "an entry to disk, which was frozen"} {
		r := explore.Run(context.Background(), on.Body(body(true, false, frozen, 0)), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
		require.NotNil(t, r.Found)
		defer r.Found.Machine.Close()
		f := r.Found.Failure
		require.Equal(t, dmabufsim.FenceRule, f.Kind, f.Message)
		require.Regexp(t, `^R7: submitter \(task \d\) held a reference of map#1.refs and took `+what+
			`, for which it may have to wait until other I/O ends; fence map:1:1 cannot signal without that$`, f.Message)
	}
}

// A request that came while the queue was quiesced, or its hardware queue stopped, is not dispatched
// by whoever comes along, but when that ends: a fence that waits for the request depends on what is
// done before (R3).
func TestDispatchAfterQuiesce(t *testing.T) {
	body := func(stopped bool, gfp kernel.GFP) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, false)
			if h := x.hctxs[0]; stopped {
				h.Stop(k)
			} else {
				x.QuiesceNowait(k)
			}
			k.Go("submitter", func(k *kernel.Task) { x.SubmitBio(k, x.bio()) })
			k.Go("exporter", x.invalidate)
			k.Go("driver", func(k *kernel.Task) {
				var m kernel.Mem
				k.Alloc(gfp, &m, "queues")
				k.Free(&m)
				if h := x.hctxs[0]; stopped {
					h.StartStopped(k, true)
				} else {
					x.Unquiesce(k)
				}
			})
			k.Explore()
			x.close(k)
		}
	}
	for _, stopped := range []bool{false, true} {
		on.Survives(t, explore.NewDPOR(), body(stopped, kernel.GFP_NOWAIT))
		r := explore.Run(context.Background(), on.Body(body(stopped, kernel.GFP_KERNEL)), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
		require.NotNil(t, r.Found)
		defer r.Found.Machine.Close()
		f := r.Found.Failure
		require.Equal(t, dmabufsim.FenceRule, f.Kind, f.Message)
		require.Contains(t, f.Message, "R3: an allocation of queues with GFP_KERNEL")
	}
}

// A request that the driver gives back is inserted again when somebody kicks the list: what that one
// does before, a fence depends on, wherever the request was handed over first.
func TestDispatchAfterRequeue(t *testing.T) {
	body := func(gfp kernel.GFP) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, false)
			x.driver.complete = false
			var queued kernel.Completion
			queued.Init(k, nil, "queued")
			k.Go("submitter", func(k *kernel.Task) {
				p := StartPlug(k, 1)
				x.SubmitBio(k, x.bio())
				p.Finish(k)
				queued.CompleteAll(k)
			})
			k.Go("driver", func(k *kernel.Task) {
				queued.Wait(k)
				if len(x.driver.queued) == 0 { // it came after the invalidation, and has failed
					return
				}
				x.driver.complete = true
				x.driver.queued[0].Requeue(k, false)
				var m kernel.Mem
				k.Alloc(gfp, &m, "reset")
				k.Free(&m)
				x.KickRequeueList(k)
			})
			k.Go("exporter", x.invalidate)
			k.Explore()
			x.close(k)
		}
	}
	on.Survives(t, explore.NewDPOR(), body(kernel.GFP_NOWAIT))
	r := explore.Run(context.Background(), on.Body(body(kernel.GFP_KERNEL)), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
	require.NotNil(t, r.Found)
	defer r.Found.Machine.Close()
	require.Contains(t, r.Found.Failure.Message, "R3: an allocation of reset with GFP_KERNEL")
}

// A request in a plug does not depend on an allocation that comes after it: were that to wait, the
// plug would be flushed. One that has the map before and is not in the plug yet does. That
// the worker which dispatches it can be had is needed in any case.
func TestAllocationUnderThePlug(t *testing.T) {
	body := func(before, rescued bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, before)
			if !rescued {
				x.kblockd = kernel.AllocWorkqueue(k, "no_rescuer", kernel.WQ_PERCPU, 0)
			}
			var published kernel.Completion
			published.Init(k, nil, "published")
			k.Go("submitter", func(k *kernel.Task) {
				p := StartPlug(k, 1)
				has := before && x.tok.refs.TrygetLive(k)
				if !before {
					x.SubmitBio(k, x.bio())
				}
				var m kernel.Mem
				k.Alloc(kernel.GFP_KERNEL, &m, "bio")
				k.Free(&m)
				if has {
					x.SubmitBio(k, x.bio())
				}
				published.Wait(k) // kblockd dispatches what is in the plug
				p.Finish(k)
			})
			k.Go("exporter", func(k *kernel.Task) {
				x.invalidate(k)
				published.CompleteAll(k)
			})
			k.Explore()
			x.close(k)
		}
	}
	on.Survives(t, explore.NewDPOR(), body(false, true))
	for rescued, what := range map[bool]string{true: "R3: an allocation of bio with GFP_KERNEL", false: "no_rescuer"} {
		r := explore.Run(context.Background(), on.Body(body(rescued, rescued)), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
		require.NotNil(t, r.Found)
		defer r.Found.Machine.Close()
		require.Equal(t, dmabufsim.FenceRule, r.Found.Failure.Kind)
		require.Contains(t, r.Found.Failure.Message, what)
	}
}

// Who waits for a tag runs the queue, and gives out what others left there: a fence that waits for
// their requests does not depend on it, wherever it came from.
func TestDispatchInPassing(t *testing.T) {
	for _, status := range []kernel.BlkStatus{kernel.BLK_STS_OK, kernel.BLK_STS_IOERR} { // which ends it there
		on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
			x := newFenced(k, false)
			x.driver.status = status
			var published kernel.Completion
			published.Init(k, nil, "published")
			k.Go("submitter", func(k *kernel.Task) {
				p := StartPlug(k, 1)
				x.SubmitBio(k, x.bio())
				published.Wait(k) // flushes the plug, for a worker to dispatch
				p.Finish(k)
			})
			k.Go("exporter", func(k *kernel.Task) {
				x.invalidate(k)
				published.CompleteAll(k)
			})
			k.Go("passer-by", func(k *kernel.Task) {
				published.Wait(k)
				k.FromUser("io_uring_enter")
				x.SubmitBio(k, x.plain(0, 8))
			})
			k.Explore()
			x.close(k)
		})
	}
}

// Whoever has set the timer of a queue is not needed by a request that times out: it would have set the timer
// itself. A fence that waits for the request depends on what is done before that is started, and on what the
// handler does before the request completes, by its interrupt, too (R3).
func TestTimeoutOfOne(t *testing.T) {
	alloc := func(k *kernel.Task, gfp kernel.GFP, what string) {
		var m kernel.Mem
		k.Alloc(gfp, &m, what)
		k.Free(&m)
	}
	body := func(gfp, handler kernel.GFP, polled bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, true)
			x.disk, _ = newTimed(k, func(k *kernel.Task, rq *Request) EH {
				alloc(k, handler, "handler")
				if polled {
					rq.Complete(k, kernel.BLK_STS_OK)
				} else {
					k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
				}
				return BLK_EH_DONE
			})
			x.use.Token = x.tok
			var published kernel.Completion
			published.Init(k, nil, "published")
			k.Go("submitter", func(k *kernel.Task) {
				if !x.tok.refs.TrygetLive(k) {
					return
				}
				alloc(k, gfp, "bio")
				b := x.bio()
				b.Flags |= REQ_NOWAIT
				x.SubmitBio(k, b)
			})
			k.Go("exporter", func(k *kernel.Task) {
				x.invalidate(k)
				published.CompleteAll(k)
			})
			k.Go("passer-by", func(k *kernel.Task) {
				published.Wait(k)
				k.FromUser("io_uring_enter")
				x.SubmitBio(k, x.plain(0, 8))
			})
			k.Explore()
			x.close(k)
		}
	}
	finds := func(body func(k *kernel.Task), message string) {
		r := explore.Run(context.Background(), on.Body(body), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
		require.NotNil(t, r.Found, message)
		defer r.Found.Machine.Close()
		require.Equal(t, dmabufsim.FenceRule, r.Found.Failure.Kind)
		require.Contains(t, r.Found.Failure.Message, message)
	}
	for _, polled := range []bool{false, true} {
		on.Survives(t, explore.NewDPOR(), body(kernel.GFP_NOWAIT, kernel.GFP_NOWAIT, polled))
		finds(body(kernel.GFP_KERNEL, kernel.GFP_NOWAIT, polled), "R3: an allocation of bio with GFP_KERNEL")
		finds(body(kernel.GFP_NOWAIT, kernel.GFP_KERNEL, polled), "R3: an allocation of handler with GFP_KERNEL")
	}
}

// Of several requests that run_work dispatches each depends on who handed it over, and not on who happened to be
// before it on the list.
func TestRunWorkForSeveral(t *testing.T) {
	body := func(own, other kernel.GFP) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, true)
			x.disk = newDisk(k, 4)
			x.driver.complete, x.use.Token = true, x.tok
			x.driver.script = []kernel.BlkStatus{kernel.BLK_STS_RESOURCE, kernel.BLK_STS_RESOURCE, kernel.BLK_STS_RESOURCE}
			alloc := func(k *kernel.Task, gfp kernel.GFP, what string) {
				var m kernel.Mem
				k.Alloc(gfp, &m, what)
				k.Free(&m)
			}
			k.Go("other", func(k *kernel.Task) {
				alloc(k, other, "other")
				x.SubmitBio(k, x.plain(0, 8))
			})
			k.Go("submitter", func(k *kernel.Task) {
				if x.tok.refs.TrygetLive(k) {
					alloc(k, own, "own")
					b := x.bio()
					b.Flags |= REQ_NOWAIT
					x.SubmitBio(k, b)
				}
			})
			k.Go("exporter", x.invalidate)
			k.Explore()
			x.close(k)
		}
	}
	run := func(own, other kernel.GFP) *explore.Found {
		return explore.Run(context.Background(), on.Body(body(own, other)), explore.NewRandom(1), explore.Options{Executions: 2000, MinimizeRuns: -1}).Found
	}
	require.Nil(t, run(kernel.GFP_NOWAIT, kernel.GFP_KERNEL))
	f := run(kernel.GFP_KERNEL, kernel.GFP_NOWAIT)
	require.NotNil(t, f)
	defer f.Machine.Close()
	require.Contains(t, f.Failure.Message, "R3: an allocation of own with GFP_KERNEL")
}

// Of several requests that are given back each depends on who gave it back and kicked the list, and not on who else
// did so.
func TestRequeueOfSeveral(t *testing.T) {
	body := func(own, other kernel.GFP) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, false)
			x.disk = newDisk(k, 4)
			x.use.Token = x.tok
			given := map[*Request]bool{}
			x.driver.queue = func(_ *kernel.Task, rq *Request) { x.driver.complete = given[rq] }
			var queued [2]kernel.Completion
			again := func(name string, gfp kernel.GFP, b *Bio, queued *kernel.Completion, its func(rq *Request) bool) {
				queued.Init(k, nil, "queued")
				k.Go("submitter", func(k *kernel.Task) {
					x.SubmitBio(k, b)
					queued.CompleteAll(k)
				})
				k.Go(name, func(k *kernel.Task) {
					queued.Wait(k)
					for _, rq := range slices.Clone(x.driver.queued) {
						if its(rq) {
							var m kernel.Mem
							k.Alloc(gfp, &m, name)
							k.Free(&m)
							given[rq] = true
							rq.RequeueAndKick(k, 0)
						}
					}
				})
			}
			again("own", own, x.bio(), &queued[0], func(rq *Request) bool { return rq.Sector == 0 })
			again("other", other, x.plain(8, 8), &queued[1], func(rq *Request) bool { return rq.Sector == 8 })
			k.Go("exporter", func(k *kernel.Task) {
				queued[0].Wait(k)
				x.invalidate(k)
			})
			k.Explore()
			x.close(k)
		}
	}
	run := func(own, other kernel.GFP) *explore.Found {
		return explore.Run(context.Background(), on.Body(body(own, other)), explore.NewRandom(1), explore.Options{Executions: 2000, MinimizeRuns: -1}).Found
	}
	f := run(kernel.GFP_NOWAIT, kernel.GFP_KERNEL)
	if f != nil {
		defer f.Machine.Close()
		t.Fatal(f.Failure, f.Failure.Detail)
	}
	f = run(kernel.GFP_KERNEL, kernel.GFP_NOWAIT)
	require.NotNil(t, f)
	defer f.Machine.Close()
	require.Contains(t, f.Failure.Message, "R3: an allocation of own with GFP_KERNEL")
}

// A request that was given back while the queue stood still, and is on its way when that ends, depends on who ended
// it (R3): it would have been held otherwise.
func TestRequeueBeforeUnquiesce(t *testing.T) {
	body := func(gfp kernel.GFP) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			x := newFenced(k, false)
			x.driver.complete = false
			var queued kernel.Completion
			queued.Init(k, nil, "queued")
			k.Go("submitter", func(k *kernel.Task) {
				x.SubmitBio(k, x.bio())
				queued.CompleteAll(k)
			})
			k.Go("driver", func(k *kernel.Task) {
				queued.Wait(k)
				if len(x.driver.queued) == 0 { // it came after the invalidation, and has failed
					return
				}
				x.driver.complete = true
				x.QuiesceNowait(k)
				x.driver.queued[0].RequeueAndKick(k, kernel.HZ)
				var m kernel.Mem
				k.Alloc(gfp, &m, "reset")
				k.Free(&m)
				x.Unquiesce(k)
			})
			k.Go("exporter", x.invalidate)
			k.Explore()
			x.close(k)
		}
	}
	on.Survives(t, explore.NewDPOR(), body(kernel.GFP_NOWAIT))
	r := explore.Run(context.Background(), on.Body(body(kernel.GFP_KERNEL)), explore.NewDPOR(), explore.Options{MinimizeRuns: -1})
	require.NotNil(t, r.Found)
	defer r.Found.Machine.Close()
	require.Contains(t, r.Found.Failure.Message, "R3: an allocation of reset with GFP_KERNEL")
}
