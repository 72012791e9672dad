package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// importer is a small importer with one mapping, made when it is needed, and the ways in which
// it can be wrong. busy counts the transfers under way, which take their share with the
// reservation lock held.
type importer struct {
	a    *Attachment
	peer bool
	// inPlace has move_notify wait for the transfers and unmap; else it publishes a fence, and a
	// worker does the rest.
	inPlace bool
	usage   Usage // of the fence

	noKernelWait  bool // uses a new mapping at once
	waitsFirst    bool // waits for KERNEL fences before it maps, and not after
	neverUnmaps   bool // after a move, until it is closed
	noFence       bool // tells nobody that it still transfers
	locksToSignal bool // takes the reservation lock before it signals

	sgt   *SgTable
	left  []*SgTable // that neverUnmaps left
	busy  kernel.Shared[int]
	seqno uint64
}

func (i *importer) attach(k *kernel.Task, d *DmaBuf, dev *hw.IOMMU) *importer {
	i.busy.Init(k, nil, dev.Device()+".busy", 0)
	a, err := d.DynamicAttach(k, dev, i, nil)
	if err != kernel.OK {
		k.BUG("attach: %v", err)
	}
	i.a = a
	return i
}

func (i *importer) AllowPeer2Peer() bool { return i.peer }

// read transfers the first sector to the device.
func (i *importer) read(k *kernel.Task) {
	resv := &i.a.Buf.Resv
	resv.Lock(k, nil)
	if i.sgt == nil {
		if i.waitsFirst {
			resv.Wait(k, UsageKernel)
		}
		sgt, err := i.a.Map(k, hw.Bidirectional)
		if err != kernel.OK {
			k.BUG("map: %v", err)
		}
		i.sgt = sgt
		if !i.noKernelWait && !i.waitsFirst {
			resv.Wait(k, UsageKernel)
		}
	}
	sgt := i.sgt
	i.busy.Update(k, func(n int) int { return n + 1 })
	resv.Unlock(k)
	data := i.a.Dev.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: sgt.Segments[0].Addr, Len: hw.SectorSize}}, nil)
	if !data.Equal(hw.Bytes(i.a.Buf.Name, 0, hw.SectorSize)) {
		k.Fail(hw.DataCorruption, "read %v", data)
	}
	i.busy.Update(k, func(n int) int { return n - 1 })
}

func (i *importer) idle(k *kernel.Task) {
	i.busy.Await(k, "wait for transfers", func(n int) bool { return n == 0 })
}

func (i *importer) MoveNotify(k *kernel.Task, a *Attachment) {
	if i.sgt == nil {
		return
	}
	sgt, resv := i.sgt, &a.Buf.Resv
	i.sgt = nil
	if i.inPlace {
		i.idle(k)
		a.Unmap(k, sgt, hw.Bidirectional)
		return
	}
	i.seqno++
	f := newFence(k, a.Key(), i.seqno)
	if !i.noFence {
		resv.ReserveFences(k, 1)
		resv.AddFence(k, &f.Fence, i.usage)
	}
	if i.neverUnmaps {
		i.left = append(i.left, sgt)
	}
	k.Kthread("unmapper", sim.Op{Verb: "run"}, func(k *kernel.Task) {
		i.idle(k)
		if i.locksToSignal {
			resv.Lock(k, nil)
		}
		f.Signal(k)
		f.Put(k)
		switch {
		case i.locksToSignal:
			a.Unmap(k, sgt, hw.Bidirectional)
			resv.Unlock(k)
		case !i.neverUnmaps:
			a.UnmapUnlocked(k, sgt, hw.Bidirectional)
		}
	})
}

// Key is a number of its own for the attachment's fences.
func (a *Attachment) Key() uint64 {
	key := uint64(1000)
	for i, b := range a.Buf.attachments {
		if a == b {
			key += uint64(i)
		}
	}
	return key
}

