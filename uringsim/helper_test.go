package uringsim

import (
	"testing"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on     = simtest.On[*kernel.Task](kernel.Boot)
	passes = on.Passes
	always = on.Always
)

// fakeToken notes what the ring asks of it.
type fakeToken struct {
	token.Token
	imports, finishes int
	importErr         kernel.Errno
	unregistered      bool
	obj               sim.Object
}

// object stands for what the token notes, for whoever waits for that.
func (f *fakeToken) object(k *kernel.Task) *sim.Object {
	if f.obj.Key() == 0 {
		k.OwnStatic(&f.obj, "token", "fake")
	}
	return &f.obj
}

func (f *fakeToken) Import(*kernel.Task, *token.Use) kernel.Errno { f.imports++; return f.importErr }
func (f *fakeToken) Finish(*kernel.Task, *token.Use)              { f.finishes++ }
func (f *fakeToken) Unregister(k *kernel.Task) {
	k.Touch(f.object(k), sim.Write)
	f.unregistered = true
}

// fakeFile answers every attempt by answer, and takes registrations.
type fakeFile struct {
	tok      *fakeToken
	mapErr   kernel.Errno
	answer   func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, write bool) int64
	attempts []attempt
}

type attempt struct {
	nowait, write bool
	pos           int64
	offset, count uint64
	context       kernel.Ctx
}

func (f *fakeFile) rw(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, write bool) int64 {
	f.attempts = append(f.attempts, attempt{io.Nowait(), write, io.Pos, i.Offset, i.Count, k.Context()})
	return f.answer(k, io, i, write)
}

func (f *fakeFile) ReadIter(k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
	return f.rw(k, io, i, false)
}
func (f *fakeFile) WriteIter(k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
	return f.rw(k, io, i, true)
}

func (f *fakeFile) DmaMap(*kernel.Task, *iter.File, token.Params) (token.Token, kernel.Errno) {
	if f.mapErr != kernel.OK {
		return nil, f.mapErr
	}
	return f.tok, kernel.OK
}

// plain is a file that takes no registrations.
type plain struct{}

func (plain) ReadIter(*kernel.Task, *iter.Kiocb, *iter.Iter) int64  { return 0 }
func (plain) WriteIter(*kernel.Task, *iter.Kiocb, *iter.Iter) int64 { return 0 }

// whole answers that all was transferred, at once.
func whole(_ *kernel.Task, _ *iter.Kiocb, i *iter.Iter, _ bool) int64 { return int64(i.Count) }

// world is a ring of two slots, with a buffer of two pages in the first.
type world struct {
	ring *Ring
	buf  *dmabufsim.DmaBuf
	fake *fakeFile
	file *iter.File
}

const bufferSize = 2 * hw.PageSize

func newWorld(k *kernel.Task) *world {
	w := &world{ring: NewRing(k, 2), fake: &fakeFile{tok: &fakeToken{}, answer: whole}}
	w.buf = dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", bufferSize/hw.PageSize).Buf
	w.file = &iter.File{Name: "file", Ops: w.fake, Mode: rwMode}
	if err := w.ring.RegisterDmaBuf(k, 0, w.file, w.buf); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

// submit submits one request, a read of the world's file if it does not say otherwise.
func (w *world) submit(k *kernel.Task, sqe SQE) {
	if sqe.File == nil && sqe.Flags&IOSQE_FIXED_FILE == 0 {
		sqe.File = w.file
	}
	if sqe.Opcode == IORING_OP_NOP {
		sqe.Opcode = IORING_OP_READ_FIXED
	}
	w.ring.Submit(k, sqe)
}

// do submits one request and waits for its entry.
func (w *world) do(k *kernel.Task, sqe SQE) int64 {
	w.submit(k, sqe)
	return w.ring.WaitCQE(k).Res
}

func (w *world) teardown(k *kernel.Task) {
	switch {
	case w.ring.UnregisterBuffer(k, 0) != kernel.OK:
		k.Fail(kernel.Leak, "the slot is empty")
	case !w.fake.tok.unregistered:
		k.Fail(kernel.Leak, "the token was not unregistered")
	case w.ring.InFlight() != 0:
		k.Fail(kernel.Leak, "requests in flight")
	}
	w.buf.Put(k)
}

func neg(e kernel.Errno) int64 { return iter.Neg(e) }

// rwMode is the mode of a file that can do all.
const rwMode = iter.FMODE_READ | iter.FMODE_WRITE | iter.FMODE_NOWAIT

// userMemory is where newMm maps pages.
const userMemory = 0x10000

// newMm is an address space with n pages that hold data of their own.
func newMm(k *kernel.Task, n int) (*iter.Mm, []*hw.Page) {
	pages := new(hw.Memory).Alloc(k.Task, "user", n)
	hw.Fill(pages, "user")
	mm := iter.NewMm(k, "user")
	mm.Mmap(k, userMemory, pages, iter.PROT_READ|iter.PROT_WRITE)
	return mm, pages
}

// userRange is the entry of a registration for n bytes of user memory.
func userRange(off, n uint64) RegBuffer {
	return RegBuffer{Iovec: &iter.Iovec{Base: userMemory + off, Len: n}}
}

// later is an answer that keeps the kiocb.
func (w *world) later() *[]*iter.Kiocb {
	var all []*iter.Kiocb
	w.fake.answer = func(_ *kernel.Task, io *iter.Kiocb, _ *iter.Iter, _ bool) int64 {
		all = append(all, io)
		return queued
	}
	return &all
}

// script is an answer that differs by attempt; the last one stays.
func (w *world) script(answers ...func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64) {
	n := 0
	w.fake.answer = func(k *kernel.Task, io *iter.Kiocb, i *iter.Iter, _ bool) int64 {
		a := answers[min(n, len(answers)-1)]
		n++
		return a(k, io, i)
	}
}

// part is an answer that transfers n bytes at most, as a file does.
func part(n uint64) func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64 {
	return func(_ *kernel.Task, io *iter.Kiocb, i *iter.Iter) int64 {
		n := min(n, i.Count)
		i.Advance(n)
		io.Pos += int64(n)
		return int64(n)
	}
}

// says is an answer that transfers nothing.
func says(ret int64) func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64 {
	return func(*kernel.Task, *iter.Kiocb, *iter.Iter) int64 { return ret }
}

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }
