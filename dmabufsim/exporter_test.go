package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// peered is a dynamic importer that copes with memory of other devices.
type peered struct{ notified }

func (peered) AllowPeer2Peer() bool { return true }

var _ = conform(cases{
	{"C-DBUF-11", func(t *testing.T) { // revoking waits for both stages
		revoke := func(skip, never bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				r := NewRevoking(k, NewBus(k), "vfio", 1)
				r.SkipUnmaps = skip
				dev := hw.NewIOMMU(k.Task, "dev0")
				dev.SetPeer(r.Region(), hw.PeerThruHostBridge)
				f := newFence(k, 9, 1)
				var sgt *SgTable
				a, err := r.Buf.DynamicAttach(k, dev, peered{func(k *kernel.Task, a *Attachment) {
					r.Buf.Resv.ReserveFences(k, 1)
					r.Buf.Resv.AddFence(k, &f.Fence, UsageKernel)
					k.Kthread("unmapper", sim.Op{Verb: "run"}, func(k *kernel.Task) {
						f.Signal(k)
						f.Put(k)
						if !never {
							a.UnmapUnlocked(k, sgt, hw.Bidirectional)
						}
					})
				}}, nil)
				require.Equal(t, kernel.OK, err)
				sgt, _ = a.MapUnlocked(k, hw.Bidirectional)
				k.Go("vfio", r.Revoke)
				k.Explore()
				_, err = a.MapUnlocked(k, hw.Bidirectional)
				require.Equal(t, kernel.ENODEV, err)
				r.Restore(k)
				sgt, err = a.MapUnlocked(k, hw.Bidirectional)
				require.Equal(t, kernel.OK, err)
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				r.Buf.Detach(k, a)
				r.Buf.Put(k)
			}
		}
		always(t, revoke(false, false))
		sometimes(t, kernel.Leak, "is given away while 1 mapping(s) of it are left", revoke(true, false))
		sometimes(t, sim.LostWakeup, "vfio", revoke(false, true))
		passes(t, func(k *kernel.Task) { // whom it does not take
			r := NewRevoking(k, NewBus(k), "vfio", 1)
			near, far := hw.NewIOMMU(k.Task, "near"), hw.NewIOMMU(k.Task, "far")
			near.SetPeer(r.Region(), hw.PeerBusAddr)
			for name, attach := range map[string]func() (*Attachment, kernel.Errno){
				"out of reach": func() (*Attachment, kernel.Errno) { return r.Buf.DynamicAttach(k, far, peered{}, nil) },
				"not peered":   func() (*Attachment, kernel.Errno) { return r.Buf.DynamicAttach(k, near, deafened, nil) },
				"static":       func() (*Attachment, kernel.Errno) { return r.Buf.Attach(k, near) },
				"cannot be told": func() (*Attachment, kernel.Errno) {
					return r.Buf.DynamicAttach(k, near, Deaf{}, nil)
				},
			} {
				_, err := attach()
				require.Equal(t, kernel.EOPNOTSUPP, err, name)
			}
			r.Buf.Put(k)
		})
	}},
	{"C-DBUF-18", func(t *testing.T) { // who reaches what
		for how, want := range map[hw.Peer]Placement{hw.PeerNotSupported: System, hw.PeerBusAddr: VRAM, hw.PeerThruHostBridge: VRAM} {
			for _, refuse := range []bool{false, true} {
				passes(t, func(k *kernel.Task) {
					g := NewGPU(k, NewBus(k), "gpu", 4, Policy{WaitFor: UsageBookkeep, Refuse: refuse})
					b := g.Export(k, "bo", 2, VRAM)
					dev := hw.NewIOMMU(k.Task, "dev0")
					dev.SetPeer(g.VRAM(), how)
					a, err := b.Buf.DynamicAttach(k, dev, peered{func(*kernel.Task, *Attachment) {}}, nil)
					if refuse && want == System {
						require.Equal(t, kernel.EOPNOTSUPP, err)
						b.Buf.Put(k)
						return
					}
					require.Equal(t, kernel.OK, err)
					require.Equal(t, want == VRAM, a.Peer2Peer)
					sgt, err := a.MapUnlocked(k, hw.Bidirectional)
					require.Equal(t, kernel.OK, err)
					require.Equal(t, want, b.Place())
					require.Equal(t, want == VRAM, sgt.NoPages)
					require.Equal(t, hw.Bytes("bo", 0, 2*hw.PageSize), dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil))
					a.UnmapUnlocked(k, sgt, hw.Bidirectional)
					b.Buf.Detach(k, a)
					b.Buf.Put(k)
				})
			}
		}
		passes(t, func(k *kernel.Task) { // a static importer never gets memory of a device
			g := NewGPU(k, NewBus(k), "gpu", 4, Policy{WaitFor: UsageBookkeep, Wait: Pipelined})
			b := g.Export(k, "bo", 2, VRAM)
			dev := hw.NewIOMMU(k.Task, "dev0")
			dev.SetPeer(g.VRAM(), hw.PeerBusAddr)
			a, _ := b.Buf.Attach(k, dev)
			sgt, err := a.MapUnlocked(k, hw.Bidirectional)
			require.Equal(t, kernel.OK, err)
			require.Equal(t, System, b.Place())
			require.Equal(t, hw.Bytes("bo", 0, 2*hw.PageSize), dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil), "and the copy is over")
			require.Equal(t, kernel.EBUSY, b.Move(k, VRAM), "it is pinned")
			a.UnmapUnlocked(k, sgt, hw.Bidirectional)
			require.Equal(t, kernel.OK, b.Move(k, VRAM))
			b.Buf.Detach(k, a)
			b.Buf.Put(k)
		})
		fails(t, sim.Bug, "sg_page of a table that was imported", func(k *kernel.Task) {
			w, _ := newSpied(k)
			a, _ := w.buf.DynamicAttach(k, w.dev, deafened, nil)
			sgt, _ := a.MapUnlocked(k, hw.Bidirectional)
			sgt.Page(k)
		})
	}},
})
