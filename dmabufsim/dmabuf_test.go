package dmabufsim

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// world is a buffer of an inert exporter, and a device.
type world struct {
	bus *Bus
	exp *inert
	buf *DmaBuf
	dev *hw.IOMMU
}

func newWorld(k *kernel.Task) *world {
	w := &world{bus: NewBus(k), exp: &inert{}, dev: hw.NewIOMMU(k.Task, "dev0")}
	w.buf = w.bus.Export(k, "vram", hw.PageSize, w.exp)
	return w
}

func (w *world) attach(k *kernel.Task) *Attachment {
	a, _ := w.buf.DynamicAttach(k, w.dev, nil, nil)
	return a
}

var _ = conform(cases{
	{"C-DBUF-01", func(t *testing.T) { // which ops are entered with the lock
		for _, p := range profiles {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = p
				w, s := newSpied(k)
				dyn, err := w.buf.DynamicAttach(k, w.dev, deafened, nil)
				require.Equal(t, kernel.OK, err)
				static, err := w.buf.Attach(k, w.dev)
				require.Equal(t, kernel.OK, err)
				w.buf.Resv.Lock(k, nil)
				require.Equal(t, kernel.OK, dyn.Pin(k))
				dyn.Unpin(k)
				w.buf.Resv.Unlock(k)
				for _, a := range []*Attachment{dyn, static} {
					sgt, err := a.MapUnlocked(k, hw.Bidirectional)
					require.Equal(t, kernel.OK, err)
					a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				}
				require.Equal(t, kernel.OK, w.buf.Sync(k, DMA_BUF_SYNC_RW|DMA_BUF_SYNC_START))
				require.Equal(t, kernel.OK, w.buf.Sync(k, DMA_BUF_SYNC_RW|DMA_BUF_SYNC_END))
				_, err = w.buf.VmapUnlocked(k)
				require.Equal(t, kernel.OK, err)
				w.buf.VunmapUnlocked(k)
				v, err := w.buf.Mmap(k, hw.PageSize, 0, true)
				require.Equal(t, kernel.OK, err)
				v.Unmap(k)
				w.buf.Detach(k, dyn)
				w.buf.Detach(k, static)
				w.buf.Put(k)
				k.Explore()
				for _, c := range s.calls {
					locked := !slices.Contains([]string{"attach", "detach", "release", "begin", "end", "mmap"}, c.op)
					require.Equal(t, locked, c.locked, c.op)
				}
				require.Len(t, s.seen(), 12, "every op was called: %v", s.seen())
			})
		}
	}},
	{"C-DBUF-02", func(t *testing.T) {
		for call, f := range map[string]func(k *kernel.Task, w *world){
			"dma_buf_map_attachment":   func(k *kernel.Task, w *world) { w.attach(k).Map(k, hw.Bidirectional) },
			"dma_buf_unmap_attachment": func(k *kernel.Task, w *world) { w.attach(k).Unmap(k, &SgTable{}, hw.Bidirectional) },
			"dma_buf_move_notify":      func(k *kernel.Task, w *world) { w.buf.MoveNotify(k) },
			"dma_buf_pin":              func(k *kernel.Task, w *world) { w.attach(k).Pin(k) },
			"dma_buf_unpin":            func(k *kernel.Task, w *world) { w.attach(k).Unpin(k) },
			"dma_buf_vmap": func(k *kernel.Task, w *world) {
				w, _ = newSpied(k)
				w.buf.Vmap(k)
			},
			"dma_buf_vunmap": func(k *kernel.Task, w *world) { w.buf.Vunmap(k) },
		} {
			fails(t, sim.Misuse, call+" without the reservation lock", func(k *kernel.Task) { f(k, newWorld(k)) })
		}
		for name, unlocked := range map[string]func(k *kernel.Task, w *world, a *Attachment){
			"map":    func(k *kernel.Task, w *world, a *Attachment) { a.MapUnlocked(k, hw.Bidirectional) },
			"unmap":  func(k *kernel.Task, w *world, a *Attachment) { a.UnmapUnlocked(k, &SgTable{}, hw.Bidirectional) },
			"vmap":   func(k *kernel.Task, w *world, a *Attachment) { w.buf.VmapUnlocked(k) },
			"vunmap": func(k *kernel.Task, w *world, a *Attachment) { w.buf.VunmapUnlocked(k) },
			"attach": func(k *kernel.Task, w *world, a *Attachment) { w.attach(k) },
			"detach": func(k *kernel.Task, w *world, a *Attachment) { w.buf.Detach(k, a) },
		} {
			t.Run(name+" with the lock", func(t *testing.T) {
				fails(t, sim.Deadlock, "and holds it already", func(k *kernel.Task) {
					w := newWorld(k)
					a := w.attach(k)
					w.buf.Resv.Lock(k, nil)
					unlocked(k, w, a)
				})
			})
		}
	}},
	{"C-DBUF-03", func(t *testing.T) { // a static importer has a dynamic exporter pinned
		for _, p := range profiles {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = p
				w, s := newSpied(k)
				f := newFence(k, 1, 1)
				w.buf.Resv.Lock(k, nil)
				w.buf.Resv.ReserveFences(k, 1)
				add(k, &w.buf.Resv, f, UsageKernel)
				w.buf.Resv.Unlock(k)
				s.mapped = func() { require.False(t, f.Signaled(), "mapped before the wait"); f.Signal(k) }
				a, err := w.buf.Attach(k, w.dev)
				require.Equal(t, kernel.OK, err)
				sgt, err := a.MapUnlocked(k, hw.Bidirectional)
				require.Equal(t, kernel.OK, err)
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				want := []string{"attach", "pin", "map", "unmap", "unpin"}
				if p == kernel.V6_12 {
					require.Equal(t, want[:3], s.names(), "once, at attach")
				} else {
					require.Equal(t, want, s.names())
				}
				w.buf.Detach(k, a)
				require.Equal(t, append(want, "detach"), s.names())
				w.buf.Put(k)
			})
		}
		passes(t, func(k *kernel.Task) { // a failure in the middle
			w, s := newSpied(k)
			a, _ := w.buf.Attach(k, w.dev)
			s.pinErr = kernel.EINVAL
			_, err := a.MapUnlocked(k, hw.Bidirectional)
			require.Equal(t, kernel.EINVAL, err)
			s.pinErr, s.mapErr = kernel.OK, kernel.EIO
			_, err = a.MapUnlocked(k, hw.Bidirectional)
			require.Equal(t, kernel.EIO, err)
			require.Equal(t, []string{"attach", "pin", "pin", "map", "unpin"}, s.names())
			w.buf.Detach(k, a)
			w.buf.Put(k)
		})
		fails(t, sim.Warn, "cannot be pinned", func(k *kernel.Task) {
			w, s := newSpied(k)
			a, _ := w.buf.Attach(k, w.dev)
			s.pinErr = kernel.EBUSY
			a.MapUnlocked(k, hw.Bidirectional)
			w.buf.Detach(k, a)
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-04", func(t *testing.T) { // a static importer waits for KERNEL fences and for no others
		for _, u := range []Usage{UsageKernel, UsageWrite, UsageRead, UsageBookkeep} {
			got := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
				w, _ := newSpied(k)
				f := newFence(k, 1, 1)
				publish(k, &w.buf.Resv, f, u)
				a, _ := w.buf.Attach(k, w.dev)
				k.Go("importer", func(k *kernel.Task) {
					sgt, _ := a.MapUnlocked(k, hw.Bidirectional)
					k.Touch(&f.obj, sim.Read)
					say("signalled %v", f.Signaled())
					a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				})
				k.Go("signaller", func(k *kernel.Task) { f.Signal(k); f.Put(k) })
				k.Explore()
				w.buf.Detach(k, a)
				w.buf.Put(k)
			})
			if u == UsageKernel {
				require.Equal(t, set("signalled true"), got)
			} else {
				require.Equal(t, set("signalled true", "signalled false"), got, u)
			}
		}
	}},
	{"C-DBUF-05", func(t *testing.T) {
		for _, p := range profiles {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = p
				w, s := newSpied(k)
				f := newFence(k, 1, 1)
				publish(k, &w.buf.Resv, f, UsageKernel)
				importer := k.Go("importer", func(k *kernel.Task) {
					a, err := w.buf.Attach(k, w.dev)
					if p > kernel.V6_12 {
						require.Equal(t, kernel.OK, err)
						_, err = a.MapUnlocked(k, hw.Bidirectional)
						defer w.buf.Detach(k, a)
					}
					require.Equal(t, kernel.ERESTARTSYS, err)
				})
				k.Go("signal", func(k *kernel.Task) { k.SendSignal(importer, false) })
				k.Explore()
				f.Signal(k)
				f.Put(k)
				w.buf.Put(k)
				require.Equal(t, []string{"attach", "pin", "map", "unmap", "unpin", "detach"}, s.names())
			})
		}
	}},
	{"C-DBUF-06", func(t *testing.T) { // a dynamic importer waits for the fences itself
		passes(t, func(k *kernel.Task) {
			w, s := newSpied(k)
			a, _ := w.buf.DynamicAttach(k, w.dev, deafened, nil)
			w.buf.Resv.Lock(k, nil)
			w.buf.Resv.ReserveFences(k, 1)
			f := newFence(k, 1, 1)
			add(k, &w.buf.Resv, f, UsageKernel)
			sgt, err := a.Map(k, hw.Bidirectional)
			require.Equal(t, kernel.OK, err)
			a.Unmap(k, sgt, hw.Bidirectional)
			w.buf.Resv.Unlock(k)
			f.Signal(k)
			w.buf.Detach(k, a)
			w.buf.Put(k)
			require.Equal(t, []string{"attach", "map", "unmap", "detach"}, s.names(), "and nothing is pinned")
		})
	}},
	{"C-DBUF-07", func(t *testing.T) {
		for _, p := range profiles {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = p
				w, s := newSpied(k)
				s.none = true
				a, err := w.buf.Attach(k, w.dev)
				if p > kernel.V6_12 {
					require.Equal(t, kernel.OK, err)
					_, err = a.MapUnlocked(k, hw.Bidirectional)
					w.buf.Detach(k, a)
				}
				require.Equal(t, kernel.ENOMEM, err)
				require.Equal(t, []string{"attach", "pin", "map", "unpin", "detach"}, s.names())
				w.buf.Put(k)
			})
		}
	}},
	{"C-DBUF-08", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			var told []string
			w.attach(k)
			w.buf.DynamicAttach(k, w.dev, Deaf{}, nil)
			for _, n := range []string{"a", "b"} {
				w.buf.DynamicAttach(k, w.dev, notified(func(*kernel.Task, *Attachment) { told = append(told, n) }), nil)
			}
			w.buf.Resv.Lock(k, nil)
			w.buf.MoveNotify(k)
			w.buf.Resv.Unlock(k)
			require.Equal(t, []string{"a", "b"}, told, "in order of attachment, and not those without the op")
			for len(w.buf.attachments) > 0 {
				w.buf.Detach(k, w.buf.attachments[0])
			}
			w.buf.Put(k)
		})
		fails(t, sim.Warn, "no move_notify", func(k *kernel.Task) {
			k.K.Profile = kernel.V6_12
			w := newWorld(k)
			_, err := w.buf.DynamicAttach(k, w.dev, Deaf{}, nil)
			require.Equal(t, kernel.EINVAL, err)
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-09", func(t *testing.T) { // what a device may do in which stage
		stages := func(access func(k *kernel.Task, stage int, dev *hw.IOMMU, segs []hw.Segment)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				bus := NewBus(k)
				m := NewMoving(k, bus, "vram", 1)
				dev := hw.NewIOMMU(k.Task, "dev0")
				f := newFence(k, 9, 1)
				var sgt *SgTable
				told := func(k *kernel.Task, a *Attachment) {
					m.Buf.Resv.ReserveFences(k, 1)
					m.Buf.Resv.AddFence(k, &f.Fence, UsageKernel)
					access(k, 1, dev, sgt.Segments)
					f.Signal(k)
				}
				a, _ := m.Buf.DynamicAttach(k, dev, notified(told), nil)
				sgt, _ = a.MapUnlocked(k, hw.Bidirectional)
				segs := sgt.Segments
				m.Move(k)
				access(k, 2, dev, segs)
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				access(k, 3, dev, segs)
				f.Put(k)
				m.Buf.Detach(k, a)
				m.Buf.Put(k)
			}
		}
		write := func(k *kernel.Task, dev *hw.IOMMU, segs []hw.Segment) {
			dev.DMA(k.Task, hw.FromDevice, segs, hw.Bytes("drive", 0, hw.PageSize))
		}
		passes(t, stages(func(k *kernel.Task, stage int, dev *hw.IOMMU, segs []hw.Segment) {
			switch stage {
			case 1:
				write(k, dev, segs)
			case 2:
				dev.Prefetch(k.Task, segs)
			}
		}))
		fails(t, hw.StaleDMA, "dev0 wrote", stages(func(k *kernel.Task, stage int, dev *hw.IOMMU, segs []hw.Segment) {
			if stage == 2 {
				write(k, dev, segs)
			}
		}))
		fails(t, hw.StaleDMA, "dev0 read", stages(func(k *kernel.Task, stage int, dev *hw.IOMMU, segs []hw.Segment) {
			if stage == 2 { // and uses what it read
				dev.DMA(k.Task, hw.ToDevice, segs, nil)
			}
		}))
		fails(t, hw.IOMMUFault, "dev0: DMA read", stages(func(k *kernel.Task, stage int, dev *hw.IOMMU, segs []hw.Segment) {
			if stage == 3 {
				dev.Prefetch(k.Task, segs)
			}
		}))
	}},
	{"C-DBUF-10", func(t *testing.T) {
		told := func(late bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				w := newWorld(k)
				a, _ := w.buf.DynamicAttach(k, w.dev, notified(func(*kernel.Task, *Attachment) {}), nil)
				w.buf.Resv.Lock(k, nil)
				sgt, _ := a.Map(k, hw.Bidirectional)
				w.buf.MoveNotify(k)
				w.buf.Resv.Unlock(k)
				k.Go("importer", func(k *kernel.Task) {
					if !late {
						a.UnmapUnlocked(k, sgt, hw.Bidirectional)
					}
				})
				k.Explore()
				if f := w.bus.Overdue(); f != nil { // what comes from here on is the end of the test
					k.Fail(f.Kind, "%s", f.Message)
				}
				w.buf.Detach(k, a)
				w.buf.Put(k)
			}
		}
		passes(t, told(false))
		fails(t, kernel.Leak, `the importer for dev0 never unmapped "vram"`, told(true))
	}},
	{"C-DBUF-12", func(t *testing.T) {
		passes(t, func(k *kernel.Task) { // map is legal there, and gives the old place
			m := NewMoving(k, NewBus(k), "vram", 1)
			old := m.Backing()[0]
			var sgt *SgTable
			a, _ := m.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), notified(func(k *kernel.Task, a *Attachment) {
				sgt, _ = a.Map(k, hw.Bidirectional)
				require.Same(t, old, sgt.Pages[0])
			}), nil)
			m.Move(k)
			require.NotSame(t, old, m.Backing()[0])
			a.UnmapUnlocked(k, sgt, hw.Bidirectional)
			m.Buf.Detach(k, a)
			m.Buf.Put(k)
		})
		fails(t, sim.Deadlock, "and holds it already", func(k *kernel.Task) {
			w := newWorld(k)
			w.buf.DynamicAttach(k, w.dev, notified(func(k *kernel.Task, a *Attachment) { a.Buf.Resv.Lock(k, nil) }), nil)
			w.buf.Resv.Lock(k, nil)
			w.buf.MoveNotify(k)
		})
		fails(t, sim.Misuse, "return from move_notify without the reservation lock", func(k *kernel.Task) {
			w := newWorld(k)
			w.buf.DynamicAttach(k, w.dev, notified(func(k *kernel.Task, a *Attachment) { a.Buf.Resv.Unlock(k) }), nil)
			w.buf.Resv.Lock(k, nil)
			w.buf.MoveNotify(k)
		})
	}},
	{"C-DBUF-13", func(t *testing.T) { // the completion path needs the lock under which the exporter waits
		sometimes(t, sim.Deadlock, "nobody can wake exporter, completion", func(k *kernel.Task) {
			w := newWorld(k)
			f := newFence(k, 1, 1)
			w.buf.Resv.Lock(k, nil)
			w.buf.Resv.ReserveFences(k, 1)
			add(k, &w.buf.Resv, f, UsageKernel)
			w.buf.Resv.Unlock(k)
			k.Go("exporter", func(k *kernel.Task) {
				w.buf.Resv.Lock(k, nil)
				w.buf.Resv.Wait(k, UsageBookkeep)
				w.buf.Resv.Unlock(k)
			})
			k.Go("completion", func(k *kernel.Task) {
				w.buf.Resv.Lock(k, nil)
				f.Signal(k)
				w.buf.Resv.Unlock(k)
			})
			k.Explore()
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-14", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.buf.Get(k)
			w.buf.Put(k)
			w.buf.Put(k)
			require.False(t, w.buf.Released(k), "not inside the put")
			k.Explore()
			require.True(t, w.buf.Released(k))
			require.Equal(t, kernel.InWorker, w.exp.released)
		})
		passes(t, func(k *kernel.Task) { // a user task does it itself, later
			w := newWorld(k)
			k.Go("user", func(k *kernel.Task) {
				w.buf.Resv.Lock(k, nil) // which release may take: it comes when this is over
				w.buf.Put(k)
				w.buf.Resv.Unlock(k)
				require.False(t, w.buf.Released(k))
				k.ReturnToUser()
				require.True(t, w.buf.Released(k))
				require.Equal(t, kernel.InTask, w.exp.released)
			})
			k.Explore()
		})
	}},
	{"C-DBUF-15", func(t *testing.T) {
		fails(t, kernel.Leak, `dma_buf_detach of "vram" with 1 live mapping(s)`, func(k *kernel.Task) {
			w := newWorld(k)
			a := w.attach(k)
			w.buf.Resv.Lock(k, nil)
			a.Map(k, hw.Bidirectional)
			w.buf.Resv.Unlock(k)
			w.buf.Detach(k, a)
		})
		fails(t, kernel.Leak, `dma_buf_detach of "spied", which is pinned 1 time(s)`, func(k *kernel.Task) {
			w, _ := newSpied(k)
			a, _ := w.buf.DynamicAttach(k, w.dev, deafened, nil)
			w.buf.Resv.Lock(k, nil)
			a.Pin(k)
			w.buf.Resv.Unlock(k)
			w.buf.Detach(k, a)
		})
		fails(t, kernel.Leak, `dma-buf "vram" is released with 1 attachment(s)`, func(k *kernel.Task) {
			w := newWorld(k)
			w.attach(k)
			w.buf.Put(k)
			k.Explore()
		})
	}},
	{"C-DBUF-16", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w, s := newSpied(k)
			s.attachErr = kernel.EBUSY
			_, err := w.buf.Attach(k, w.dev)
			require.Equal(t, kernel.EBUSY, err)
			require.Empty(t, w.buf.attachments)
			require.Equal(t, []string{"attach"}, s.names(), "no detach for what never was")
			w.buf.Put(k)
		})
		got := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			w, s := newSpied(k)
			told := false
			listed := false
			s.attached = func(k *kernel.Task) { // an invalidation in between does not reach it
				listed = len(w.buf.attachments) > 0
				step(k)
			}
			var a *Attachment
			k.Go("importer", func(k *kernel.Task) {
				a, _ = w.buf.DynamicAttach(k, w.dev, notified(func(*kernel.Task, *Attachment) { told = true }), nil)
			})
			k.Go("exporter", func(k *kernel.Task) {
				w.buf.Resv.Lock(k, nil)
				w.buf.MoveNotify(k)
				w.buf.Resv.Unlock(k)
			})
			k.Explore()
			say("listed %v told %v", listed, told)
			w.buf.Detach(k, a)
			w.buf.Put(k)
		})
		require.Equal(t, set("listed false told false", "listed false told true"), got)
	}},
	{"C-DBUF-17", func(t *testing.T) {
		fails(t, sim.Warn, "dma_buf_pin by a static importer", func(k *kernel.Task) {
			w, s := newSpied(k)
			a, _ := w.buf.Attach(k, w.dev)
			w.buf.Resv.Lock(k, nil)
			require.Equal(t, kernel.OK, a.Pin(k))
			require.Contains(t, s.names(), "pin", "it is called all the same")
			a.Unpin(k)
			w.buf.Resv.Unlock(k)
			w.buf.Detach(k, a)
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-19", func(t *testing.T) { // whom the CPU waits for
		for dir, want := range map[hw.Direction]Usage{hw.FromDevice: UsageWrite, hw.ToDevice: UsageRead, hw.Bidirectional: UsageRead} {
			for _, u := range []Usage{UsageKernel, UsageWrite, UsageRead, UsageBookkeep} {
				got := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
					w := newWorld(k)
					f := newFence(k, 1, 1)
					publish(k, &w.buf.Resv, f, u)
					k.Go("cpu", func(k *kernel.Task) {
						require.Equal(t, kernel.OK, w.buf.BeginCPUAccess(k, dir))
						say("%v", f.Signaled())
						require.Equal(t, kernel.OK, w.buf.EndCPUAccess(k, dir))
					})
					k.Go("device", func(k *kernel.Task) { f.Signal(k); f.Put(k) })
					k.Explore()
					w.buf.Put(k)
				})
				if u <= want {
					require.Equal(t, set("true"), got, "%s: %s", dir, u)
				} else {
					require.Equal(t, set("true", "false"), got, "%s: %s", dir, u)
				}
			}
		}
		passes(t, func(k *kernel.Task) { // a signal ends the wait
			w := newWorld(k)
			f := newFence(k, 1, 1)
			publish(k, &w.buf.Resv, f, UsageKernel)
			cpu := k.Go("cpu", func(k *kernel.Task) {
				require.Equal(t, kernel.ERESTARTSYS, w.buf.Sync(k, DMA_BUF_SYNC_READ))
			})
			k.Go("signal", func(k *kernel.Task) { k.SendSignal(cpu, false) })
			k.Explore()
			for _, bad := range []SyncFlags{0, 4, 8, 9} {
				require.Equal(t, kernel.EINVAL, w.buf.Sync(k, bad))
			}
			f.Signal(k)
			f.Put(k)
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-20", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			for _, pages := range []int{1, 3, 4} {
				bus := NewBus(k)
				bus.Memory.Chunk = 2
				m := NewMoving(k, bus, "vram", pages)
				size := m.Buf.Size
				a, _ := m.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), deafened, nil)
				for range 2 {
					sgt, err := a.MapUnlocked(k, hw.Bidirectional)
					require.Equal(t, kernel.OK, err)
					require.False(t, sgt.Unaligned())
					require.EqualValues(t, size, sgt.Len())
					a.UnmapUnlocked(k, sgt, hw.Bidirectional)
					m.Move(k)
					require.Equal(t, size, m.Buf.Size)
				}
				end, err := m.Buf.Llseek(0, SEEK_END)
				require.Equal(t, kernel.OK, err)
				require.EqualValues(t, size, end)
				_, err = m.Buf.Llseek(1, SEEK_SET)
				require.Equal(t, kernel.EINVAL, err)
				m.Buf.Detach(k, a)
				m.Buf.Put(k)
			}
			require.True(t, (&SgTable{Segments: []hw.Segment{{Addr: 0x1000, Len: 100}}}).Unaligned())
		})
	}},
	{"C-DBUF-21", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWorld(k)
			w.bus.FDs.Limit = 4
			fd, err := w.buf.FD(k)
			require.Equal(t, kernel.OK, err)
			require.Equal(t, 3, fd)
			got, err := w.bus.GetFD(k, fd)
			require.Equal(t, kernel.OK, err)
			require.Same(t, w.buf, got)
			_, err = w.buf.FD(k)
			require.Equal(t, kernel.EMFILE, err)
			require.Equal(t, kernel.OK, w.bus.FDs.Close(k, fd))
			k.Explore()
			require.False(t, w.buf.Released(k), "the caller of the failed call has its reference still")
			other, _ := w.bus.FDs.Install(k, "another file")
			_, err = w.bus.GetFD(k, other)
			require.Equal(t, kernel.EINVAL, err)
			require.Equal(t, kernel.OK, w.bus.FDs.Close(k, other))
			_, err = w.bus.GetFD(k, other)
			require.Equal(t, kernel.EBADF, err)
			require.Equal(t, kernel.EBADF, w.bus.FDs.Close(k, other))
			w.buf.Put(k)
		})
	}},
	{"C-DBUF-22", func(t *testing.T) {
		table := func(restore bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				bus := NewBus(k)
				bus.Memory.Chunk = 1
				m := NewMoving(k, bus, "vram", 3)
				dev := hw.NewIOMMU(k.Task, "dev0")
				dev.Configure(k.Task, hw.Config{Mode: hw.Passthrough, Memory: bus.Memory})
				a, _ := m.Buf.DynamicAttach(k, dev, deafened, nil)
				sgt, _ := a.MapUnlocked(k, hw.Bidirectional)
				require.Len(t, sgt.Segments, 3)
				require.Equal(t, hw.Bytes("vram", 0, 3*hw.PageSize), dev.DMA(k.Task, hw.ToDevice, sgt.Segments, nil), "in the order of the buffer")
				whole := sgt.Segments[0]
				sgt.Segments[0] = hw.Segment{Addr: whole.Addr + 512, Len: whole.Len - 512}
				require.Equal(t, hw.Bytes("vram", 512, 512), dev.DMA(k.Task, hw.ToDevice, []hw.Segment{{Addr: sgt.Segments[0].Addr, Len: 512}}, nil))
				if restore {
					sgt.Segments[0] = whole
				}
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				m.Buf.Detach(k, a)
				m.Buf.Put(k)
			}
		}
		passes(t, table(true))
		fails(t, sim.Misuse, "the table is not as it was handed out", table(false))
	}},
	{"C-DBUF-23", func(t *testing.T) {
		for _, p := range profiles {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = p
				w, s := newSpied(k)
				a, _ := w.buf.DynamicAttach(k, w.dev, deafened, nil)
				one, _ := a.MapUnlocked(k, hw.Bidirectional)
				two, _ := a.MapUnlocked(k, hw.FromDevice)
				require.NotSame(t, one, two)
				a.UnmapUnlocked(k, one, hw.Bidirectional)
				a.UnmapUnlocked(k, two, hw.FromDevice)
				require.Equal(t, []string{"attach", "map", "map", "unmap", "unmap"}, s.names())
				w.buf.Detach(k, a)
				// Of a static exporter that has its tables cached there was one table, once.
				s.caches = true
				a, _ = w.buf.Attach(k, w.dev)
				one, _ = a.MapUnlocked(k, hw.FromDevice)
				a.UnmapUnlocked(k, one, hw.FromDevice)
				two, err := a.MapUnlocked(k, hw.FromDevice)
				require.Equal(t, kernel.OK, err)
				a.UnmapUnlocked(k, two, hw.FromDevice)
				require.Equal(t, p == kernel.V6_12, one == two)
				w.buf.Detach(k, a)
				w.buf.Put(k)
			})
		}
	}},
})

