package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/blkmq/dmatoken"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/token/drain"
	"dmasim/uringsim"
)

// spied is a block device's file that is looked at when it is read.
type spied struct {
	blkmq.Fops
	read reader
}

type reader func(f blkmq.Fops, k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64

func (s spied) ReadIter(k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
	return s.read(s.Fops, k, io, i)
}

// lazily is a design whose requests drop their map when the ring frees them, which takes the
// submitting task.
type lazily struct{ token.Design }

func (d lazily) Register(k *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok, err := d.Design.Register(k, p, q, drv)
	return &lazyToken{Token: tok}, err
}

type lazyToken struct {
	token.Token
	done []*token.Frag
}

func (t *lazyToken) Complete(*kernel.Task, *token.Frag)               {}
func (t *lazyToken) Free(_ *kernel.Task, f *token.Frag, _ token.Path) { t.done = append(t.done, f) }
func (t *lazyToken) Finish(k *kernel.Task, u *token.Use) {
	for _, f := range t.done {
		t.Token.Complete(k, f)
		t.Token.Free(k, f, token.Single)
	}
	t.done = nil
	t.Token.Finish(k, u)
}

// sudden is a design whose tokens, when they are unregistered, release the buffer at once and not
// when the last reference of its file has gone.
type sudden struct{ token.Design }

func (d sudden) Register(k *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok, err := d.Design.Register(k, p, q, drv)
	return suddenToken{tok, p.DmaBuf.Exporter().(*owner)}, err
}

type suddenToken struct {
	token.Token
	exp *owner
}

func (t suddenToken) Unregister(k *kernel.Task) {
	t.Token.Unregister(k)
	t.exp.released(k)
}

// owner is an exporter of pages that it gives to somebody else when the buffer is released.
type owner struct {
	pages    []*hw.Page
	released func(k *kernel.Task)
}

func (e *owner) MapDmaBuf(k *kernel.Task, a *dmabufsim.Attachment, dir hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	return &dmabufsim.SgTable{Segments: a.Dev.Map(k.Task, e.pages, dir), Pages: e.pages}, kernel.OK
}
func (e *owner) UnmapDmaBuf(k *kernel.Task, a *dmabufsim.Attachment, sgt *dmabufsim.SgTable, _ hw.Direction) {
	a.Dev.Unmap(k.Task, sgt.Segments)
}
func (e *owner) Release(k *kernel.Task) {
	e.released(k)
	e.give(k)
}
func (e *owner) give(k *kernel.Task) { hw.Give(k.Task, e.pages, "somebody else") }

var _ = conform(cases{
	{"C-X-07", func(t *testing.T) {
		againBefore, punted := 0, 0
		// scarce is two reads through one tag, of a buffer that is unregistered while they are
		// under way: a dma-buf, or user memory for the kernel that knows no others.
		scarce := func(p kernel.Profile, read reader) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				k.K.Profile = p
				const size = 2 * hw.PageSize
				drv := nvmesim.NewDrive(k, nvmesim.Config{Name: "nvme0", Size: 1 << 20, Depth: 1, Design: drain.Design{}})
				file := drv.Queue().Open(iter.O_DIRECT)
				mm := iter.NewMm(k, "user")
				ring, _ := uringsim.Setup(k, uringsim.Params{Entries: 2, Mm: mm})
				sqe := uringsim.SQE{Opcode: uringsim.IORING_OP_READ_FIXED, File: file, Len: hw.PageSize}
				var pages []*hw.Page
				var base uint64
				exp := dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 2)
				if p == kernel.V6_12 {
					base = 0x10000
					pages = new(hw.Memory).Alloc(k.Task, "user", 2)
					mm.Mmap(k, base, pages, iter.PROT_READ|iter.PROT_WRITE)
					ring.RegisterBuffers(k, []uringsim.RegBuffer{{Iovec: &iter.Iovec{Base: base, Len: size}}})
				} else {
					pages = exp.Backing()
					ring.RegisterSparse(k, 1)
					ring.RegisterDmaBuf(k, 0, file, exp.Buf)
					ring.Submit(k, sqe)
					ring.WaitCQE(k) // so that there is a map
				}
				file.Ops = spied{file.Ops.(blkmq.Fops), read}
				k.Go("io_uring", func(k *kernel.Task) {
					for n := range uint64(2) {
						sqe.Addr, sqe.Off = base+n*hw.PageSize, int64(n*hw.PageSize)
						ring.Submit(k, sqe)
					}
					ring.UnregisterBuffer(k, 0)
					for range 2 {
						if c := ring.WaitCQE(k); c.Res != hw.PageSize {
							k.Fail(iter.WrongErrno, "a read ended with %s", result(c.Res))
						}
					}
					if f := compare("the buffer", 0, hw.Peek(pages, 0, size), hw.Bytes("nvme0", 0, size)); f != nil {
						k.Fail(f.Kind, "%s", f.Message)
					}
				})
				k.Explore()
				exp.Buf.Put(k)
			}
		}
		// look tells what a try has said before it returned.
		look := func(f blkmq.Fops, k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
			if !io.Nowait() {
				punted++
				if i.Count != hw.PageSize {
					k.BUG("the second try is for %d bytes", i.Count)
				}
				return f.ReadIter(k, io, i)
			}
			said := int64(0)
			complete := io.Complete
			io.Complete = func(k *kernel.Task, res int64) {
				said = res
				complete(k, res)
			}
			ret := f.ReadIter(k, io, i)
			io.Complete = complete
			if said == iter.Neg(kernel.EAGAIN) {
				againBefore++
				if ret != iter.Neg(kernel.EIOCBQUEUED) {
					k.BUG("completed with -EAGAIN, and then %d is returned", ret)
				}
			}
			return ret
		}
		for _, p := range []kernel.Profile{kernel.V6_12, kernel.RFCBase} {
			againBefore, punted = 0, 0
			everyTrace(t, on, scarce(p, look))
			require.NotZero(t, againBefore)
			require.NotZero(t, punted)
		}
		// The completion comes after the return, where a kernel does not look for it.
		late := func(f blkmq.Fops, k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
			complete := io.Complete
			io.Complete = func(k *kernel.Task, res int64) {
				if res != iter.Neg(kernel.EAGAIN) {
					complete(k, res)
					return
				}
				k.Interrupt("late", func(k *kernel.Task) { complete(k, res) })
			}
			defer func() { io.Complete = complete }()
			return f.ReadIter(k, io, i)
		}
		sometimes(t, iter.WrongErrno, "ended with -EAGAIN", scarce(kernel.V6_12, late))
		// The second try does not go where the first one would have gone.
		advanced := func(f blkmq.Fops, k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
			if !io.Nowait() {
				i.Offset -= sector
			}
			return f.ReadIter(k, io, i)
		}
		sometimes(t, hw.DataCorruption, "of the buffer is", scarce(kernel.RFCBase, advanced))
	}},
	{"C-X-13", func(t *testing.T) {
		contexts := map[kernel.Ctx]bool{}
		// closing closes the ring and the buffer's descriptor while a read into the buffer is
		// under way.
		closing := func(d token.Design, early bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				token.Repair(k, token.AllFixes())
				bus := dmabufsim.NewBus(k)
				e := &owner{pages: bus.Memory.Alloc(k.Task, "vram", 1)}
				drv := nvmesim.NewDrive(k, nvmesim.Config{Name: "nvme0", Size: 1 << 20, Depth: 1, Design: d})
				buf := bus.Export(k, "vram", hw.PageSize, e)
				ring := uringsim.NewRing(k, 1)
				file := drv.Queue().Open(iter.O_DIRECT)
				if err := ring.RegisterDmaBuf(k, 0, file, buf); err != kernel.OK {
					k.BUG("registration: %v", err)
				}
				probe := k.LockMap("probe")
				k.Documented(probe, k.LockMap("uring_lock"))
				k.Documented(probe, k.WWClass("reservation_ww_class", kernel.WaitDie).LockMap())
				e.released = func(k *kernel.Task) {
					contexts[k.Context()] = true
					k.MightSleep("release", "vram")
					probe.Wait(k) // not with one of these locks held
					if ring.InFlight() > 0 {
						k.BUG("the buffer is released with a request in flight")
					}
				}
				sqe := uringsim.SQE{Opcode: uringsim.IORING_OP_READ_FIXED, File: file, Len: hw.PageSize}
				ring.Submit(k, sqe)
				ring.WaitCQE(k) // so that there is a map
				k.Go("user", func(k *kernel.Task) {
					ring.Submit(k, sqe)
					ring.Close(k)
				})
				k.Go("other", func(k *kernel.Task) {
					if early {
						e.give(k)
					}
					buf.Put(k)
				})
				k.Explore()
				if !ring.Gone() {
					k.BUG("the ring is still there")
				}
			}
		}
		everyTrace(t, on, closing(drain.Design{}, false))
		everyTrace(t, on, closing(dmatoken.Design{}, false))
		require.NotEmpty(t, contexts)
		for c := range contexts {
			require.LessOrEqual(t, c, kernel.InWorker)
		}
		on.Finds(t, fewDelays(), closing(drain.Design{}, true), hw.StaleDMA)
		on.Finds(t, fewDelays(), closing(sudden{drain.Design{}}, false), kernel.LockOrder)
	}},
	{"C-X-14", func(t *testing.T) {
		// idle is a user who has submitted a read, and does not enter the kernel before the
		// exporter has moved the buffer.
		idle := func(d token.Design) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				token.Repair(k, token.AllFixes())
				exp := dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 1)
				drv := nvmesim.NewDrive(k, nvmesim.Config{Name: "nvme0", Size: 1 << 20, Depth: 1, Design: d})
				file := drv.Queue().Open(iter.O_DIRECT)
				ring, err := uringsim.Setup(k, uringsim.Params{Entries: 1, Flags: uringsim.IORING_SETUP_SINGLE_ISSUER | uringsim.IORING_SETUP_DEFER_TASKRUN})
				require.Equal(t, kernel.OK, err)
				require.Equal(t, kernel.OK, ring.RegisterSparse(k, 1))
				require.Equal(t, kernel.OK, ring.RegisterDmaBuf(k, 0, file, exp.Buf))
				sqe := uringsim.SQE{Opcode: uringsim.IORING_OP_READ_FIXED, File: file, Len: hw.PageSize}
				ring.Submit(k, sqe)
				ring.WaitCQE(k) // so that there is a map
				ring.Submit(k, sqe)
				k.Go("exporter", exp.Move)
				k.Explore()
				require.EqualValues(t, hw.PageSize, ring.WaitCQE(k).Res)
				ring.UnregisterBuffer(k, 0)
				exp.Buf.Put(k)
			}
		}
		for _, d := range []token.Design{drain.Design{}, dmatoken.Design{}} {
			everyTrace(t, on, idle(d))
		}
		sometimes(t, sim.LostWakeup, "exporter waits for", idle(lazily{drain.Design{}}))
	}},
})
