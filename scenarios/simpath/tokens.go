package simpath

import (
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
	"dmasim/uringsim/workload"
)

// registerTokens is a registration with dma-bufs among its entries. A table is made with ordinary
// entries only, so theirs come first, with the slots of the others empty, and then each of those
// is updated. What is wrong is found with nothing registered, as without dma-bufs.
func (m *machine) registerTokens(entries []uringsim.RegBuffer) int64 {
	plain := make([]uringsim.RegBuffer, len(entries))
	for i, e := range entries {
		if plain[i] = e; e.DmaBuf != nil {
			plain[i] = uringsim.RegBuffer{Iovec: &iter.Iovec{}}
		}
	}
	if err := m.ring.RegisterBuffers(m.t, plain); err != kernel.OK {
		return iter.Neg(err)
	}
	for i, e := range entries {
		if e.DmaBuf == nil {
			continue
		}
		if _, err := m.ring.UpdateBuffers(m.t, uint32(i), uringsim.IORING_RSRC_F_EXTENDED_UPDATE, entries[i:i+1]); err != kernel.OK {
			m.ring.UnregisterBuffers(m.t)
			return iter.Neg(err)
		}
	}
	return 0
}

// slotBase is the address that the buffer of a slot would have as ordinary memory; one that is
// a dma-buf begins at 0.
func (m *machine) slotBase(slot int) uint64 {
	buf := m.ring.DmaBufAt(slot)
	for i := range m.buffers {
		if buf != nil && m.buffers[i].dmabuf == buf {
			return viewAt(i, workload.Plain)
		}
	}
	return 0
}

// move has a driver move the buffers while the program runs.
func (m *machine) move(t *kernel.Task) {
	for i := range m.buffers {
		b, moves := m.buffers[i].moving, m.movesOf(i)
		if len(moves) == 0 {
			continue
		}
		t.Go("exporter", func(t *kernel.Task) {
			for _, v := range moves {
				t.Await("program gets so far", &m.progress, sim.Read, func() bool { return m.calls >= v.After })
				if v.Pipelined {
					b.MovePipelined(t)
				} else {
					b.Move(t)
				}
			}
		})
	}
}

func (m *machine) movesOf(buf int) []Move {
	var out []Move
	for _, v := range m.o.Moves {
		if v.Buf == buf && m.o.Design != nil {
			out = append(out, v)
		}
	}
	return out
}

// called notes a call of the program.
func (m *machine) called() {
	if len(m.o.Moves) > 0 {
		m.t.Step(sim.Op{Verb: "next call", Obj: &m.progress})
	}
	m.calls++
}

// ForTokens leaves of a workload what gives the same results with dma-bufs as with ordinary
// buffers: see the package's list of differences. The traits are those of the real file.
func ForTokens(w *workload.Workload, t workload.Traits) *workload.Workload {
	out := &workload.Workload{Buffers: w.Buffers, Size: w.Size, File: w.File}
	for _, o := range w.Ops {
		o.Regions = whole(o.Regions, w.Size)
		if o.Transfer() {
			narrow(&o, w, t)
		}
		if o.Kind == workload.Cancel {
			o = workload.Op{Kind: workload.Nop}
		}
		ops := out.Ops
		if out.Ops = append(ops, o); out.Validate(t) != nil { // it races now
			if out.Ops = append(ops, workload.Op{Kind: workload.Wait}, o); out.Validate(t) != nil {
				out.Ops = ops
			}
		}
	}
	return out
}

// narrow makes a transfer one that a dma-buf and a bare drive do like a buffer and a file, or a
// nop.
func narrow(o *workload.Op, w *workload.Workload, t workload.Traits) {
	o.Mem.At &^= max(t.Mem, hw.SectorSize) - 1
	if unit := max(t.Block, hw.SectorSize); !t.Direct || !t.Strict || unit != nvmesim.LogicalBlock {
		o.Off -= o.Off % unit
		o.Mem.Len -= o.Mem.Len % unit
	}
	if !o.ToFile() && o.Off < w.File {
		o.Mem.Len = min(o.Mem.Len, w.File-o.Off)
	}
	if !o.Fixed() || o.Mem.Len == 0 || o.To == workload.ReadOnlyFile && !o.ToFile() || o.To == workload.ADmaBuf {
		*o = workload.Op{Kind: workload.Nop}
	}
}

// whole widens what is registered of a buffer to all of it: a dma-buf is registered as a whole.
func whole(regions []workload.Region, size int64) []workload.Region {
	var out []workload.Region
	for _, r := range regions {
		if r.View == workload.Plain && r.Len > 0 && r.At+r.Len <= size {
			r.At, r.Len = 0, size
		}
		out = append(out, r)
	}
	return out
}
