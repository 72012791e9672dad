package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/kernel"
)

var _ = conform(cases{
	{"C-URING-12", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			n := w.ring.buffers.nodes[0]
			var refs []int
			note := func(a func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64) func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64 {
				return func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
					refs = append(refs, n.refs.Peek())
					return a(k, io, i)
				}
			}
			w.script(note(says(again)), note(func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
				k.Interrupt("irq", func(k *kernel.Task) { io.Complete(k, again) })
				return queued
			}), note(part(512)))
			require.EqualValues(t, 512, w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Len: 512}))
			require.Equal(t, []int{2, 2, 2}, refs)
			require.Equal(t, 1, n.refs.Peek())
			refs = nil
			w.script(note(part(512)), note(part(512)))
			require.EqualValues(t, 1024, w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Len: 1024}))
			require.Equal(t, []int{2, 2}, refs)
			require.Equal(t, 1, n.refs.Peek())
			w.teardown(k)
		})
	}},
	{"C-URING-17", func(t *testing.T) {
		on.Fails(t, "warn", "lockdep_assert_held(uring_lock) in io_put_rsrc_node", func(k *kernel.Task) {
			w := newWorld(k)
			w.ring.buffers.nodes[0].get(k)
			w.ring.putNode(k, w.ring.buffers.nodes[0])
			w.teardown(k)
		})
		on.Fails(t, "warn", "lockdep_assert_held(uring_lock) in io_find_buf_node", func(k *kernel.Task) {
			w := newWorld(k)
			w.ring.getNode(k, &w.ring.buffers, 0, inline)
			w.ring.lock(k)
			w.ring.putNode(k, w.ring.buffers.nodes[0])
			w.ring.unlock(k)
			w.teardown(k)
		})
	}},
	{"C-URING-19", func(t *testing.T) {
		always(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.fake.answer = fromIrq
			k.Go("io_uring", func(k *kernel.Task) {
				w.submit(k, SQE{Len: 512})
				w.ring.Close(k)
				if w.ring.inFlight > 0 && w.fake.tok.unregistered {
					k.Fail(kernel.UseAfterFree, "the buffer is gone, a request is not")
				}
			})
			k.Explore()
			if !w.ring.Gone() || !w.fake.tok.unregistered || w.ring.InFlight() != 0 {
				k.Fail(kernel.Leak, "the ring was not freed")
			}
			w.buf.Put(k)
		})
	}},
	{"C-URING-20", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			r := NewRing(k, 0)
			require.Equal(t, kernel.ENXIO, w.ring.CloneBuffers(k, CloneArgs{Src: r, Flags: IORING_REGISTER_DST_REPLACE}))
			require.Equal(t, kernel.EBUSY, w.ring.CloneBuffers(k, CloneArgs{Src: r}))
			require.Equal(t, kernel.EINVAL, r.CloneBuffers(k, CloneArgs{Src: w.ring, Nr: 3}))
			require.Equal(t, kernel.EINVAL, r.CloneBuffers(k, CloneArgs{Src: w.ring, SrcOff: 1, Nr: 2}))
			require.Equal(t, kernel.EOVERFLOW, r.CloneBuffers(k, CloneArgs{Src: w.ring, SrcOff: ^uint32(0), Nr: 1}))
			require.Equal(t, kernel.EINVAL, r.CloneBuffers(k, CloneArgs{Src: w.ring, DstOff: maxBuffers, Nr: 1}))
			require.Equal(t, kernel.OK, r.CloneBuffers(k, CloneArgs{Src: w.ring}))
			require.Equal(t, kernel.OK, w.ring.UnregisterBuffer(k, 0))
			require.False(t, w.fake.tok.unregistered)
			r.Submit(k, SQE{Opcode: IORING_OP_READ_FIXED, File: w.file, Len: 512})
			require.EqualValues(t, 512, r.WaitCQE(k).Res)
			require.Equal(t, kernel.OK, r.UnregisterBuffers(k))
			require.True(t, w.fake.tok.unregistered)
			w.buf.Put(k)
		})
	}},
	{"C-URING-24", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			old := w.fake.tok
			w.script(says(again), part(512))
			w.submit(k, SQE{Len: 512})
			w.fake.tok = &fakeToken{}
			require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 0, w.file, w.buf))
			require.EqualValues(t, 512, w.ring.WaitCQE(k).Res)
			require.Equal(t, 2, old.imports)
			require.True(t, old.unregistered)
			require.Zero(t, w.fake.tok.imports)
			w.teardown(k)
		})
	}},
})