// close checks that nothing is late, and detaches.
func (i *importer) close(k *kernel.Task) {
	if f := i.a.Buf.bus.Overdue(); f != nil {
		k.Fail(f.Kind, "%s", f.Message)
	}
	i.a.Buf.Resv.Lock(k, nil)
	if i.sgt != nil {
		i.a.Unmap(k, i.sgt, hw.Bidirectional)
	}
	i.a.Buf.Resv.Unlock(k)
	i.a.Buf.Detach(k, i.a)
	if n := i.a.Dev.Mapped(); n != 0 {
		k.Fail(kernel.Leak, "%d page(s) mapped", n)
	}
}

// stage is a story with an importer and an exporter of a policy.
type stage struct {
	name string
	play func(k *kernel.Task, p Policy, i *importer)
}

// stages are what an importer has to be right in, each as small as shows something.
var stages = []stage{
	{"moved", func(k *kernel.Task, p Policy, i *importer) {
		g := NewGPU(k, NewBus(k), "gpu", 0, p)
		b := g.Export(k, "bo", 1, System)
		i.attach(k, b.Buf, hw.NewIOMMU(k.Task, "dev0"))
		i.read(k)
		k.Go("reader", i.read)
		k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
		k.Explore()
		i.close(k)
		b.Buf.Put(k)
	}},
	{"evicted and read twice", func(k *kernel.Task, p Policy, i *importer) {
		g := NewGPU(k, NewBus(k), "gpu", 1, p)
		b := g.Export(k, "bo", 1, VRAM)
		dev := hw.NewIOMMU(k.Task, "dev0")
		dev.SetPeer(g.VRAM(), hw.PeerThruHostBridge)
		i.peer = true
		i.attach(k, b.Buf, dev)
		i.read(k)
		k.Go("reader", func(k *kernel.Task) { i.read(k); i.read(k) })
		k.Go("exporter", func(k *kernel.Task) { g.MakeRoom(k, 1) })
		k.Explore()
		i.close(k)
		b.Buf.Put(k)
	}},
}

// migrated is an importer that cannot reach the buffer where it is: its own map call moves it.
var migrated = stage{"migrated by map", func(k *kernel.Task, p Policy, i *importer) {
	g := NewGPU(k, NewBus(k), "gpu", 2, p)
	b := g.Export(k, "bo", 1, VRAM)
	i.attach(k, b.Buf, hw.NewIOMMU(k.Task, "dev0"))
	k.Go("reader", i.read)
	k.Go("exporter", func(k *kernel.Task) { b.Move(k, VRAM) })
	k.Explore()
	i.close(k)
	b.Buf.Put(k)
}}

// rights are importers that are right.
var rights = map[string]func() *importer{
	"a fence, and a worker that unmaps": func() *importer { return &importer{} },
	"waits and unmaps in place":         func() *importer { return &importer{inPlace: true} },
}

// TestRightImporters has importers that are right pass with every kind of exporter.
func TestRightImporters(t *testing.T) {
	for _, p := range Presets() {
		for _, s := range append(stages[:2:2], migrated) {
			if p.Refuse && s.name == migrated.name {
				continue
			}
			for name, right := range rights {
				t.Run(p.Name+"/"+s.name+"/"+name, func(t *testing.T) {
					t.Parallel()
					on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) { s.play(k, p.Policy, right()) })
				})
			}
		}
	}
}

// The smallest story is also explored without any reduction, which relies on nothing that
// operations declare: in all interleavings where there are not too many.
func TestRightImportersWithoutReduction(t *testing.T) {
	for _, p := range Presets() {
		for name, right := range rights {
			t.Run(p.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				body := func(k *kernel.Task) { stages[0].play(k, p.Policy, right()) }
				if p.Wait == Blocking || right().inPlace {
					always(t, body)
				} else {
					on.Survives(t, simtest.Within(explore.Delays, 4), body)
				}
			})
		}
	}
}

