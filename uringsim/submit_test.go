package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq/dmatoken"
	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// results waits for n entries and lists them by user data.
func (r *Ring) results(k *kernel.Task, n int) map[uint64]int64 {
	out := map[uint64]int64{}
	for range n {
		c := r.WaitCQE(k)
		out[c.UserData] = c.Res
	}
	return out
}

func read(user uint64, n uint64, flags uint8) SQE {
	return SQE{Opcode: IORING_OP_READ_FIXED, Len: n, UserData: user, Flags: flags}
}

// batch submits entries in one call.
func (w *world) batch(k *kernel.Task, sqes ...SQE) int {
	for _, s := range sqes {
		if s.File = w.file; !w.ring.Queue(k, s) {
			k.BUG("no room")
		}
	}
	n, err := w.ring.Enter(k, len(sqes), 0, 0)
	if err != kernel.OK {
		k.BUG("io_uring_enter: %v", err)
	}
	return n
}

func TestLinks(t *testing.T) {
	for name, c := range map[string]struct {
		first func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64
		flags uint8
		want  map[uint64]int64
	}{
		"all well":           {part(4096), IOSQE_IO_LINK, map[uint64]int64{1: 512, 2: 512, 3: 512}},
		"the first fails":    {says(neg(kernel.EIO)), IOSQE_IO_LINK, map[uint64]int64{1: neg(kernel.EIO), 2: neg(kernel.ECANCELED), 3: neg(kernel.ECANCELED)}},
		"a hard link":        {says(neg(kernel.EIO)), IOSQE_IO_HARDLINK, map[uint64]int64{1: neg(kernel.EIO), 2: 512, 3: 512}},
		"the end, too early": {says(0), IOSQE_IO_LINK, map[uint64]int64{1: 0, 2: neg(kernel.ECANCELED), 3: neg(kernel.ECANCELED)}},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				w := newWorld(k)
				w.script(c.first, part(4096))
				require.Equal(t, 3, w.batch(k, read(1, 512, c.flags), read(2, 512, c.flags), read(3, 512, 0)))
				require.Equal(t, c.want, w.ring.results(k, 3))
				w.teardown(k)
			})
		})
	}
	passes(t, func(k *kernel.Task) { // one that is refused takes its chain with it
		w := newWorld(k)
		bad := read(2, 512, IOSQE_IO_LINK|IOSQE_BUFFER_SELECT)
		w.ring.Flags |= IORING_SETUP_SUBMIT_ALL
		require.Equal(t, 3, w.batch(k, read(1, 512, IOSQE_IO_LINK), bad, read(3, 512, 0)))
		require.Equal(t, map[uint64]int64{1: neg(kernel.ECANCELED), 2: neg(kernel.EOPNOTSUPP), 3: neg(kernel.ECANCELED)}, w.ring.results(k, 3))
		require.Empty(t, w.fake.attempts)
		w.teardown(k)
	})
}

// A linked request looks its buffer up when its turn comes: an update between its submission
// and that is seen; in 6.12 it is not.
func TestLinkedLookup(t *testing.T) {
	for _, p := range []kernel.Profile{kernel.RFCBase, kernel.V7_3} {
		passes(t, func(k *kernel.Task) {
			k.K.Profile = p
			w := newWorld(k)
			old := w.fake.tok
			kiocbs := w.later()
			w.batch(k, read(1, 512, IOSQE_IO_LINK), read(2, 512, 0))
			w.fake.tok = &fakeToken{}
			require.Equal(t, kernel.OK, w.ring.RegisterDmaBuf(k, 0, w.file, w.buf))
			w.fake.answer = whole
			(*kiocbs)[0].Complete(k, 512)
			require.Equal(t, map[uint64]int64{1: 512, 2: 512}, w.ring.results(k, 2))
			require.Equal(t, 1, old.imports)
			require.Equal(t, 1, w.fake.tok.imports)
			w.teardown(k)
		})
	}
}

// Without SUBMIT_ALL a submission ends with the entry that is refused.
func TestSubmissionStops(t *testing.T) {
	for flags, want := range map[uint32]int{0: 2, IORING_SETUP_SUBMIT_ALL: 3} {
		passes(t, func(k *kernel.Task) {
			w := newMode(k, flags)
			bad := read(2, 512, IOSQE_BUFFER_SELECT)
			require.Equal(t, want, w.batch(k, read(1, 512, 0), bad, read(3, 512, 0)))
			w.ring.results(k, want)
			w.teardown(k)
		})
	}
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		for op, errno := range map[Opcode]kernel.Errno{99: kernel.EINVAL, IORING_OP_READ_FIXED: kernel.EINVAL} {
			require.Equal(t, neg(errno), w.do(k, SQE{Opcode: op, Flags: 1 << 7, Len: 512}))
		}
		w.ring.Submit(k, SQE{Opcode: IORING_OP_NOP, UserData: 4})
		require.Equal(t, CQE{4, 0}, w.ring.WaitCQE(k))
		w.file.Mode = iter.FMODE_WRITE
		require.Equal(t, neg(kernel.EBADF), w.do(k, SQE{Len: 512}))
		w.file.Mode = rwMode
		require.Equal(t, neg(kernel.EOPNOTSUPP), w.do(k, SQE{Len: 512, RWFlags: 1 << 20}))
		require.Equal(t, neg(kernel.EINVAL), w.do(k, SQE{Len: 512, Off: -1}))
		w.ring.Submit(k, SQE{Opcode: IORING_OP_READ_FIXED, Len: 512})
		require.Equal(t, neg(kernel.EBADF), w.ring.WaitCQE(k).Res, "no file")
		w.teardown(k)
	})
}

