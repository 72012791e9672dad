package dmabufsim

import (
	"fmt"
	"slices"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Two rules are about what a device does through a mapping: it waits for the KERNEL fences
// that were there when the mapping was made (R8), and what it does after an invalidation has to
// be over before the importer's fence signals, by necessity and not by luck (R7).

// access is a transfer through a mapping.
type access struct {
	through int // the number of the mapping
	event   int
	phase   sim.Phase // what was in an earlier one is over
	place   sim.Place
	came    []string // how it came about, in a traced run
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

// lastEvent is the last event of a task, or the one that created it. The present operation need not be
// one: those on objects that an exploration hides are none.
func lastEvent(t *sim.Task) int {
	events := t.Machine().Events()
	for i := len(events) - 1; i >= t.Born(); i-- {
		if events[i].Task == t {
			return i
		}
	}
	return max(t.Born()-1, 0)
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
	a, m := through(attached, segs)
	if m == nil {
		return
	}
	x := access{m.number, lastEvent(t), t.Machine().Phase(), t.Place(), nil}
	if t.Tracing() {
		x.came = cameToUse(t, a)
	}
	s.accesses = append(s.accesses, x)
	if m.over() {
		m.overused(t, a, x.came)
	}
	for _, f := range m.wait {
		if f.signaled {
			continue
		}
		var detail []string
		if t.Tracing() {
			detail = append([]string{
				fmt.Sprintf("KERNEL %s was published %s", f, f.life.published.Place),
				fmt.Sprintf("the mapping was made %s, with the fence there; to use it has to wait for that", m.made),
			}, cameToUse(t, a)...)
		}
		t.FlagMinor(FenceRule, detail, "R8: %s uses its mapping of %q, and the KERNEL %s, which was there when it was made, has not signalled", a.Dev.Device(), a.Buf.Name, f)
	}
}

// cameToUse words how a device came to its present transfer.
func cameToUse(t *sim.Task, a *Attachment) []string {
	k := t.Machine().Value.(*kernel.Kernel)
	return append(k.Came(t), fmt.Sprintf("%s used the mapping, %s", a.Dev.Device(), t.Place()))
}

// through is the mapping that a transfer goes through. Where bus addresses are physical ones an
// old mapping and a new one of the same pages have the same: then it is the new one.
func through(attached []*Attachment, segs []hw.Segment) (by *Attachment, m *mapped) {
	for _, a := range attached {
		for i := range a.tables {
			if n := &a.tables[i]; n.covers(segs) && (m == nil || m.told) {
				by, m = a, n
			}
		}
	}
	return by, m
}

// covers tells whether a transfer is one through the table.
func (m *mapped) covers(segs []hw.Segment) bool {
	if len(segs) == 0 {
		return false
	}
	at := segs[0].Addr
	return slices.ContainsFunc(m.was, func(s hw.Segment) bool { return s.Addr <= at && at < s.Addr+hw.BusAddr(s.Len) })
}

// unordered lists the transfers through a mapping that nothing orders before the present point of
// t: whenever they came in this run, they could have come after it.
func (s *fenceCore) unordered(t *kernel.Task, number int) (out []*access) {
	var past []bool
	for i := range s.accesses {
		x := &s.accesses[i]
		if x.through != number || x.phase != t.Machine().Phase() {
			continue
		}
		if past == nil {
			past = t.Machine().Past(lastEvent(t.Task))
		}
		if !past[x.event] {
			out = append(out, x)
		}
	}
	return out
}

// checkAccesses is R7, for a fence that an importer published when it was told of a move: what
// uses the old mappings has to be over before the fence signals.
func (f *Fence) checkAccesses(t *kernel.Task, s *fenceCore, cone *kernel.Cone) {
	for _, number := range f.life.mappings {
		for _, x := range s.unordered(t, number) {
			var detail []string
			if t.Tracing() {
				detail = f.waitedFor(t, cone)
				for _, l := range x.came {
					detail = append(detail, "and not on: "+l)
				}
			}
			a := f.life.importer
			t.FlagMinor(FenceRule, detail, "R7: %s used its old mapping of %q %s, and nothing orders that before the signal of %s", a.Dev.Device(), a.Buf.Name, x.place, f)
		}
	}
}

// waitedFor words what a fence that was published when an importer was told of a move did wait
// for.
func (f *Fence) waitedFor(t *kernel.Task, cone *kernel.Cone) []string {
	out := []string{fmt.Sprintf("%s was published %s, when the importer was told of a move, and is signalled %s", f, f.life.published.Place, t.Place())}
	for _, l := range cone.Links() {
		if l.How != "" {
			out = append(out, "the signal depended on: "+l.How)
		}
	}
	return out
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
