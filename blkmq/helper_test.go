package blkmq

import (
	"dmasim/internal/simtest"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on                    = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails, always = on.Passes, on.Fails, on.Always
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

var paths = map[token.Path]string{token.Single: "free single", token.Batch: "free batch", token.NeverQueued: "free never queued"}

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
	complete bool // at once, in an interrupt
	// queue, if set, is what queue_rq does besides.
	queue func(k *kernel.Task, rq *Request)
}

func (d *fakeDriver) QueueRq(k *kernel.Task, rq *Request) kernel.BlkStatus {
	if d.queue != nil {
		d.queue(k, rq)
	}
	if d.status != kernel.BLK_STS_OK {
		return d.status
	}
	rq.Start(k)
	d.queued = append(d.queued, rq)
	if d.complete {
		k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
	}
	return kernel.BLK_STS_OK
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

func newDisk(k *kernel.Task, tags int) *disk {
	d := &disk{driver: &fakeDriver{}, token: &fakeToken{}}
	d.Queue = NewQueue(k, "disk", size, tags, Limits{LogicalBlock: block, MaxBytes: 16 << 10, MaxSegments: 3, DmaAlignment: 3}, d.driver, fakeDesign{})
	d.use = token.Use{Token: d.token}
	return d
}

// bio is a bio of one page at sector 0.
func (d *disk) bio() *Bio {
	return &Bio{Size: 4096, Use: &d.use, EndIO: func(_ *kernel.Task, b *Bio) { d.ended = append(d.ended, b.Status().Errno()) }}
}
