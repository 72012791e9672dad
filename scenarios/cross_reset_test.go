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
	"dmasim/uringsim"
)

// recovering is a world whose driver deals with timeouts and resets its controller. The drive
// may transfer data more often than it was asked to.
func recovering(k *kernel.Task, d token.Design, faults ...nvmesim.Fault) (*world, *nvmesim.Driver) {
	w := &world{bus: dmabufsim.NewBus(k)}
	w.bufs = []*buffer{newMoving(k, w, config{pages: 1}, "vram")}
	drv := nvmesim.NewDrive(k, nvmesim.Config{Name: "nvme0", Size: driveSize, Depth: 2, Design: d, Recovers: true})
	w.queue, w.ctrl = drv.Queue(), drv.Controller()
	w.file = w.queue.Open(iter.O_DIRECT)
	w.ref = newReference(w)
	k.Machine().Audit(w.ref.strangers)
	k.Machine().Audit(func() *sim.Failure { return left(w.ctrl.Mapped(), "page(s) still mapped") })
	r := uringsim.NewRing(k, 1)
	if err := r.RegisterDmaBuf(k, 0, w.file, w.exp.Buf); err != kernel.OK {
		k.BUG("registration: %v", err)
	}
	w.rings = []*uringsim.Ring{r}
	w.do(k, transfer{n: 1, lba: 100}) // so that there is a map
	w.ctrl.Inject(faults...)
	return w, drv
}

// watched is a design whose requests are looked at when they are tried again. Early has them
// drop their map when the driver has finished with the data, whatever comes then.
type watched struct {
	token.Design
	early bool
	seen  *retries
}

// retries counts tries after the first one, and of those the ones that found the fence of an
// invalidation, which has not signalled.
type retries struct{ all, fenced int }

func (d watched) Register(k *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok, err := d.Design.Register(k, p, q, drv)
	return &watchedToken{tok, d, &p.DmaBuf.Resv, map[*token.Frag]bool{}}, err
}

type watchedToken struct {
	token.Token
	watched watched
	resv    *dmabufsim.Resv
	again   map[*token.Frag]bool
}

func (w *watchedToken) Complete(k *kernel.Task, f *token.Frag) {
	w.Token.Complete(k, f)
	if w.watched.early {
		w.Token.Free(k, f, token.Single)
	}
}

func (w *watchedToken) Requeue(k *kernel.Task, f *token.Frag) {
	w.again[f] = true
	w.Token.Requeue(k, f)
}

func (w *watchedToken) Queue(k *kernel.Task, f *token.Frag) (*token.Map, token.Outcome) {
	if w.again[f] {
		w.watched.seen.all++
		if !w.resv.TestSignaled(k, dmabufsim.UsageBookkeep) {
			w.watched.seen.fenced++
		}
	}
	return w.Token.Queue(k, f)
}

// reading is a read into a buffer that moves meanwhile, and what is done to the controller. The
// result is not looked at if it cannot be right.
func reading(d token.Design, right bool, reset func(k *kernel.Task, w *world, drv *nvmesim.Driver), faults ...nvmesim.Fault) func(st *sim.Task) {
	return func(st *sim.Task) {
		k := kernel.Boot(st)
		token.Repair(k, token.AllFixes())
		w, drv := recovering(k, d, faults...)
		k.Go("io_uring", func(k *kernel.Task) {
			w.submit(k, transfer{n: page})
			if c := w.rings[0].WaitCQE(k); right {
				w.expect(k, transfer{n: page}, c)
			}
		})
		k.Go("reset", func(k *kernel.Task) { reset(k, w, drv) })
		k.Go("exporter", w.exp.Move)
		k.Explore()
		if right {
			w.ref.checkAll(k)
		}
		w.rings[0].UnregisterBuffer(k, 0)
		w.exp.Buf.Put(k)
	}
}

func reset(k *kernel.Task, _ *world, drv *nvmesim.Driver) { drv.Reset(k) }

var _ = conform(cases{
	{"C-X-09", func(t *testing.T) {
		d := dmatoken.Design{}
		whole.Survives(t, fewDelays(), reading(d, true, reset))
		// A drive is about to write to the buffer, never to say so, and its command is cancelled
		// without it.
		silent := nvmesim.Fault{What: nvmesim.Hang, Bytes: 1, Deaf: true}
		cancel := func(k *kernel.Task, w *world, _ *nvmesim.Driver) {
			w.queue.Quiesce(k)
			w.queue.BusyIter(k, func(k *kernel.Task, rq *blkmq.Request) {
				if rq.InFlight() {
					rq.CompleteRemote(k)
				}
			})
			w.queue.Unquiesce(k)
		}
		whole.Finds(t, fewDelays(), reading(d, false, cancel, silent), hw.StaleDMA, hw.IOMMUFault)
	}},
	{"C-X-10", func(t *testing.T) {
		seen := &retries{}
		d := watched{Design: dmatoken.Design{}, seen: seen}
		whole.Survives(t, fewDelays(), reading(d, true, reset))
		require.NotZero(t, seen.all)
		require.NotZero(t, seen.fenced)
		d.early = true
		whole.Finds(t, fewDelays(), reading(d, true, reset), hw.StaleDMA, hw.IOMMUFault, sim.Bug)
	}},
})
