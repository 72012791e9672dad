package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var _ = conform(cases{
	{"C-URING-03", func(t *testing.T) {
		// Unregistering returns at once; the buffer stays until the request is freed.
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			var kiocb *iter.Kiocb
			w.fake.answer = func(_ *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 { kiocb = io; return queued }
			w.submit(k, SQE{Len: 512})
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 0))
			require.False(t, w.fake.tok.unregistered)
			require.Equal(t, 1, w.ring.InFlight())
			kiocb.Complete(k, 512)
			require.False(t, w.fake.tok.unregistered, "the completion is not the end yet")
			require.EqualValues(t, 512, w.ring.WaitCQE(k).Res)
			require.True(t, w.fake.tok.unregistered)
			require.Zero(t, w.ring.InFlight())
			w.buf.Put(k)
		})
	}},
	{"C-URING-04", func(t *testing.T) {
		// A request in flight keeps the old buffer over an update, a new one has the new.
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			old := w.fake.tok
			var kiocb *iter.Kiocb
			w.fake.answer = func(_ *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 { kiocb = io; return queued }
			w.submit(k, SQE{Len: 512})
			w.fake.tok = &fakeToken{}
			require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 0, w.file, w.buf))
			require.False(t, old.unregistered)
			w.fake.answer = whole
			require.EqualValues(t, 1024, w.do(k, SQE{Len: 1024}))
			require.Equal(t, 1, w.fake.tok.imports)
			kiocb.Complete(k, 512)
			w.ring.WaitCQE(k)
			require.True(t, old.unregistered)
			w.teardown(k)
		})
	}},
	{"C-URING-05", func(t *testing.T) {
		for _, slot := range []int{1, 2, -1} {
			refused(t, kernel.EFAULT, SQE{BufIndex: slot, Len: 512})
		}
	}},
	{"C-URING-06", func(t *testing.T) {
		refused(t, kernel.EFAULT, SQE{Addr: bufferSize, Len: 1})
		refused(t, kernel.EFAULT, SQE{Addr: bufferSize - 511, Len: 512})
		refused(t, kernel.EFAULT, SQE{Len: bufferSize + 1})
		refused(t, kernel.EFAULT, SQE{Addr: ^uint64(0), Len: 2})
		refused(t, kernel.EFAULT, SQE{Addr: ^uint64(0) - 511, Len: 512})
		refused(t, kernel.EFAULT, SQE{Len: iter.MaxRWCount + 1})
		refused(t, kernel.EFAULT, SQE{Len: 0})
		refused(t, kernel.EFAULT, SQE{Addr: bufferSize, Len: 0})
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			require.EqualValues(t, bufferSize, w.do(k, SQE{Len: bufferSize}), "an exact fit")
			require.EqualValues(t, 1, w.do(k, SQE{Addr: bufferSize - 1, Len: 1}))
			w.teardown(k)
		})
	}},
	{"C-URING-09", func(t *testing.T) { // -EAGAIN as the return value
		punted(t, func(_ *kernel.Task, _ *iter.Kiocb, again int64) int64 { return again })
	}},
	{"C-URING-10", func(t *testing.T) { // -EAGAIN through the completion, in the submitter
		punted(t, func(k *kernel.Task, io *iter.Kiocb, again int64) int64 { io.Complete(k, again); return queued })
	}},
	{"C-URING-10 from an interrupt", func(t *testing.T) {
		punted(t, func(k *kernel.Task, io *iter.Kiocb, again int64) int64 {
			k.Interrupt("irq", func(k *kernel.Task) { io.Complete(k, again) })
			return queued
		})
	}},
	{"C-URING-11", func(t *testing.T) {
		for _, through := range []bool{false, true} {
			for _, e := range []kernel.Errno{kernel.EAGAIN, kernel.EOPNOTSUPP} {
				passes(t, func(k *kernel.Task) {
					w := newWorld(k)
					w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 {
						if through {
							io.Complete(k, neg(e))
							return queued
						}
						return neg(e)
					}
					want := neg(e)
					if !through { // a read says -EAGAIN for both
						want = again
					}
					require.Equal(t, want, w.do(k, SQE{Len: 512, RWFlags: iter.RWF_NOWAIT}))
					require.Len(t, w.fake.attempts, 1, "not punted")
					require.True(t, w.fake.attempts[0].nowait)
					w.teardown(k)
				})
			}
		}
	}},
	{"C-URING-16", func(t *testing.T) { // completion in hardirq context, in every interleaving
		on.Always(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
				k.Interrupt("irq", func(k *kernel.Task) { io.Complete(k, int64(i.Count)) })
				return queued
			}
			k.Go("io_uring", func(k *kernel.Task) {
				if w.do(k, SQE{Len: 512}) != 512 {
					k.Fail(iter.WrongErrno, "short")
				}
			})
			k.Go("other", func(k *kernel.Task) { k.Step(sim.Op{Verb: "step"}) })
			k.Explore()
			w.teardown(k)
		})
	}},
})