// A file that is taken out of the table stays for the requests that have it.
func TestRegisteredFiles(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		f := &iter.File{Ops: w.fake, Mode: rwMode, Ref: &kernel.File{}}
		f.Ref.Init(k, "file", func(*kernel.Task) {})
		require.Equal(t, kernel.EBADF, w.ring.RegisterFiles(k, []RegFile{{File: w.file}, {Bad: true}}))
		require.Equal(t, kernel.EINVAL, w.ring.RegisterFiles(k, []RegFile{{Tag: 1}}))
		require.Equal(t, kernel.OK, w.ring.RegisterFiles(k, []RegFile{{File: w.file, Tag: 5}, {}}))
		require.Equal(t, kernel.EBUSY, w.ring.RegisterFiles(k, []RegFile{{}}))
		fixed := SQE{Flags: IOSQE_FIXED_FILE, Len: 512, UserData: 1}
		require.EqualValues(t, 512, w.do(k, fixed))
		for _, fd := range []int{-1, 1, 2} {
			bad := fixed
			bad.Fd = fd
			require.Equal(t, neg(kernel.EBADF), w.do(k, bad))
		}
		kiocbs := w.later()
		w.submit(k, fixed)
		n, err := w.ring.UpdateFiles(k, 0, 0, []RegFile{{File: f}, {Bad: true}})
		require.Equal(t, kernel.OK, err)
		require.Equal(t, 1, n)
		require.Zero(t, w.ring.events(k), "no tag yet")
		(*kiocbs)[0].Complete(k, 512)
		require.Equal(t, map[uint64]int64{1: 512, 5: 0}, w.ring.results(k, 2))
		require.Equal(t, neg(kernel.EBADF), w.do(k, fixed), "the buffer is registered for the other file")
		n, err = w.ring.UpdateFiles(k, 0, 0, []RegFile{{Skip: true}, {}})
		require.Equal(t, kernel.OK, err)
		require.Equal(t, 2, n)
		require.Equal(t, 2, f.Ref.Count())
		require.Equal(t, kernel.OK, w.ring.UnregisterFiles(k))
		require.Equal(t, 1, f.Ref.Count())
		f.Put(k)
		w.teardown(k)
	})
}

// A cancel finds what waits for a worker; of what runs it says so; what the device has it
// does not find.
func TestCancel(t *testing.T) {
	cancel := SQE{Opcode: IORING_OP_ASYNC_CANCEL, Addr: 1, UserData: 2}
	outcomes := map[int64]bool{}
	on.Survives(t, simtest.Within(explore.Preemptions, 2), func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
			k.Step(sim.Op{Verb: "block"})
			return int64(i.Count)
		}
		k.Go("io_uring", func(k *kernel.Task) {
			s := read(1, 512, IOSQE_ASYNC)
			s.File = w.file
			w.ring.Submit(k, s)
			w.ring.Submit(k, cancel)
			got := w.ring.results(k, 2)
			want := int64(512)
			if got[2] == 0 {
				want = neg(kernel.ECANCELED)
			}
			if got[1] != want {
				k.Fail(iter.WrongErrno, "%v", got)
			}
			outcomes[got[2]] = true
		})
		k.Explore()
		w.teardown(k)
	})
	require.Equal(t, map[int64]bool{0: true, neg(kernel.EALREADY): true, neg(kernel.ENOENT): true}, outcomes)
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		kiocbs := w.later()
		w.submit(k, SQE{Len: 512, UserData: 1})
		w.ring.Submit(k, cancel)
		require.Equal(t, CQE{2, neg(kernel.ENOENT)}, w.ring.WaitCQE(k))
		(*kiocbs)[0].Complete(k, 512)
		require.Equal(t, CQE{1, 512}, w.ring.WaitCQE(k))
		w.teardown(k)
	})
}