// Two rings share a buffer; each drops it in its own time, in every interleaving.
func TestTwoRingsOneBuffer(t *testing.T) {
	on.Everywhere(t, func(k *kernel.Task) {
		w := newWorld(k)
		r := NewRing(k, 0)
		if r.CloneBuffers(k, CloneArgs{Src: w.ring}) != kernel.OK {
			k.Fail(iter.WrongErrno, "clone")
		}
		for _, r := range []*Ring{w.ring, r} {
			k.Go("io_uring", func(k *kernel.Task) {
				r.Submit(k, SQE{Opcode: IORING_OP_READ_FIXED, File: w.file, Len: 512})
				if r.WaitCQE(k).Res != 512 || w.fake.tok.unregistered {
					k.Fail(iter.WrongErrno, "the buffer is gone")
				}
				r.UnregisterBuffer(k, 0)
			})
		}
		k.Explore()
		if !w.fake.tok.unregistered {
			k.Fail(kernel.Leak, "the token was not unregistered")
		}
		w.buf.Put(k)
	})
}

// A task is killed while it waits, and exits when its requests are done and not before.
func TestKilledTask(t *testing.T) {
	for _, flags := range []uint32{0, deferred} {
		always(t, func(k *kernel.Task) {
			w := newMode(k, flags)
			w.ring.submitter = nil
			w.fake.answer = fromIrq
			user := k.Go("io_uring", func(k *kernel.Task) {
				if flags == deferred {
					w.ring.submitter = k
				}
				w.submit(k, SQE{Len: 512})
				if err := w.ring.WaitCQEs(k, 2); err != kernel.EINTR {
					k.Fail(iter.WrongErrno, "%v", err)
				}
				w.ring.TaskExit(k)
				if w.ring.InFlight() != 0 {
					k.Fail(kernel.Leak, "exits with requests in flight")
				}
			})
			k.Go("killer", func(k *kernel.Task) { k.SendSignal(user, true) })
			k.Explore()
			w.ring.submitter = nil
			w.teardown(k)
		})
	}
}

// Seeded mistakes, each of which some interleaving must show.
func TestSeeds(t *testing.T) {
	two := func(set func(s *seeds)) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := newWorld(k)
			set(&w.ring.seed)
			w.fake.answer = fromIrq
			k.Go("io_uring", func(k *kernel.Task) {
				for i := range uint64(2) {
					w.submit(k, SQE{Len: 512, UserData: i})
				}
				w.ring.UnregisterBuffer(k, 0)
				seen := uint64(0)
				for range 2 {
					c := w.ring.WaitCQE(k)
					if seen&(1<<c.UserData) != 0 {
						k.Fail(iter.DoubleCompletion, "two entries for request %d", c.UserData)
					}
					seen |= 1 << c.UserData
				}
			})
			k.Explore()
			w.buf.Put(k)
		}
	}
	on.Everywhere(t, two(func(*seeds) {}))
	on.Sometimes(t, "lost-wakeup", "", two(func(s *seeds) { s.loseCompletion = true }))
	on.Sometimes(t, iter.DoubleCompletion, "two entries for request", two(func(s *seeds) { s.postTwice = true }))
	on.Sometimes(t, kernel.UseAfterFree, "io_rsrc_node", two(func(s *seeds) { s.putEarly = true }))

	partial := func(set func(s *seeds)) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := newWorld(k)
			set(&w.ring.seed)
			w.script(part(512), part(4096))
			if res := w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Len: 1024}); res != 1024 {
				k.Fail(iter.WrongErrno, "%d of 1024", res)
			}
			if a := w.fake.attempts[1]; a.offset != 512 {
				k.Fail(iter.WrongErrno, "goes on at %d", a.offset)
			}
			w.teardown(k)
		}
	}
	passes(t, partial(func(*seeds) {}))
	on.Fails(t, iter.WrongErrno, "1536 of 1024", partial(func(s *seeds) { s.importAgain = true }))

	forgot := func(forget bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := newWorld(k)
			w.ring.seed.forgetIter = forget
			w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
				switch len(w.fake.attempts) {
				case 1:
					return part(512)(k, io, i)
				case 2:
					i.Advance(100) // and then it would block
					k.Interrupt("irq", func(k *kernel.Task) { io.Complete(k, again) })
					return queued
				}
				return part(4096)(k, io, i)
			}
			if res := w.do(k, SQE{Opcode: IORING_OP_WRITE_FIXED, Len: 1024}); res != 1024 {
				k.Fail(iter.WrongErrno, "%d of 1024", res)
			}
			w.teardown(k)
		}
	}
	passes(t, forgot(false))
	on.Fails(t, iter.WrongErrno, "924 of 1024", forgot(true))
}

// A device that says to every attempt that it would block, through the completion.
func TestReissuedWithoutEnd(t *testing.T) {
	on.Fails(t, "livelock", "each time its completion said that it would block", func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 {
			k.Interrupt("irq", func(k *kernel.Task) { io.Complete(k, neg(kernel.EOPNOTSUPP)) })
			return queued
		}
		w.do(k, SQE{Len: 512})
	})
}
