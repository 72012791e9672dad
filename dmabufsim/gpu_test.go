package dmabufsim

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Every kind of driver by itself: contents are kept over evictions and restores, and room is
// given back.
func TestPresetsAlone(t *testing.T) {
	for _, p := range Presets() {
		t.Run(p.Name, func(t *testing.T) {
			require.NotEmpty(t, p.Doc)
			passes(t, func(k *kernel.Task) {
				bus := NewBus(k)
				g := NewGPU(k, bus, "gpu", 2, p.Policy)
				b := g.Export(k, "bo", 2, VRAM)
				require.Nil(t, g.Export(k, "more", 1, VRAM), "no room")
				home := b.Backing()
				var away []*hw.Page
				k.Go("mover", func(k *kernel.Task) {
					require.Equal(t, kernel.OK, b.Move(k, System))
				})
				k.Explore()
				away = b.Backing()
				require.Equal(t, System, b.Place())
				require.Nil(t, away[0].Region)
				require.Equal(t, hw.Bytes("bo", 0, 2*hw.PageSize), hw.Peek(away, 0, 2*hw.PageSize))
				switch p.Old {
				case ToOther:
					require.Equal(t, "evicted", home[0].Owner)
					require.Zero(t, g.Free())
				case Unused:
					require.Equal(t, "", home[0].Owner)
					require.Zero(t, g.Free())
				case Back:
					require.Equal(t, 2, g.Free())
				}
				if p.Old == Back {
					require.Equal(t, kernel.OK, b.Move(k, VRAM))
					b.Buf.Resv.Lock(k, nil)
					waitAll(k, b.busy(k))
					b.Buf.Resv.Unlock(k)
					require.Equal(t, home, b.Backing(), "where it was before")
					require.Equal(t, hw.Bytes("bo", 0, 2*hw.PageSize), hw.Peek(home, 0, 2*hw.PageSize))
				}
				b.Buf.Put(k)
			})
		})
	}
}

// Two moves at a time are two moves one after the other, whatever the kind.
func TestPresetsMoveInParallel(t *testing.T) {
	for _, p := range Presets() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
				g := NewGPU(k, NewBus(k), "gpu", 1, p.Policy)
				b := g.Export(k, "bo", 1, System)
				k.Go("one", func(k *kernel.Task) { b.Move(k, System) })
				k.Go("two", func(k *kernel.Task) { b.Move(k, VRAM) })
				k.Explore()
				require.Equal(t, hw.Bytes("bo", 0, hw.PageSize), hw.Peek(b.Backing(), 0, hw.PageSize))
				require.Equal(t, b.pages, b.Backing())
				b.Buf.Put(k)
			})
		})
	}
}

// Room is made by evicting what was used least recently, and what is pinned or locked stays.
func TestMakeRoom(t *testing.T) {
	room := func(prepare func(k *kernel.Task, bos []*BufferObject), want kernel.Errno, places ...Placement) {
		t.Helper()
		passes(t, func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 3, Policy{WaitFor: UsageBookkeep, Old: Back})
			var bos []*BufferObject
			for i := range 3 {
				bos = append(bos, g.Export(k, fmt.Sprintf("bo%d", i), 1, VRAM))
			}
			prepare(k, bos)
			require.Equal(t, want, g.MakeRoom(k, 1))
			for i, p := range places {
				require.Equal(t, p, bos[i].Place(), i)
			}
			for _, b := range bos {
				if b.Buf.Resv.Held(k) {
					b.Buf.Resv.Unlock(k)
				}
				b.pins = 0
				b.Buf.Put(k)
			}
		})
	}
	pin := func(k *kernel.Task, b *BufferObject) { b.pins++ }
	room(func(k *kernel.Task, bos []*BufferObject) {}, kernel.OK, System, VRAM, VRAM)
	room(func(k *kernel.Task, bos []*BufferObject) { pin(k, bos[0]) }, kernel.OK, VRAM, System, VRAM)
	room(func(k *kernel.Task, bos []*BufferObject) { pin(k, bos[0]); bos[1].Buf.Resv.Lock(k, nil) }, kernel.OK, VRAM, VRAM, System)
	room(func(k *kernel.Task, bos []*BufferObject) { pin(k, bos[0]); pin(k, bos[1]); pin(k, bos[2]) }, kernel.ENOSPC, VRAM, VRAM, VRAM)
}

