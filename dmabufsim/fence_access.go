package dmabufsim

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Two rules are about what a device does through a mapping: it waits for the KERNEL fences
// that were there when the mapping was made (R8), and what it does after an invalidation has to
// be over before the importer's fence signals, by necessity and not by luck (R7).

// access is a transfer through a mapping whose importer had been told of a move.
type access struct {
	a     *Attachment
	event int
	place sim.Place
}

// watch has transfers of the attachment's device looked at.
func (s *fenceCore) watch(t *kernel.Task, a *Attachment) {
	k := t.K
	if k.NoFenceRules || a.Dev == nil || !a.Dynamic() {
		return
	}
	if s.devices == nil {
		s.devices = map[*hw.IOMMU][]*Attachment{}
	}
	s.devices[a.Dev] = append(s.devices[a.Dev], a)
	a.Dev.Watch = func(t *sim.Task, segs []hw.Segment) { s.transfer(t, s.devices[a.Dev], segs) }
}

// unwatch forgets an attachment.
func (s *fenceCore) unwatch(a *Attachment) {
	if s.devices == nil {
		return
	}
	s.devices[a.Dev] = slices.DeleteFunc(s.devices[a.Dev], func(b *Attachment) bool { return a == b })
}

// transfer is called with each transfer of a device.
func (s *fenceCore) transfer(t *sim.Task, attached []*Attachment, segs []hw.Segment) {
	for _, a := range attached {
		for i := range a.tables {
			m := &a.tables[i]
			if !m.covers(segs) {
				continue
			}
			if m.told {
				s.accesses = append(s.accesses, access{a, len(t.Machine().Events()) - 1, t.Place()})
			}
			for _, f := range m.wait {
				if !f.signaled {
					t.FlagMinor(FenceRule, nil, "R8: %s uses its mapping of %q, and the KERNEL %s, which was there when it was made, has not signalled", a.Dev.Device(), a.Buf.Name, f)
				}
			}
			return
		}
	}
}

// covers tells whether a transfer is one through the table.
func (m *mapped) covers(segs []hw.Segment) bool {
	if len(segs) == 0 {
		return false
	}
	at := segs[0].Addr
	return slices.ContainsFunc(m.was, func(s hw.Segment) bool { return s.Addr <= at && at < s.Addr+hw.BusAddr(s.Len) })
}

// checkAccesses is R7, for a fence that an importer published when it was told of a move.
func (f *Fence) checkAccesses(t *kernel.Task, s *fenceCore) {
	for i := range s.accesses {
		x := &s.accesses[i]
		if x.a != f.life.importer || x.event < f.life.published.Event() || t.Ordered(x.event) {
			continue
		}
		t.FlagMinor(FenceRule, nil, "R7: %s used its old mapping of %q %s, and nothing orders that before the signal of %s", x.a.Dev.Device(), x.a.Buf.Name, x.place, f)
	}
}

// unsignalled lists the fences of the usage, and of stronger ones, that have not signalled, as
// the holder of the lock sees them without asking anybody.
func (r *Resv) unsignalled(u Usage) (out []*Fence) {
	if r.fences == nil {
		return nil
	}
	for _, e := range r.fences.entries {
		if e.usage <= u && !e.fence.signaled {
			out = append(out, e.fence)
		}
	}
	return out
}
