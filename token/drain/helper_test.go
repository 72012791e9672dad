package drain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// world is a drive and a buffer that moves.
type world struct {
	exp   *dmabufsim.Moving
	queue *blkmq.Queue
	ctrl  *nvmesim.Controller
	tok   *drainToken
}

func newWorld(k *kernel.Task) *world {
	w := &world{exp: dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 2)}
	w.queue, w.ctrl = nvmesim.NewDisk(k, "nvme0", 1<<20, 4, Design{})
	return w
}

func (w *world) register(k *kernel.Task) kernel.Errno {
	tok, err := w.queue.Design.Register(k, token.Params{DmaBuf: w.exp.Buf}, w.queue, w.queue.Ops)
	if err == kernel.OK {
		w.tok = tok.(*drainToken)
	}
	return err
}

func registered(k *kernel.Task) *world {
	w := newWorld(k)
	if err := w.register(k); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

// teardown unregisters and drops the buffer; the auditors see to the rest.
func (w *world) teardown(k *kernel.Task) {
	w.tok.Unregister(k)
	w.exp.Buf.Put(k)
	if n := w.ctrl.IOMMU.Mapped(); n != 0 {
		k.Fail(kernel.Leak, "%d page(s) mapped", n)
	}
	if n := w.queue.Refs(); n != 1 {
		k.Fail(kernel.Leak, "%d reference(s) on the queue", n)
	}
}

// dma reads the first sector of the buffer through a map.
func (w *world) dma(k *kernel.Task, addr hw.BusAddr) {
	data := make([]hw.Stamp, 1)
	w.ctrl.IOMMU.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: addr, Len: hw.SectorSize}}, data)
	if data[0] != (hw.Stamp{Source: "vram"}) {
		k.Fail(hw.DataCorruption, "read %v", data[0])
	}
}

func first(m *token.Map) hw.BusAddr { return m.Private.([]hw.BusAddr)[0] }

func booted(body func(k *kernel.Task)) func(*sim.Task) {
	return func(st *sim.Task) { body(kernel.Boot(st)) }
}

func run(body func(k *kernel.Task)) *sim.Failure {
	m := sim.NewMachine()
	m.StepLimit = 2000
	defer m.Close()
	return m.Run(sim.Default{}, booted(body)).Failure
}

func passes(t *testing.T, body func(k *kernel.Task)) {
	t.Helper()
	if f := run(body); f != nil {
		t.Fatalf("%v\n%v", f, f.Detail)
	}
}

// within explores every schedule within a number of delays.
func within(t *testing.T, delays int, body func(k *kernel.Task)) *explore.Report {
	r := explore.Run(t.Context(), booted(body), explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: delays}),
		explore.Options{StepLimit: 500, Executions: 100_000})
	if r.Found == nil {
		require.True(t, r.Exhausted)
	} else {
		r.Found.Machine.Close()
	}
	return r
}

// everywhere explores one schedule of every trace, and fails the test if one fails; and
// since that relies on what operations declare, also every schedule with few delays.
func everywhere(t *testing.T, body func(k *kernel.Task)) {
	t.Helper()
	for _, s := range []explore.Strategy{
		explore.NewDPOR(), explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 5}),
	} {
		r := explore.Run(t.Context(), booted(body), s, explore.Options{StepLimit: 500, Executions: 100_000})
		if r.Found != nil {
			r.Found.Machine.Close()
			t.Fatalf("%s: %v", s.Name(), r.Found.Failure)
		}
		require.True(t, r.Exhausted, "%d executions", r.Executions)
	}
}