// The kernel's thread submits, and the user hears of it; if it sleeps it has to be woken.
func TestSqPoll(t *testing.T) {
	program := func(idle, wakes bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := newWorld(k)
			w.fake.answer = fromIrq
			if w.ring.UnregisterBuffer(k, 0) != kernel.OK {
				k.BUG("unregister")
			}
			w.fake.tok = &fakeToken{}
			r, _ := Setup(k, Params{Entries: 8, Flags: IORING_SETUP_SQPOLL, IdleImmediately: idle})
			r.buffers.nodes = make([]*node, 1)
			r.RegisterDmaBuf(k, 0, w.file, w.buf)
			k.Go("io_uring", func(k *kernel.Task) {
				for range 2 {
					s := read(1, 512, 0)
					s.File = w.file
					r.Queue(k, s)
					if wakes && r.NeedWakeup(k) {
						r.Enter(k, 0, 0, IORING_ENTER_SQ_WAKEUP)
					}
					if c := r.WaitCQE(k); c != (CQE{1, 512}) {
						k.Fail(iter.WrongErrno, "%v", c)
					}
				}
				r.Close(k)
			})
			k.Explore()
			if !r.Gone() || !w.fake.tok.unregistered {
				k.Fail(kernel.Leak, "the ring is not gone")
			}
			w.buf.Put(k)
		}
	}
	on.Survives(t, explore.NewDPOR(), program(false, false))
	on.Survives(t, explore.NewDPOR(), program(true, true))
	on.Finds(t, explore.NewDPOR(), program(true, false), sim.LostWakeup, sim.Deadlock)
}

// Polled reads of a real queue: one task has them in flight and polls.
func TestIopollOnDrive(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := nvmesim.NewDrive(k, nvmesim.Config{Name: "nvme0", Size: 1 << 20, Depth: 4, PollQueues: 1, Design: dmatoken.Design{}})
		mm, pages := newMm(k, 4)
		r, err := Setup(k, Params{Entries: 8, Flags: IORING_SETUP_IOPOLL, Mm: mm})
		require.Equal(t, kernel.OK, err)
		require.Equal(t, kernel.OK, r.RegisterBuffers(k, []RegBuffer{userRange(0, 4*4096)}))
		f := d.Queue().Open(iter.O_DIRECT)
		for i := range uint64(4) {
			r.Queue(k, SQE{Opcode: IORING_OP_READ_FIXED, File: f, Addr: userMemory + 4096*i, Len: 4096, Off: int64(4096 * i), UserData: i})
		}
		n, err := r.Enter(k, 4, 4, IORING_ENTER_GETEVENTS)
		require.Equal(t, kernel.OK, err)
		require.Equal(t, 4, n)
		require.Len(t, r.results(k, 4), 4)
		require.NotEmpty(t, pages)
		require.Equal(t, kernel.OK, r.UnregisterBuffers(k))
	})
}

// A task keeps several requests in flight until all are made.
func TestClosedLoop(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k)
		w.fake.answer = fromIrq
		most, done := 0, map[uint64]int{}
		w.ring.ClosedLoop(k, 3, 10, func(i int) SQE {
			most = max(most, w.ring.InFlight())
			s := read(uint64(i), 512, 0)
			s.File = w.file
			return s
		}, func(c CQE) { done[c.UserData]++ })
		require.Len(t, done, 10)
		require.LessOrEqual(t, most, 2, "before the next one")
		w.teardown(k)
	})
}

// In 6.12 unregistering waits for what is in flight, posts no tag, and an update's old
// buffer goes when all requests before it have.
func Test612(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		k.K.Profile = kernel.V6_12
		mm, pages := newMm(k, 2)
		w := &world{ring: NewRing(k, 0), fake: &fakeFile{}}
		w.ring.Mm, w.file = mm, &iter.File{Ops: w.fake, Mode: rwMode}
		tagged := userRange(0, 4096)
		tagged.Tag = 9
		require.Equal(t, kernel.OK, w.ring.RegisterBuffers(k, []RegBuffer{tagged, userRange(4096, 4096)}))
		kiocbs := w.later()
		w.submit(k, SQE{Addr: userMemory, Len: 512, UserData: 1})
		require.Equal(t, neg(kernel.EFAULT), w.do(k, SQE{BufIndex: 2, Len: 512}))
		n, err := w.ring.UpdateBuffers(k, 1, 0, []RegBuffer{{Iovec: &iter.Iovec{}}})
		require.Equal(t, 1, n, err)
		require.Equal(t, 1, mm.Pins(pages[1]), "the request holds the generation")
		k.Interrupt("irq", func(k *kernel.Task) { (*kiocbs)[0].Complete(k, 512) })
		require.Equal(t, kernel.OK, w.ring.UnregisterBuffers(k))
		require.Zero(t, w.ring.InFlight())
		require.Equal(t, CQE{1, 512}, w.ring.WaitCQE(k))
		require.Zero(t, w.ring.events(k), "a tag")
		require.Zero(t, mm.Pins(pages[0])+mm.Pins(pages[1]))
	})
	punted(t, func(k *kernel.Task, io *iter.Kiocb, again int64) int64 { return again })
}

// A ring that was set up disabled takes nothing until a task enables it, which then is the one
// that submits.
func TestEnableRings(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newMode(k, deferred|IORING_SETUP_R_DISABLED)
		_, err := w.ring.Enter(k, 0, 0, 0)
		require.Equal(t, kernel.EBADFD, err)
		k.Go("io_uring", func(k *kernel.Task) {
			require.Equal(t, kernel.OK, w.ring.EnableRings(k))
			require.Equal(t, kernel.EBADFD, w.ring.EnableRings(k))
			require.EqualValues(t, 512, w.do(k, SQE{Len: 512}))
		})
		k.Explore()
		require.Equal(t, kernel.EEXIST, w.ring.EnableRings(k))
		w.teardown(k)
	})
}
