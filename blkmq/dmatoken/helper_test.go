package dmatoken

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
	tok   *dmaToken
}

func newWorld(k *kernel.Task, fixes token.Fix) *world {
	w := &world{exp: dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 2)}
	w.queue, w.ctrl = nvmesim.NewDisk(k, "nvme0", 1<<20, 4, Design{fixes})
	return w
}

func (w *world) register(k *kernel.Task) kernel.Errno {
	tok, err := w.queue.Design.Register(k, token.Params{DmaBuf: w.exp.Buf}, w.queue, w.queue.Ops)
	if err == kernel.OK {
		w.tok = tok.(*dmaToken)
	}
	return err
}

func registered(k *kernel.Task, fixes token.Fix) *world {
	w := newWorld(k, fixes)
	if err := w.register(k); err != kernel.OK {
		k.BUG("register: %v", err)
	}
	return w
}

// teardown releases the token and the buffer; the auditors do the rest.
func (w *world) teardown(k *kernel.Task) {
	w.tok.Unregister(k)
	w.exp.Buf.Put(k)
}

// remove is REMOVE as the exporter calls it.
func (w *world) remove(k *kernel.Task) {
	w.exp.Buf.Resv.Lock(k, nil)
	w.exp.Buf.MoveNotify(k)
	w.exp.Buf.Resv.Unlock(k)
}

// settled lets all tasks run that are due.
func settled(k *kernel.Task) {
	done := false
	k.After(1, sim.Quiet, "settled", func(*sim.Task) { done = true })
	k.Await("settle", nil, sim.Read, func() bool { return done })
}

// dma reads the first sector of the buffer through a map.
func (w *world) dma(k *kernel.Task, m *token.Map) {
	data := make([]hw.Stamp, 1)
	a := m.Private.([]hw.BusAddr)[0]
	w.ctrl.IOMMU.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: a, Len: hw.SectorSize}}, data)
	if data[0] != (hw.Stamp{Source: "vram"}) {
		k.Fail(hw.DataCorruption, "read %v", data[0])
	}
}

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

func fails(t *testing.T, kind sim.Kind, message string, body func(k *kernel.Task)) *sim.Failure {
	t.Helper()
	f := run(body)
	require.NotNil(t, f, "nothing was found; want %s: %s", kind, message)
	require.Equal(t, kind, f.Kind, f.Message)
	require.Contains(t, f.Message, message)
	return f
}

// within explores every schedule within a number of delays.
func within(t *testing.T, delays int, body func(k *kernel.Task)) *explore.Report {
	return explore.Run(t.Context(), booted(body), explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: delays}),
		explore.Options{StepLimit: 500, Executions: 50_000})
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
