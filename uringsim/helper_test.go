package uringsim

import (
	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on     = simtest.On[*kernel.Task](kernel.Boot)
	passes = on.Passes
)

// fakeToken notes what the ring asks of it.
type fakeToken struct {
	token.Token
	imports, finishes int
	importErr         kernel.Errno
	unregistered      bool
}

func (f *fakeToken) Import(*kernel.Task, *token.Use) kernel.Errno { f.imports++; return f.importErr }
func (f *fakeToken) Finish(*kernel.Task, *token.Use)              { f.finishes++ }
func (f *fakeToken) Unregister(*kernel.Task)                      { f.unregistered = true }

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
	w.file = &iter.File{Name: "file", Ops: w.fake}
	if err := w.ring.RegisterDmaBuf(k, 0, w.file, w.buf); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

// do submits one request and waits for its entry.
func (w *world) do(k *kernel.Task, sqe SQE) int64 {
	if sqe.File == nil {
		sqe.File = w.file
	}
	w.ring.Submit(k, sqe)
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

var again, queued = neg(kernel.EAGAIN), neg(kernel.EIOCBQUEUED)
