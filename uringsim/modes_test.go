package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// newMode is a world whose ring was set up with flags.
func newMode(k *kernel.Task, flags uint32) *world {
	w := newWorld(k)
	r, err := Setup(k, Params{Entries: 8, Flags: flags})
	if err != kernel.OK {
		k.BUG("setup: %v", err)
	}
	r.buffers.nodes = make([]*node, 2)
	if err := w.ring.UnregisterBuffer(k, 0); err != kernel.OK {
		k.BUG("unregister: %v", err)
	}
	w.fake.tok = &fakeToken{}
	w.ring = r
	if err := r.RegisterDmaBuf(k, 0, w.file, w.buf); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

const deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN

// fromIrq is an answer that completes from an interrupt.
func fromIrq(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
	n := int64(i.Count)
	k.Interrupt("irq", func(k *kernel.Task) { io.Complete(k, n) })
	return queued
}

func TestSetupErrors(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		for _, p := range []Params{
			{}, {Entries: -1}, {Entries: maxEntries + 1}, {Entries: 1, Flags: 1 << 30},
			{Entries: 1, Flags: IORING_SETUP_DEFER_TASKRUN},
			{Entries: 1, Flags: deferred | IORING_SETUP_SQPOLL},
			{Entries: 1, Flags: IORING_SETUP_TASKRUN_FLAG},
			{Entries: 8, CQEntries: 4, Flags: IORING_SETUP_CQSIZE},
			{Entries: 8, Flags: IORING_SETUP_CQSIZE},
		} {
			_, err := Setup(k, p)
			require.Equal(t, kernel.EINVAL, err, "%+v", p)
		}
		r, err := Setup(k, Params{Entries: 5})
		require.Equal(t, kernel.OK, err)
		require.Equal(t, 8, r.sq.size)
		require.Equal(t, 16, r.cq.size)
	})
}

