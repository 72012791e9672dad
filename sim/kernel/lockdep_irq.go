package kernel

import "fmt"

// An interrupt that takes a spinlock must not come while its CPU holds it. So a lock that
// is taken in an interrupt must be taken with that interrupt disabled everywhere else
// (C-CTX-04), and so must each lock that is taken with such a one held: else the holder of
// the inner lock is interrupted, and the interrupt waits for the outer one, whose holder
// waits for the inner one.

// line is a kind of interrupt.
type line uint8

const (
	hardirqs line = iota
	softirqs
	lines
)

func (l line) String() string { return [...]string{"hardirq", "softirq"}[l] }

// lineUse is how a spinlock was used with regard to a kind of interrupt: taken inside one,
// and held with them enabled. Both together, in one class, are wrong.
type lineUse struct{ inside, enabled *use }

// usages knows the classes of spinlocks that are taken in interrupts.
type usages struct {
	inside   [lines][]*LockClass
	reported bool
}

// usedAs notes in which contexts a spinlock is taken. A lock that was tried for, and did
// not wait, has no use inside.
func (t *Task) usedAs(d *lockDep, how acquiring) {
	c := d.class
	if t.K.Lockdep.Off || c.reported {
		return
	}
	changed := false
	mark := func(l line, inside bool) bool {
		u := &c.used[l].enabled
		if inside {
			u = &c.used[l].inside
		}
		if *u != nil {
			return false
		}
		v := t.use()
		*u, changed = &v, true
		t.K.Lockdep.shows(c.hash, uint64(2*int(l)+boolInt(inside)))
		return true
	}
	inside := func(l line) {
		if how != trying && mark(l, true) {
			u := &t.K.Lockdep.usage
			u.inside[l] = append(u.inside[l], c)
		}
	}
	switch {
	case t.ctx == InHardirq:
		inside(hardirqs)
	case t.ctx >= InSoftirq:
		inside(softirqs)
	}
	if t.ctx != InHardirq && !t.irqsOff {
		mark(hardirqs, false)
		if t.ctx < InSoftirq && t.bh == 0 {
			mark(softirqs, false)
		}
	}
	if !changed {
		return
	}
	for l, u := range c.used {
		if u.inside == nil || u.enabled == nil || c.reported {
			continue
		}
		c.reported = true
		what := line(l).String()
		detail := append(u.tell(c, line(l)), t.circumstances()...)
		t.Flag(LockOrder, detail, "inconsistent lock state: %s is taken in %s context, and elsewhere with %ss enabled", d.name, what, what)
	}
	t.safeToUnsafe()
}

// safeToUnsafe looks for a way from a lock that interrupts take to one that is held with
// them enabled.
func (t *Task) safeToUnsafe() {
	ld := &t.K.Lockdep
	for l, inside := range ld.usage.inside {
		for _, c := range inside {
			if ld.usage.reported {
				return
			}
			way := ld.wayTo(&c.lockNode, func(n *lockNode) bool { return n.class != c && n.class.used[l].enabled != nil })
			if way == nil {
				continue
			}
			ld.usage.reported = true
			arcs := t.arcs(way)
			last := way[len(way)-1].to.class
			detail := append(c.used[l].tell(c, line(l)), last.used[l].tell(last, line(l))...)
			t.Flag(LockOrder, append(detail, chain(arcs)...), "%[1]s-safe -> %[1]s-unsafe lock order: %[2]s -> %[3]s", line(l), names(arcs), last.name)
		}
	}
}

func (u lineUse) tell(c *LockClass, l line) (out []string) {
	if u.inside != nil {
		out = append(out, c.tell(l, true, u.inside))
	}
	if u.enabled != nil {
		out = append(out, c.tell(l, false, u.enabled))
	}
	return out
}

// tell words one use of the locks of a class.
func (c *LockClass) tell(l line, inside bool, u *use) string {
	if inside {
		return fmt.Sprintf("%s is taken in %s context %s", c.name, l, u.place)
	}
	return fmt.Sprintf("%s is held with %ss enabled %s", c.name, l, u.place)
}