// refused submits a request that must end with the errno, without reaching the file,
// and leave nothing behind.
func refused(t *testing.T, errno kernel.Errno, sqe SQE) {
	t.Helper()
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		require.Equal(t, neg(errno), w.do(k, sqe), "%+v", sqe)
		require.Empty(t, w.fake.attempts)
		require.Zero(t, w.fake.tok.imports)
		w.teardown(k)
	})
}

// punted has the first attempt fail, and expects a second one from a worker that may
// block, with the iterator as it was, and one completion entry with the right result.
func punted(t *testing.T, first func(k *kernel.Task, io *iter.Kiocb, again int64) int64) {
	for _, e := range []kernel.Errno{kernel.EAGAIN, kernel.EOPNOTSUPP} {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
				if len(w.fake.attempts) == 1 {
					i.Advance(100)
					return first(k, io, neg(e))
				}
				return int64(i.Count)
			}
			require.EqualValues(t, 1024, w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Addr: 512, Len: 1024, Off: 4096}))
			require.Equal(t, []attempt{
				{true, true, 4096, 512, 1024, kernel.InTask},
				{false, true, 4096, 512, 1024, kernel.InWorker},
			}, w.fake.attempts)
			require.Empty(t, w.ring.cq.ring)
			w.teardown(k)
		})
	}
}

func TestWrongFile(t *testing.T) {
	refused(t, kernel.EBADF, SQE{File: &iter.File{Ops: plain{}, Mode: rwMode}, Len: 512})
}

func TestImportFails(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.tok.importErr = kernel.ENOMEM
		require.Equal(t, neg(kernel.ENOMEM), w.do(k, SQE{Len: 512}))
		require.Empty(t, w.fake.attempts)
		w.teardown(k)
	})
}

// A result comes back with the request's user data, requests in their own order.
func TestUserData(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		for i := range uint64(3) {
			w.submit(k, SQE{Len: 512 * (i + 1), UserData: i})
		}
		for i := range uint64(3) {
			require.Equal(t, CQE{i, int64(512 * (i + 1))}, w.ring.WaitCQE(k))
		}
		w.teardown(k)
	})
}

func TestDoubleCompletion(t *testing.T) {
	on.Fails(t, iter.DoubleCompletion, "request 5 of the ring completed twice", func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
			io.Complete(k, 512)
			io.Complete(k, 512)
			return queued
		}
		w.do(k, SQE{Len: 512, UserData: 5})
	})
}

// No more workers run than the limit allows, and all that were punted come through.
func TestWorkerLimit(t *testing.T) {
	most := map[int]bool{}
	on.Survives(t, simtest.Within(explore.Preemptions, 3), func(k *kernel.Task) {
		w := newWorld(k)
		w.ring.wq.limit = 2
		running, peak := 0, 0
		w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
			if io.Nowait() {
				return again
			}
			running++
			peak = max(peak, running)
			k.Step(sim.Op{Verb: "block"})
			running--
			return int64(i.Count)
		}
		k.Go("io_uring", func(k *kernel.Task) {
			for range 3 {
				w.submit(k, SQE{Len: 512})
			}
			for range 3 {
				w.ring.WaitCQE(k)
			}
		})
		k.Explore()
		w.teardown(k)
		most[peak] = true
	})
	require.Equal(t, map[int]bool{1: true, 2: true}, most)
}