var profiles = []kernel.Profile{kernel.V6_12, kernel.RFCBase, kernel.V7_3}

type notified func(k *kernel.Task, a *Attachment)

func (n notified) MoveNotify(k *kernel.Task, a *Attachment) { n(k, a) }

func TestBufferReferences(t *testing.T) {
	fails(t, kernel.RefcountMisuse, `fput of "vram.file" without a reference`, func(k *kernel.Task) {
		w := newWorld(k)
		w.buf.Put(k)
		w.buf.Put(k)
	})
	fails(t, kernel.UseAfterFree, `get_file of "vram.file", which has no reference left`, func(k *kernel.Task) {
		w := newWorld(k)
		w.buf.Put(k)
		w.buf.Get(k)
	})
	fails(t, kernel.DoubleFree, `dma_buf_unmap_attachment of "vram", which is not mapped`, func(k *kernel.Task) {
		w := newWorld(k)
		a := w.attach(k)
		w.buf.Resv.Lock(k, nil)
		a.Unmap(k, &SgTable{}, hw.Bidirectional)
	})
}

// What is left at the end of a run is found.
func TestBufferAuditor(t *testing.T) {
	fails(t, kernel.Leak, `file "vram.file" was never released; 1 reference(s) are left`, func(k *kernel.Task) { newWorld(k) })
	fails(t, kernel.Leak, `the reservation lock of "vram" is still held`, func(k *kernel.Task) {
		w := newWorld(k)
		w.buf.Put(k)
		k.Explore()
		w.buf.Resv.Lock(k, nil) // the first task is no task of the kernel's
	})
}

// Nothing may be done with an attachment that is gone, or a buffer that is.
func TestUseAfterDetach(t *testing.T) {
	for name, use := range map[string]func(k *kernel.Task, w *world, a *Attachment){
		"detach again": func(k *kernel.Task, w *world, a *Attachment) { w.buf.Detach(k, a) },
		"map": func(k *kernel.Task, w *world, a *Attachment) {
			w.buf.Resv.Lock(k, nil)
			sgt, _ := a.Map(k, hw.Bidirectional)
			a.Unmap(k, sgt, hw.Bidirectional)
			w.buf.Resv.Unlock(k)
		},
		"attach to a released buffer": func(k *kernel.Task, w *world, a *Attachment) {
			w.buf.Put(k)
			k.Explore()
			w.buf.Detach(k, w.attach(k))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := on.Run(func(k *kernel.Task) {
				w := newWorld(k)
				a := w.attach(k)
				w.buf.Detach(k, a)
				use(k, w, a)
				w.buf.Put(k)
			})
			require.NotNil(t, f)
			require.Equal(t, kernel.UseAfterFree, f.Kind, f.Message)
		})
	}
}