// The driver's own jobs: implicit synchronisation, and moves that wait for them whatever class
// they wait for otherwise.
func TestJobs(t *testing.T) {
	jobs := func(p Policy, spoil bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 1, p)
			b := g.Export(k, "bo", 1, VRAM)
			require.Equal(t, kernel.OK, b.Submit(k, Job{Write: true, Run: func(k *kernel.Task, pages []*hw.Page) {
				hw.Store(k.Task, pages, 0, hw.Bytes("shader", 0, 8))
			}}))
			if spoil {
				b.forget(k)
			}
			k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
			k.Go("second job", func(k *kernel.Task) {
				b.Submit(k, Job{Run: func(k *kernel.Task, pages []*hw.Page) {
					if d := hw.Load(k.Task, pages, 0, 8); !d.Equal(hw.Bytes("shader", 0, 8)) {
						k.Fail(hw.DataCorruption, "the second job read %v", d)
					}
				}})
			})
			k.Explore()
			b.Buf.Put(k)
		}
	}
	for _, p := range Presets() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			on.Survives(t, explore.NewDPOR(), jobs(p.Policy, false))
		})
	}
	// One that waits for too little of its own moves under a running job.
	on.Finds(t, explore.NewDPOR(), jobs(Policy{WaitFor: UsageKernel}, true), hw.StaleDMA, hw.DataCorruption)
}

// Whom the CPU waits for: a write job, but not a read one for reading.
func TestJobFences(t *testing.T) {
	for _, write := range []bool{false, true} {
		got := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			g := NewGPU(k, NewBus(k), "gpu", 1, Policy{WaitFor: UsageBookkeep})
			b := g.Export(k, "bo", 1, VRAM)
			done := simtest.NewVar(k, false)
			b.Submit(k, Job{Write: write, Run: func(k *kernel.Task, _ []*hw.Page) { done.Set(k, true) }})
			k.Go("cpu", func(k *kernel.Task) {
				b.Buf.BeginCPUAccess(k, hw.FromDevice)
				say("%v", done.Get(k))
			})
			k.Explore()
			b.Buf.Put(k)
		})
		if write {
			require.Equal(t, set("true"), got)
		} else {
			require.Equal(t, set("true", "false"), got)
		}
	}
}

// A job that hangs is killed after its timeout, and who waits for it goes on. A driver that kills
// nothing hangs with it.
func TestHungJob(t *testing.T) {
	hang := func(timeout kernel.Jiffies) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 1, Policy{WaitFor: UsageBookkeep, Timeout: timeout})
			b := g.Export(k, "bo", 1, VRAM)
			b.Submit(k, Job{Write: true, Hangs: true})
			var hung *Fence
			for f := range lockedFences(k, b) {
				hung = f.Get(k)
			}
			k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
			k.Explore()
			require.Equal(t, System, b.Place())
			require.Equal(t, -int(kernel.ETIME), hung.GetStatus(k))
			hung.Put(k)
			b.Buf.Put(k)
		}
	}
	passes(t, hang(1000))
	fails(t, sim.LostWakeup, "exporter", hang(0))
}

func lockedFences(k *kernel.Task, b *BufferObject) map[*Fence]Usage {
	out := map[*Fence]Usage{}
	b.Buf.Resv.Lock(k, nil)
	for f, u := range b.Buf.Resv.Fences(k, UsageBookkeep) {
		out[f] = u
	}
	b.Buf.Resv.Unlock(k)
	return out
}

// What is released with fences of any class on it is deleted once they have signalled.
func TestDelayedDelete(t *testing.T) {
	for _, u := range []Usage{UsageKernel, UsageWrite, UsageRead, UsageBookkeep} {
		on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
			bus := NewBus(k)
			g := NewGPU(k, bus, "gpu", 1, Policy{WaitFor: UsageBookkeep})
			b := g.Export(k, "bo", 1, VRAM)
			f := newFence(k, 1, 1)
			publish(k, &b.Buf.Resv, f, u)
			k.Go("user", func(k *kernel.Task) { b.Buf.Put(k) })
			k.Go("job", func(k *kernel.Task) {
				step(k)
				require.Equal(t, "bo", b.pages[0].Owner, "as long as there is a fence")
				f.Signal(k)
				f.Put(k)
			})
			k.Explore()
			require.Equal(t, "", b.pages[0].Owner)
			require.Equal(t, 1, g.Free())
		})
	}
}

// Of one slot that was reserved before the importers were told nothing is left when they have
// added fences of their own: reservations do not add up. With few importers the table has room
// to spare, and nobody notices.
func TestReservedFirst(t *testing.T) {
	crowd := func(n int, first bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 0, Policy{WaitFor: UsageBookkeep, Wait: Pipelined, ReserveFirst: first})
			b := g.Export(k, "bo", 1, System)
			var all []*importer
			for n := range n {
				i := (&importer{}).attach(k, b.Buf, hw.NewIOMMU(k.Task, fmt.Sprintf("dev%d", n)))
				i.read(k)
				all = append(all, i)
			}
			k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
			k.Explore()
			for _, i := range all {
				i.close(k)
			}
			b.Buf.Put(k)
		}
	}
	passes(t, crowd(4, true))
	passes(t, crowd(5, false))
	fails(t, sim.Bug, "no slot was reserved (5 fences, room for 5)", crowd(5, true))
}

// A pin waits until all moves are over, and ends them.
func TestPin(t *testing.T) {
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
		g := NewGPU(k, NewBus(k), "gpu", 1, Policy{WaitFor: UsageBookkeep, Wait: Pipelined})
		b := g.Export(k, "bo", 1, VRAM)
		a, _ := b.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), deafened, nil)
		k.Go("importer", func(k *kernel.Task) {
			b.Buf.Resv.Lock(k, nil)
			require.Equal(t, kernel.OK, a.Pin(k))
			b.Buf.Resv.Unlock(k)
			require.Equal(t, System, b.Place(), "where the importer reaches it")
			require.Equal(t, hw.Bytes("bo", 0, hw.PageSize), hw.Peek(b.pages, 0, hw.PageSize), "and it has arrived")
			require.Equal(t, kernel.EBUSY, b.Move(k, VRAM))
			b.Buf.Resv.Lock(k, nil)
			a.Unpin(k)
			b.Buf.Resv.Unlock(k)
		})
		k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
		k.Explore()
		b.Buf.Detach(k, a)
		b.Buf.Put(k)
	})
}

// The CPU's mapping follows the buffer.
func TestMmapOfWhatMoves(t *testing.T) {
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
		g := NewGPU(k, NewBus(k), "gpu", 2, Policy{WaitFor: UsageBookkeep, Wait: Pipelined})
		b := g.Export(k, "bo", 2, VRAM)
		v, err := b.Buf.Mmap(k, 2*hw.PageSize, 0, true)
		require.Equal(t, kernel.OK, err)
		k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
		k.Go("cpu", func(k *kernel.Task) {
			d, err := v.Load(k, hw.PageSize+4, 8)
			require.Equal(t, kernel.OK, err)
			if !d.Equal(hw.Bytes("bo", hw.PageSize+4, 8)) {
				k.Fail(hw.DataCorruption, "the cpu read %v", d)
			}
		})
		k.Explore()
		v.Unmap(k)
		b.Buf.Put(k)
	})
}