// A bounded pool that is full holds up what has nothing to do with those in it. Who asks for
// asynchronous execution at once is in the other pool, and is not held up.
func TestFullPool(t *testing.T) {
	for flags, want := range map[uint8]string{0: "BlockedOther", IOSQE_ASYNC: "OtherBlocked"} {
		got := map[string]bool{}
		on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
			w := newWorld(k)
			w.ring.wq.limit = 1
			var thawed kernel.Shared[bool]
			thawed.Init(k, nil, "thawed", false)
			order := ""
			w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
				if io.Nowait() {
					return again
				}
				if io.Pos == 0 {
					thawed.Await(k, "wait for the exporter", func(b bool) bool { return b })
				}
				return int64(i.Count)
			}
			k.Go("io_uring", func(k *kernel.Task) {
				w.submit(k, SQE{Len: 512})
				k.Await("the worker runs", &w.ring.wq.obj, sim.Read, func() bool { return w.ring.wq.active == 1 })
				w.submit(k, SQE{Len: 512, Off: 4096, UserData: 1, Flags: flags})
				if flags == 0 {
					thawed.Store(k, true)
				}
				for range 2 {
					order += [...]string{"Blocked", "Other"}[w.ring.WaitCQE(k).UserData]
					thawed.Store(k, true)
				}
			})
			k.Explore()
			w.teardown(k)
			got[order] = true
		})
		require.Equal(t, map[string]bool{want: true}, got)
	}
}

// With room for one, two workers keep each other from running, and their classes must
// say so; with room for both they commute.
func TestWorkersCommuteBelowTheLimit(t *testing.T) {
	for limit, want := range map[int]bool{1: true, 8: false} {
		m := sim.NewMachine()
		var r *Ring
		m.Run(sim.Default{}, on.Body(func(k *kernel.Task) {
			r = NewRing(k, 0)
			r.wq.limit = limit
			for range 2 {
				r.wq.queue(k, true, func(*kernel.Task) {})
			}
			k.Explore()
		}))
		var classes [][]sim.Class
		for i := range m.Events() {
			e := &m.Events()[i]
			if e.Obj != &r.wq.obj {
				continue
			}
			cs := []sim.Class{e.Class}
			for _, a := range m.Extra(e) {
				if a.Obj == &r.wq.obj {
					cs = append(cs, a.Class)
				}
			}
			classes = append(classes, cs)
		}
		require.Len(t, classes, 2)
		conflict := false
		for _, a := range classes[0] {
			for _, b := range classes[1] {
				conflict = conflict || a.Conflicts(b)
			}
		}
		require.Equal(t, want, conflict, "limit %d", limit)
		m.Close()
	}
}

// What a worker gets as its result is final: it is not issued again.
func TestWorkerResultIsFinal(t *testing.T) {
	for _, through := range []bool{true, false} {
		name := "returned"
		if through {
			name = "through the completion"
		}
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k)
				w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 {
					if through && !io.Nowait() {
						io.Complete(k, again)
						return queued
					}
					return again
				}
				k.Go("io_uring", func(k *kernel.Task) {
					if res := w.do(k, SQE{Len: 512}); res != again {
						k.Fail(iter.WrongErrno, "%d", res)
					}
				})
				k.Explore()
				require.Len(t, w.fake.attempts, 2)
				w.teardown(k)
			})
		})
	}
}

// A design that takes something at import gives it back at finish: as often, also for
// a request that is issued again.
func TestImportsAndFinishes(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
			if io.Nowait() {
				return again
			}
			return int64(i.Count)
		}
		require.EqualValues(t, 512, w.do(k, SQE{Len: 512}))
		require.Equal(t, 2, w.fake.tok.imports)
		require.Equal(t, 2, w.fake.tok.finishes)
		w.teardown(k)
	})
}

// What was not imported is not finished.
func TestFinishAfterFailedImport(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.tok.importErr = kernel.ENOMEM
		w.do(k, SQE{Len: 512})
		require.Zero(t, w.fake.tok.finishes)
		w.teardown(k)
	})
}

// The task of a request may be gone when the request completes; the completion must
// not be lost without a word.
func TestCompletionAfterExit(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		var kiocb *iter.Kiocb
		w.fake.answer = func(_ *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 { kiocb = io; return queued }
		submitter := k.Go("io_uring", func(k *kernel.Task) { w.submit(k, SQE{Len: 512}) })
		k.Go("completer", func(k *kernel.Task) {
			k.Join(submitter.Task)
			kiocb.Complete(k, 512)
		})
		k.Explore()
		require.Zero(t, w.ring.InFlight())
		w.teardown(k)
	})
}
