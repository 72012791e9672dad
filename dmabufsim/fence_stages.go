package dmabufsim

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// twoStages is how far an importer has to be with a mapping after it was told of a move (R5).
// Until the fences have signalled that there were when move_notify returned, whoever published
// them, the device may use it. Then no more, but for reading ahead, which is no transfer here;
// and the mapping has to go.
type twoStages struct {
	teller sim.Place
	// left are those fences, from when known is set: when move_notify had returned.
	left  []*Fence
	known bool
}

// tell notes that the importer is being told of a move.
func (m *mapped) tell(t *kernel.Task) {
	if !m.told {
		m.told, m.teller = true, t.Place()
	}
}

// losing lists the mappings that the importer is being told of.
func (a *Attachment) losing() (out []int) {
	for i := range a.tables {
		if m := &a.tables[i]; m.told && !m.known {
			out = append(out, m.number)
		}
	}
	return out
}

// owes notes what the importer has to wait for with what it has not unmapped, now that it was
// told.
func (a *Attachment) owes() {
	for i := range a.tables {
		if m := &a.tables[i]; m.told && !m.known {
			m.left, m.known = a.Buf.Resv.unsignalled(UsageBookkeep), true
		}
	}
}

// over tells whether the device must not use the mapping any more.
func (m *mapped) over() bool {
	for _, f := range m.left {
		if !f.signaled {
			return false
		}
	}
	return m.known
}

// promised words the fence that stood for the use of the mapping, and when it signalled.
func (m *mapped) promised(a *Attachment) (what string, when []string) {
	what = "its importer left no fence that stands for that"
	when = []string{fmt.Sprintf("the mapping was made %s, and the importer was told of a move %s", m.made, m.teller)}
	for _, f := range m.left {
		if f.life.importer == a {
			what = fmt.Sprintf("%s, which stood for that, had signalled", f)
			when = append(when, fmt.Sprintf("%s was published %s, and signalled %s", f, f.life.published.Place, f.life.signalled))
		}
	}
	return what, when
}

// overused is R5 for a transfer through a mapping that must not be used any more.
func (m *mapped) overused(t *sim.Task, a *Attachment, came []string) {
	what, when := m.promised(a)
	t.FlagMinor(FenceRule, append(when, came...), "R5: %s uses its old mapping of %q, and %s", a.Dev.Device(), a.Buf.Name, what)
}

// late is R5 for what is mapped still when nothing happens by itself any more.
func (b *Bus) late(t *kernel.Task) {
	if t.K.NoFenceRules {
		return
	}
	for _, d := range b.buffers {
		for _, a := range d.attachments {
			for i := range a.tables {
				if m := &a.tables[i]; m.over() {
					_, when := m.promised(a)
					t.FlagMinor(FenceRule, when, "R5: the old mapping of %q for %s is still there when all tasks have ended: nothing makes its importer unmap it", d.Name, a.Dev.Device())
				}
			}
		}
	}
}