// TestWrongImporters has every mistake be found with the exporters that can show it, and says
// with which ones it stays hidden.
func TestWrongImporters(t *testing.T) {
	copiesLater := func(p Policy) bool { return p.Wait == Pipelined }
	everybody := func(Policy) bool { return true }
	for name, c := range map[string]struct {
		make  func() *importer
		stage stage
		kinds []sim.Kind
		shows func(p Policy) bool
	}{
		"no wait for KERNEL fences": {func() *importer { return &importer{noKernelWait: true} }, stages[0],
			[]sim.Kind{hw.DataCorruption}, copiesLater},
		"waits before the map only": {func() *importer { return &importer{waitsFirst: true} }, migrated,
			[]sim.Kind{hw.DataCorruption}, func(p Policy) bool { return copiesLater(p) && !p.Refuse }},
		"unmaps late": {func() *importer { return &importer{neverUnmaps: true} }, stages[0],
			[]sim.Kind{kernel.Leak}, everybody},
		"no fence": {func() *importer { return &importer{noFence: true} }, stages[0],
			[]sim.Kind{hw.StaleDMA}, everybody},
		"a fence of too weak a class": {func() *importer { return &importer{usage: UsageBookkeep} }, stages[0],
			[]sim.Kind{hw.StaleDMA}, func(p Policy) bool { return p.WaitFor < UsageBookkeep }},
		"takes the lock before it signals": {func() *importer { return &importer{locksToSignal: true} }, stages[0],
			[]sim.Kind{sim.Deadlock}, everybody},
	} {
		for _, p := range Presets() {
			if p.Refuse && c.stage.name == migrated.name {
				continue
			}
			t.Run(name+"/"+p.Name, func(t *testing.T) {
				t.Parallel()
				body := func(k *kernel.Task) { c.stage.play(k, p.Policy, c.make()) }
				if c.shows(p.Policy) {
					on.Finds(t, explore.NewDPOR(), body, c.kinds...)
				} else {
					unruled.Survives(t, explore.NewDPOR(), body)
				}
			})
		}
	}
}

// Whoever can reach VRAM and whoever cannot share a buffer: the map call of one moves it away
// under the other.
func TestTwoImporters(t *testing.T) {
	for _, p := range Presets() {
		if p.Refuse {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
				g := NewGPU(k, NewBus(k), "gpu", 1, p.Policy)
				b := g.Export(k, "bo", 1, VRAM)
				near, far := hw.NewIOMMU(k.Task, "near"), hw.NewIOMMU(k.Task, "far")
				near.SetPeer(g.VRAM(), hw.PeerThruHostBridge)
				one := (&importer{peer: true}).attach(k, b.Buf, near)
				one.read(k)
				require.Equal(t, VRAM, b.Place())
				nic, err := NewRDMA(k, b.Buf, far, false)
				require.Equal(t, kernel.OK, err)
				k.Go("reader", one.read)
				k.Go("nic", func(k *kernel.Task) {
					got, err := nic.Transfer(k, hw.ToDevice, 0, nil)
					if err != kernel.OK || !got.Equal(hw.Bytes("bo", 0, hw.PageSize)) {
						k.Fail(hw.DataCorruption, "the nic read %v, %v", got, err)
					}
				})
				k.Explore()
				require.Equal(t, System, b.Place())
				one.close(k)
				nic.Close(k)
				b.Buf.Put(k)
			})
		})
	}
}

// What exporters and importers declare of their operations is enough: no sampled run shows a
// trace that reduction has left out.
func TestReductionOfExporters(t *testing.T) {
	for _, p := range Presets() {
		for _, s := range append(stages[:2:2], migrated) {
			if p.Refuse && s.name == migrated.name {
				continue
			}
			t.Run(p.Name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				body := on.Body(func(k *kernel.Task) { s.play(k, p.Policy, &importer{}) })
				m := sim.NewMachine()
				defer m.Close()
				var traces explore.Traces
				known := map[uint64]bool{}
				dpor := explore.NewDPOR()
				for more := true; more; {
					r := m.Run(dpor, body)
					require.Nil(t, r.Failure)
					known[traces.Of(m)] = known[traces.Of(m)] || !r.Abandoned
					more = dpor.Done(r)
				}
				random := explore.NewRandom(5)
				for range 200 {
					r := m.Run(random, body)
					require.Nil(t, r.Failure, "%v", r.Failure)
					require.True(t, known[traces.Of(m)], "a trace that dpor did not run: %s", r.Schedule)
					random.Done(r)
				}
			})
		}
	}
}
