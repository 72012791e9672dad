package blkmq

import (
	"testing"

	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on                               = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails, always, sometimes = on.Passes, on.Fails, on.Always, on.Sometimes
)

// fakeToken is a token that needs nothing, and notes the stages that it is asked for.
type fakeToken struct {
	token.Token // what is not overridden is not called
	stages      []string
	submit      token.Outcome
	queue       token.Outcome
}

func (f *fakeToken) note(stage string) { f.stages = append(f.stages, stage) }

func (f *fakeToken) Submit(k *kernel.Task, _ *token.Frag) token.Outcome {
	f.note("submit")
	k.MightSleep("submit stage", "")
	return f.submit
}

func (f *fakeToken) Queue(*kernel.Task, *token.Frag) (*token.Map, token.Outcome) {
	f.note("queue")
	return nil, f.queue
}

func (f *fakeToken) Split(_ *kernel.Task, _, _ *token.Frag) { f.note("split") }
func (f *fakeToken) Requeue(_ *kernel.Task, _ *token.Frag)  { f.note("requeue") }

var paths = map[token.Path]string{token.Single: "free single", token.Batch: "free batch", token.NeverQueued: "free never queued", token.Cancelled: "free cancelled"}

func (f *fakeToken) Free(_ *kernel.Task, _ *token.Frag, p token.Path) { f.note(paths[p]) }

// fakeDesign makes fakeTokens.
type fakeDesign struct{ err kernel.Errno }

func (fakeDesign) Name() string { return "fake" }
func (d fakeDesign) Register(_ *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	if d.err != kernel.OK {
		return nil, d.err
	}
	return &fakeToken{}, kernel.OK
}

// fakeDriver keeps the requests that it was given.
type fakeDriver struct {
	token.Driver
	status   kernel.BlkStatus
	queued   []*Request
	script   []kernel.BlkStatus // what queue_rq says first, before status
	complete bool               // at once, in an interrupt
	handed   []*Request         // all that queue_rq saw
	// queue, if set, is what queue_rq does besides.
	queue func(k *kernel.Task, rq *Request)
}

func (d *fakeDriver) QueueRq(k *kernel.Task, rq *Request) kernel.BlkStatus {
	if d.queue != nil {
		d.queue(k, rq)
	}
	d.handed = append(d.handed, rq)
	s := d.status
	if len(d.script) > 0 {
		s, d.script = d.script[0], d.script[1:]
	}
	if s != kernel.BLK_STS_OK {
		return s
	}
	rq.Start(k)
	d.queued = append(d.queued, rq)
	if d.complete {
		k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
	}
	return kernel.BLK_STS_OK
}

// finish completes all requests that were queued, and those that are queued meanwhile.
func (d *fakeDriver) finish(k *kernel.Task) {
	for len(d.queued) > 0 {
		rq := d.queued[0]
		d.queued = d.queued[1:]
		rq.Complete(k, kernel.BLK_STS_OK)
	}
}

// disk is a queue of a fake driver.
type disk struct {
	*Queue
	driver *fakeDriver
	token  *fakeToken
	use    token.Use
	ended  []kernel.Errno
}

const (
	block = 512
	size  = 1 << 20
)

func newDisk(k *kernel.Task, tags int) *disk { return newDiskOf(k, NewTagset(k, "disk tags", tags)) }

func newDiskOf(k *kernel.Task, set *Tagset) *disk {
	d := &disk{driver: &fakeDriver{}, token: &fakeToken{}}
	d.Queue = set.NewQueue(k, "disk", size, Limits{LogicalBlock: block, MaxHWSectors: 32, MaxSegments: 3, DmaAlignment: 3}, d.driver, fakeDesign{})
	d.use = token.Use{Token: d.token}
	return d
}

// bio is a bio of one page at sector 0.
func (d *disk) bio() *Bio {
	return &Bio{BvecIter: BvecIter{Size: 4096}, Use: &d.use, EndIO: func(_ *kernel.Task, b *Bio) { d.ended = append(d.ended, b.Status().Errno()) }}
}

// plain is a bio of so many sectors from the given one on, with one vector for each page.
func (d *disk) plain(sector uint64, sectors uint32) *Bio {
	b := d.bio()
	b.Use, b.Sector, b.Size = nil, sector, sectors*sectorSize
	for left := b.Size; left > 0; {
		n := min(left, pageSize)
		b.Vecs = append(b.Vecs, iter.Bvec{Pages: frames(16+2*uint64(len(b.Vecs)), 1), Len: n})
		left -= n
	}
	return b
}

// frames are n neighbouring pages.
func frames(pfn uint64, n int) []*hw.Page {
	out := make([]*hw.Page, n)
	for i := range out {
		out[i] = &hw.Page{PFN: pfn + uint64(i)}
	}
	return out
}

// settle lets all run that is due, timers included.
func settle(k *kernel.Task, ms int64) {
	over := false
	k.After(ms*1_000_000, sim.Quiet, "settle", func(*sim.Task) { over = true })
	k.Await("settle", nil, sim.Read, func() bool { return over })
}

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }
