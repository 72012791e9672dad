package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on            = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails = on.Passes, on.Fails
)

// fakeToken gives every request the same map, and notes its invalidations.
type fakeToken struct {
	token.Token
	m           *token.Map
	invalidated int
	completed   []kernel.Ctx
}

func (f *fakeToken) Submit(*kernel.Task, *token.Frag) token.Outcome { return token.Outcome{} }
func (f *fakeToken) Queue(*kernel.Task, *token.Frag) (*token.Map, token.Outcome) {
	return f.m, token.Outcome{}
}
func (f *fakeToken) Complete(k *kernel.Task, _ *token.Frag) {
	f.completed = append(f.completed, k.Context())
}
func (f *fakeToken) Free(*kernel.Task, *token.Frag, token.Path)   {}
func (f *fakeToken) Requeue(*kernel.Task, *token.Frag)            {}
func (f *fakeToken) Split(*kernel.Task, *token.Frag, *token.Frag) {}
func (f *fakeToken) Invalidate(*kernel.Task)                      { f.invalidated++ }

// scattered is an exporter whose table has several segments, in the order of the
// buffer, each of a number of pages.
type scattered struct {
	pages    []*hw.Page
	segments []int
	fail     kernel.Errno
}

func (s *scattered) MapDmaBuf(k *kernel.Task, a *dmabufsim.Attachment, dir hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	if s.fail != kernel.OK {
		return nil, s.fail
	}
	sgt := &dmabufsim.SgTable{Pages: s.pages}
	first := 0
	for _, n := range s.segments {
		hole := a.Dev.Map(k.Task, s.pages[:1], dir) // in the bus addresses
		sgt.Segments = append(sgt.Segments, a.Dev.Map(k.Task, s.pages[first:first+n], dir)...)
		a.Dev.Unmap(k.Task, hole)
		first += n
	}
	return sgt, kernel.OK
}

func (s *scattered) UnmapDmaBuf(k *kernel.Task, a *dmabufsim.Attachment, sgt *dmabufsim.SgTable, _ hw.Direction) {
	a.Dev.Unmap(k.Task, sgt.Segments)
}

func (s *scattered) Release(*kernel.Task) {}

// world is a drive, and a scattered buffer that is attached to it.
type world struct {
	queue  *blkmq.Queue
	ctrl   *Controller
	driver *Driver
	exp    *scattered
	tok    *fakeToken
	reg    token.Reg
}

func newWorld(k *kernel.Task, segments ...int) *world {
	w := &world{tok: &fakeToken{}, exp: &scattered{segments: segments}}
	pages := 0
	for _, n := range segments {
		pages += n
	}
	w.queue, w.ctrl = NewDisk(k, "nvme0", 1<<30, 4, nil)
	w.driver = w.queue.Ops.(*Driver)
	bus := dmabufsim.NewBus(k)
	w.exp.pages = bus.Memory.Alloc(k.Task, "vram", pages)
	hw.Fill(w.exp.pages, "vram")
	w.reg = token.Reg{Params: token.Params{DmaBuf: bus.Export(k, "vram", uint64(pages)*hw.PageSize, w.exp)}, Token: w.tok}
	if err := w.driver.InitDmaToken(k, &w.reg); err != kernel.OK {
		k.BUG("attach: %v", err)
	}
	return w
}

// dmaMap makes a map under the lock.
func (w *world) dmaMap(k *kernel.Task) kernel.Errno {
	w.tok.m = &token.Map{Gen: 1}
	w.reg.DmaBuf.Resv.Lock(k, nil)
	defer w.reg.DmaBuf.Resv.Unlock(k)
	return w.driver.DmaMap(k, &w.reg, w.tok.m)
}

func (w *world) teardown(k *kernel.Task) {
	if w.tok.m != nil && w.tok.m.Sgt.Peek() != nil {
		w.driver.DmaUnmap(k, &w.reg, w.tok.m, false)
	}
	w.driver.CleanDmaToken(k, &w.reg)
	w.reg.DmaBuf.Put(k)
	if n := w.ctrl.Mapped(); n != 0 {
		k.Fail(kernel.Leak, "%d page(s) mapped", n)
	}
}

// transfer submits a bio, and returns its status once all is quiet.
func (w *world) submit(k *kernel.Task, dir hw.Direction, lba uint64, off, length uint32, ended func(kernel.BlkStatus)) {
	w.queue.SubmitBio(k, &blkmq.Bio{Op: blkmq.OpFor(dir), BvecIter: blkmq.BvecIter{Sector: lba, Done: off, Size: length}, Use: &token.Use{Token: w.tok},
		EndIO: func(_ *kernel.Task, b *blkmq.Bio) { ended(b.Status()) }})
}

// delays is every schedule with few delays.
func delays() explore.Strategy { return simtest.Within(explore.Delays, 4) }