var _ = conform(cases{
	{"C-URING-13", func(t *testing.T) {
		for name, c := range map[string]struct {
			write bool
			next  func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64
			want  int64
		}{
			"a read, then an error":      {false, says(neg(kernel.EIO)), 512},
			"a write, then an error":     {true, says(neg(kernel.EIO)), 512},
			"a read, then the end":       {false, says(0), 512},
			"a read, then the rest":      {false, part(4096), 2048},
			"a write, then the rest":     {true, part(4096), 2048},
			"a write, then another part": {true, part(512), 1024},
		} {
			t.Run(name, func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					w := newWorld(k)
					w.script(part(512), c.next)
					op := IORING_OP_READ_FIXED
					if c.write {
						op = IORING_OP_WRITE_FIXED
					}
					require.Equal(t, c.want, w.do(k, SQE{Opcode: op, Addr: 1024, Len: 2048, Off: 4096}))
					require.Len(t, w.fake.attempts, 2)
					second := w.fake.attempts[1]
					require.EqualValues(t, []uint64{4608, 1536, 1536}, []uint64{uint64(second.pos), second.offset, second.count})
					require.Equal(t, kernel.InWorker, second.context)
					require.Equal(t, 1, w.fake.tok.imports, "a request that moved something is not imported again")
					w.teardown(k)
				})
			})
		}
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.script(says(neg(kernel.EIO)))
			require.Equal(t, neg(kernel.EIO), w.do(k, SQE{Len: 512}))
			require.Equal(t, neg(kernel.EIO), w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Len: 512}))
			w.script(part(512))
			require.EqualValues(t, 512, w.do(k, SQE{Len: 1024, RWFlags: iter.RWF_NOWAIT}), "short, and its user does not wait")
			w.teardown(k)
		})
	}},
	{"C-URING-14", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			w := newMode(k, deferred)
			w.ring.submitter = nil // the task below
			w.fake.answer = fromIrq
			entered := false
			k.Go("io_uring", func(k *kernel.Task) {
				w.ring.submitter = k
				w.submit(k, SQE{Len: 512})
				k.Step(sim.Op{Verb: "user mode"})
				if _, ok := w.ring.PeekCQE(k); ok {
					k.Fail(iter.WrongErrno, "an entry, and the task has not entered")
				}
				entered = true
				if w.ring.WaitCQEs(k, 1) != kernel.OK || w.ring.events(k) != 1 {
					k.Fail(iter.LostCompletion, "no entry")
				}
			})
			k.Explore()
			if !entered || w.ring.WaitCQEs(k, 1) != kernel.EEXIST {
				k.Fail(iter.WrongErrno, "another task may wait")
			}
			w.ring.Queue(k, SQE{})
			if _, err := w.ring.Enter(k, 1, 0, 0); err != kernel.EEXIST {
				k.Fail(iter.WrongErrno, "another task may submit")
			}
			w.ring.submitter = k
			w.teardown(k)
		})
		// A task that does not come back: nothing is posted, nothing given back.
		passes(t, func(k *kernel.Task) {
			w := newMode(k, deferred)
			kiocbs := w.later()
			w.submit(k, SQE{Len: 512})
			(*kiocbs)[0].Complete(k, 512)
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 0))
			require.False(t, k.ReturnToUser())
			require.False(t, w.fake.tok.unregistered)
			require.Equal(t, 1, w.ring.InFlight())
			require.EqualValues(t, 512, w.ring.WaitCQE(k).Res)
			require.True(t, w.fake.tok.unregistered)
			w.buf.Put(k)
		})
	}},
	{"C-URING-15", func(t *testing.T) {
		// The second of two wakes the waiter, not the first: it runs once.
		for _, forced := range []bool{false, true} {
			passes(t, func(k *kernel.Task) {
				w := newMode(k, deferred)
				w.ring.submitter = nil
				kiocbs := w.later()
				var user *kernel.Task
				user = k.Go("io_uring", func(k *kernel.Task) {
					w.ring.submitter = k
					for range 2 {
						s := SQE{Len: 512}
						if forced {
							s.Flags = IOSQE_IO_LINK
						}
						w.submit(k, s)
					}
					w.ring.WaitCQEs(k, 2)
				})
				k.Go("device", func(k *kernel.Task) {
					k.Await("all submitted", nil, sim.Read, func() bool { return len(*kiocbs) == 2 && w.ring.local.want == 2 })
					(*kiocbs)[0].Complete(k, 512)
					op, waits := user.Pending()
					require.True(t, waits)
					require.Equal(t, forced, op.Guard.Ready(user.Task))
					(*kiocbs)[1].Complete(k, 512)
					if !forced {
						op, waits = user.Pending()
						require.True(t, waits)
						require.True(t, op.Guard.Ready(user.Task))
					}
				})
				k.Explore()
				require.Equal(t, 2, w.ring.events(k))
				w.ring.submitter = nil
				w.teardown(k)
			})
		}
	}},
	{"C-URING-18", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newMode(k, IORING_SETUP_IOPOLL)
			p := &polledFile{fakeFile: w.fake}
			for _, f := range []*iter.File{
				{Ops: w.fake, Mode: rwMode, Flags: iter.O_DIRECT}, // has no iopoll
				{Ops: p, Mode: rwMode},
			} {
				w.fake.tok = &fakeToken{}
				require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 1, f, w.buf))
				require.Equal(t, neg(kernel.EOPNOTSUPP), w.do(k, SQE{File: f, BufIndex: 1, Len: 512}))
			}
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffers(k))
			w.buf.Put(k)
		})
		passes(t, func(k *kernel.Task) { // no room, twice also for the worker
			w := newMode(k, IORING_SETUP_IOPOLL)
			p := &polledFile{fakeFile: w.fake}
			f := &iter.File{Ops: p, Mode: rwMode, Flags: iter.O_DIRECT}
			w.fake.tok = &fakeToken{}
			require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 1, f, w.buf))
			w.script(says(again), says(again), says(again), p.later)
			require.EqualValues(t, 512, w.do(k, SQE{File: f, BufIndex: 1, Len: 512}))
			require.Len(t, w.fake.attempts, 4)
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffers(k))
			w.buf.Put(k)
		})
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			require.Equal(t, neg(kernel.EINVAL), w.do(k, SQE{Len: 512, RWFlags: iter.RWF_HIPRI}))
			w.teardown(k)
		})
	}},
})

// polledFile completes what it was given when it is polled.
type polledFile struct {
	*fakeFile
	given []*iter.Kiocb
}

func (p *polledFile) later(_ *kernel.Task, io *iter.Kiocb, _ *iter.Iter) int64 {
	p.given = append(p.given, io)
	return queued
}

func (p *polledFile) Iopoll(k *kernel.Task, _ *iter.Kiocb) int {
	n := len(p.given)
	for _, io := range p.given {
		io.Complete(k, 512)
	}
	p.given = nil
	return n
}

// An entry for each of more requests than the queue has room for.
func TestOverflow(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		w.ring.cq.size = 2
		for i := range uint64(5) {
			w.submit(k, SQE{Len: 512, UserData: i})
		}
		for i := range uint64(5) {
			require.Equal(t, i, w.ring.WaitCQE(k).UserData)
		}
		k.K.FailAlloc("io_overflow_cqe", 1)
		for range 3 {
			w.submit(k, SQE{Len: 512})
		}
		require.Equal(t, kernel.EBADR, w.ring.WaitCQEs(k, 1))
		require.Equal(t, kernel.OK, w.ring.WaitCQEs(k, 2))
		w.teardown(k)
	})
}

// A task in user mode: IPIs bring a default ring's completions in, nothing those of a ring
// that waits for the task.
func TestInUserMode(t *testing.T) {
	for flags, handled := range map[uint32]bool{0: true, IORING_SETUP_COOP_TASKRUN: false, deferred: false} {
		passes(t, func(k *kernel.Task) {
			w := newMode(k, flags)
			w.ring.submitter = nil
			kiocbs := w.later()
			var done kernel.Shared[bool]
			done.Init(k, nil, "gpu", false)
			var obj sim.Object
			k.Own(&obj, "memory", "gpu")
			over, seen := false, false
			k.Go("io_uring", func(k *kernel.Task) {
				if flags == deferred {
					w.ring.submitter = k
				}
				w.submit(k, SQE{Len: 512})
				w.ring.InUserMode(k, "spin", &obj, func() bool { return over })
				seen = w.ring.events(k) > 0
				w.ring.WaitCQEs(k, 1)
			})
			k.Go("device", func(k *kernel.Task) {
				k.Await("submitted", nil, sim.Read, func() bool { return len(*kiocbs) > 0 })
				(*kiocbs)[0].Complete(k, 512)
				k.Step(sim.Op{Verb: "gpu is done", Obj: &obj})
				if handled {
					k.Await("handled", nil, sim.Read, func() bool { return len(w.ring.cq.ring) > 0 })
				}
				over = true
			})
			k.Explore()
			require.Equal(t, handled, seen, "flags %#x", flags)
			w.ring.submitter = nil
			w.teardown(k)
		})
	}
}

// A task unregisters a buffer that a read uses, and waits in user mode for a GPU that waits
// until the buffer is released. Where its completions need the task, that has no end.
func TestTaskThatWaitsForGPU(t *testing.T) {
	program := func(flags uint32) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := newMode(k, flags)
			w.ring.submitter = nil
			w.fake.answer = fromIrq
			var memory sim.Object
			k.Own(&memory, "memory", "gpu")
			signalled := false
			released := &w.fake.tok.unregistered
			k.Go("io_uring", func(k *kernel.Task) {
				if flags == deferred {
					w.ring.submitter = k
				}
				w.submit(k, SQE{Len: 512})
				w.ring.UnregisterBuffer(k, 0)
				w.ring.InUserMode(k, "wait for the GPU", &memory, func() bool { return signalled })
				w.ring.WaitCQEs(k, 1)
			})
			k.Go("gpu", func(k *kernel.Task) {
				k.Await("wait for the release", w.fake.tok.object(k), sim.Read, func() bool { return *released })
				k.Step(sim.Op{Verb: "signal", Obj: &memory})
				signalled = true
			})
			k.Explore()
			w.buf.Put(k)
		}
	}
	always(t, program(0))
	on.Sometimes(t, sim.Deadlock, "", program(deferred))
}
