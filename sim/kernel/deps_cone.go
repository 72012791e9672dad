package kernel

import (
	"slices"
	"strings"

	"dmasim/sim"
)

// Cone is what a point of the run depended on, back to another one: if any of it had not
// come about, neither had the point. That is what the task did before, in its order, and of
// others what they did before they created the task, ended a wait of it, or dropped their
// references of what it dropped the last one of. The latter only from where they took
// theirs.
//
// That a lock was waited for is no part of it, since its holder would have come later just
// as well; nor is what began something that was only in the way; nor is a grace period. An order of locks
// is the business of Lockdep.
type Cone struct {
	Notes  []Dep
	m      *sim.Machine
	births []birth
	edges  [][]int32
	parts  []part
	// careful leaves out what came before an earlier access to what was waited for: it may
	// have been where that was taken.
	careful bool
	wait    int32 // the event of the wait that it is the cone of, -1 for none
	low     int32 // the operation that it goes back to
	begun   int32 // the last operation of the set-up: what that created was there before
}

// Dep is something that was depended on.
type Dep struct {
	*Note
	part int32
}

// part is a stretch of a task that belongs to a cone: what it did before its operation at.
type part struct {
	task *sim.Task
	at   int32
	near int32 // the first of its operations that it turned out to be needed up to
	how  hop
	by   int32 // the part that depended on this one, -1 for the point itself
	from int32 // the event of that part that did, of a wait
	// notes is how many notes there were where it ends, if that is known.
	notes int32
	// ref is what the task held a reference of, if it is in the cone for that reference only.
	ref *sim.Object
	// took is set if it is known where that was taken.
	took bool
	// kills is set if that is the first reference, which comes with the object, and which nobody takes: it
	// is there for whoever kills first. A waiter that kills what is not dead yet needs nobody for that.
	kills bool
	// own is set of what is done on behalf of nobody, within what is done on behalf of somebody.
	own bool
	// inTheWay is set of what had to be over first, see waitsItsTurn.
	inTheWay bool
}

// hop is how one part of a cone depends on another.
type hop uint8

const (
	itself hop = iota
	created
	woke
	put
	handed
)

// coneScratch is memory of cones that is used again.
type coneScratch struct {
	active [][]int32 // by task, the parts that it is in
	used   []int32
	wants  []want
	marks  []mark
	refs   []refWait
}

// mark is a part that begins at an event, or the creation of a task that is in the cone.
type mark struct {
	part  part
	child *sim.Task
}

// want is a wait that did not have to wait, for something that was done before.
type want struct {
	obj  *sim.Object
	by   int32
	from int32
}

// refWait is a reference count whose last put is in the cone.
type refWait struct {
	obj  *sim.Object
	by   int32
	from int32
}

// noWait are the types of objects that are waited for and that no cone follows: gates are opened by
// a test.
func noWait(o *sim.Object, verb string) bool {
	switch o.Type {
	case "mutex", "spinlock", "ww_mutex", "rcu", "gate":
		return true
	case "fence":
		return !strings.HasPrefix(verb, "dma_fence_wait") && !strings.HasPrefix(verb, "dma_fence_default_wait")
	}
	return false
}

// waitsItsTurn tells whether an operation waits until others are out of the way: works, where there is
// no worker for all, and commands whose data a drive transfers when it is disabled. Had they not been
// begun, nobody would have waited: whoever began them was not needed.
func waitsItsTurn(verb string) bool { return verb == "run work" || verb == "disable controller" }

// letsPass tells whether w took a work away that e, which runs another one, had to wait for: without that the
// former would have run first.
func letsPass(w, e *sim.Event) bool {
	return e.Verb == "run work" && w.Obj != e.Obj && (w.Verb == "mod_delayed_work" || strings.HasPrefix(w.Verb, "cancel_"))
}

// once are the types whose waits depend on what was done before them, too: what has
// happened, stays so.
func once(o *sim.Object) bool { return o.Type == "fence" || o.Type == "completion" }

// ends tells whether a write to what is waited for may be what ended the wait: of a fence only its
// signal does.
func ends(e *sim.Event) bool {
	return e.Obj.Type != "fence" || strings.HasPrefix(e.Verb, "dma_fence_signal")
}

// supply are the types of what tasks wait for one of, and which somebody else has taken before
// and gives back.
func supply(o *sim.Object) bool { return o.Type == "tags" || o.Type == "mempool" }

// named are the types whose operations say by name whether they take or drop a reference.
// Of others each access may be one.
func named(o *sim.Object) bool { return o.Type == "percpu_ref" || o.Type == "refcount" }

func takes(verb string) bool {
	return strings.HasPrefix(verb, "percpu_ref_get") || strings.HasPrefix(verb, "percpu_ref_tryget") || strings.HasPrefix(verb, "refcount_inc") ||
		verb == "get tag" || verb == "mempool_alloc"
}

func kills(verb string) bool { return strings.HasPrefix(verb, "percpu_ref_kill") }

func drops(verb string) bool {
	return strings.HasPrefix(verb, "percpu_ref_put") || kills(verb) ||
		strings.HasPrefix(verb, "refcount_dec") || strings.HasPrefix(verb, "refcount_sub")
}

// DependsOn is what the present point of t depends on since the mark.
func (t *Task) DependsOn(since Point) *Cone {
	m := t.Machine()
	return t.K.coneOf(m, t.Task, len(m.Events())-1, int32(m.Ops())+1, since)
}

// coneOf is what task did before its operation at depended on; event is its last up to there.
func (k *Kernel) coneOf(m *sim.Machine, task *sim.Task, event int, at int32, since Point) *Cone {
	c := &Cone{m: m, low: since.op, wait: -1}
	return k.grow(c, part{task: task, at: at, by: -1}, event, since)
}

// grow makes the cone of a part.
func (k *Kernel) grow(c *Cone, root part, event int, since Point) *Cone {
	m := c.m
	events := m.Events()
	if m.Phase() != sim.PhaseSetup {
		if from, _ := m.Explored(); from > 0 && from <= len(events) {
			c.begun = events[from-1].Op
		}
	}
	s := &k.Deps.cone
	for _, t := range s.used {
		s.active[t] = s.active[t][:0]
	}
	s.used, s.wants, s.marks, s.refs = s.used[:0], s.wants[:0], s.marks[:0], s.refs[:0]
	for len(s.active) < len(m.Tasks()) {
		s.active = append(s.active, nil)
	}
	notes := k.Deps.notes
	n := len(notes)
	c.births, c.edges = k.Deps.births, k.Deps.edges
	c.enter(s, root)
	for i := event; i >= since.event && i >= 0; i-- {
		e := &events[i]
		c.begin(s, e)
		for ; n > since.notes && notes[n-1].Event >= int32(i); n-- {
			if notes[n-1].Event == int32(i) {
				c.take(s, notes, n-1)
			}
		}
		c.follow(s, e, int32(i))
	}
	slices.Reverse(c.Notes)
	return c
}

// take adds a note if it belongs to a part.
func (c *Cone) take(s *coneScratch, notes []Note, n int) {
	note := &notes[n]
	active := s.active[note.Task.Index()]
	switch note.Kind {
	case NoteBehalf:
		c.handBack(s, note, int32(n))
		return
	case NoteOver:
		return
	}
	for _, by := range active {
		p := &c.parts[by]
		if note.Op > p.at || note.Op == p.at && note.Kind != NoteLast && n >= int(p.notes) {
			continue
		}
		if note.Kind == NoteLast && p.near > note.until {
			continue
		}
		c.Notes = append(c.Notes, Dep{note, by})
		if note.Kind == NoteLast {
			// Whoever dropped the last one need not have been the one that did.
			s.refs = append(s.refs, refWait{note.obj, by, note.Event})
			for j, a := range active {
				p := c.parts[a]
				if p.near > note.until {
					continue
				}
				p.ref, p.at, p.near = note.obj, note.Op+1, note.Op+1
				p.kills = kills(c.m.Events()[note.Event].Verb)
				c.parts = append(c.parts, p)
				active[j] = int32(len(c.parts) - 1)
			}
		}
		return
	}
}

// handBack goes on with who handed over what was done from a note on. Of what was only in the way nobody is needed.
func (c *Cone) handBack(s *coneScratch, note *Note, n int32) {
	ti := note.Task.Index()
	for _, a := range slices.Clone(s.active[ti]) {
		p := c.parts[a]
		if p.own || p.inTheWay || p.near > note.until || note.Op > p.near || note.Op == p.near && n >= p.notes && !c.besides(&p, note) {
			continue
		}
		if p.near == note.until && p.notes >= note.before {
			continue // by the same operation, and later
		}
		if note.behalf.Place.Task == nil {
			c.parts[a].own = true
			continue
		}
		s.active[ti] = slices.DeleteFunc(s.active[ti], func(b int32) bool { return b == a })
		from := &note.behalf
		c.enter(s, part{task: from.Place.Task, at: from.op, notes: int32(from.notes), how: handed, by: a, ref: p.ref, kills: p.kills})
	}
}

// besides tells whether a wait was ended besides what the operation of a note does itself, and so after it.
func (c *Cone) besides(p *part, note *Note) bool {
	wait := p.from
	switch {
	case p.how == itself && c.wait >= 0:
		wait = c.wait
	case p.how != woke:
		return false
	}
	events := c.m.Events()
	return events[wait].Obj != events[note.Event].Obj
}

// begin lets the parts begin that do so after e and before what its task was granted next.
func (c *Cone) begin(s *coneScratch, e *sim.Event) {
	for j := 0; j < len(s.marks); {
		m := s.marks[j]
		if m.part.at < e.Op {
			j++
			continue
		}
		s.marks[j] = s.marks[len(s.marks)-1]
		s.marks = s.marks[:len(s.marks)-1]
		if m.child == nil {
			c.enter(s, m.part)
			continue
		}
		for _, n := range s.active[m.child.Index()] { // that need it still
			p := part{task: m.child.Parent(), at: m.part.at, how: created, by: n, ref: c.parts[n].ref}
			p.kills = c.parts[n].kills || p.ref != nil && p.ref == e.Obj && p.at == e.Op && kills(e.Verb)
			if i := m.child.Index(); i < len(c.births) {
				b := &c.births[i]
				if b.asked {
					continue
				}
				p.notes = b.notes
			}
			c.enter(s, p)
		}
	}
}

// follow goes on from an event to what it depends on.
func (c *Cone) follow(s *coneScratch, e *sim.Event, i int32) {
	ti := int32(e.Task.Index())
	for j := 0; j < len(s.wants); j++ {
		if w := s.wants[j]; w.obj == e.Obj && e.Class == sim.Write && !e.Blocking && ends(e) {
			c.enter(s, part{task: e.Task, at: e.Op, how: woke, by: w.by, from: w.from})
			s.wants = append(s.wants[:j], s.wants[j+1:]...)
			j--
		}
	}
	for _, r := range s.refs {
		if r.obj == e.Obj && r.from != i && drops(e.Verb) {
			c.enter(s, part{task: e.Task, at: e.Op, how: put, by: r.by, from: r.from, ref: r.obj, kills: kills(e.Verb)})
		}
	}
	if e.Obj != nil && e.Class != sim.Read && (takes(e.Verb) || !named(e.Obj)) {
		// What held this reference only did not hold it before. What it did as part of taking it
		// came after.
		s.active[ti] = slices.DeleteFunc(s.active[ti], func(p int32) bool {
			if c.parts[p].ref != e.Obj || c.parts[p].kills || e.Op >= c.parts[p].at && (e.Op > c.parts[p].at || !takes(e.Verb)) {
				return false
			}
			if named(e.Obj) {
				c.took(p)
			}
			return true
		})
	}
	if len(s.active[ti]) == 0 || e.Obj != nil && noWait(e.Obj, e.Verb) {
		return
	}
	n := slices.IndexFunc(s.active[ti], func(p int32) bool { return c.parts[p].at >= e.Op })
	if n < 0 {
		return
	}
	by := s.active[ti][n]
	switch events := c.m.Events(); {
	case e.Enabler >= 0 && e.Enabler < i:
		if w := &events[e.Enabler]; w.Op >= c.low && !(w.Verb == available && c.rescued(e.Task)) && !letsPass(w, e) {
			p := part{task: w.Task, at: w.Op, how: woke, by: by, from: i}
			if e.Obj != nil && (c.careful && !once(e.Obj) || supply(e.Obj)) {
				p.ref = e.Obj
			}
			p.inTheWay = waitsItsTurn(e.Verb)
			s.marks = append(s.marks, mark{part: p})
		}
	case e.Joins != nil:
		c.enter(s, part{task: e.Joins, at: e.Op, how: woke, by: by, from: i})
	case e.Blocking && e.Obj != nil && once(e.Obj):
		s.wants = append(s.wants, want{e.Obj, by, i})
	}
}

// rescued tells whether the work that a task is in the cone for has a rescuer: it would have run
// without memory.
func (c *Cone) rescued(t *sim.Task) bool {
	for i := len(c.Notes) - 1; i >= 0; i-- {
		if n := c.Notes[i]; n.Task == t && n.Kind == NoteWork {
			return n.On != nil && n.On.flags&WQ_MEM_RECLAIM != 0
		}
	}
	return false
}

// took notes that the task of a part took the reference for which that is in the cone, and so
// had it whoever went on from there with it.
func (c *Cone) took(part int32) {
	for n := part; n >= 0 && c.parts[n].ref == c.parts[part].ref; n = c.parts[n].by {
		c.parts[n].took = true
	}
}

// enter begins a part, and sees to it that what created its task begins in time. A task that does something on
// behalf of others has a part for each of them, and one for itself.
func (c *Cone) enter(s *coneScratch, p part) {
	ti := int32(p.task.Index())
	p.near = p.at
	for _, a := range s.active[ti] {
		have := &c.parts[a]
		if have.ref != nil && (have.ref != p.ref || have.kills != p.kills) || have.inTheWay && !p.inTheWay {
			continue
		}
		if have.near == p.at && have.notes == p.notes || !c.parted(ti, p.at, have.near) {
			have.near = p.at
			return // in it already, and for at least as much
		}
	}
	active := s.active[ti]
	if p.ref == nil && !c.parted(ti, c.low, p.at) {
		active = active[:0]
	}
	c.parts = append(c.parts, p)
	active = append(active, int32(len(c.parts)-1))
	if p.ref == nil { // what is not for a reference only comes first
		copy(active[1:], active)
		active[0] = int32(len(c.parts) - 1)
	}
	s.active[ti] = active
	s.used = append(s.used, ti)
	if born := int32(p.task.BornOp()); !p.inTheWay && born >= max(c.low, c.begun) && p.task.Parent() != nil && born < p.at {
		s.marks = append(s.marks, mark{part: part{at: born}, child: p.task})
	}
}

// parted tells whether something on behalf of others began or ended between two operations of a task.
func (c *Cone) parted(task, from, to int32) bool {
	if int(task) >= len(c.edges) {
		return false
	}
	edges := c.edges[task]
	i, _ := slices.BinarySearch(edges, from)
	return i < len(edges) && edges[i] <= to
}

// Holding tells whether d is in the cone only because its task held something meanwhile: a
// reference, or one of a supply.
func (c *Cone) Holding(d *Dep) bool { return c.parts[d.part].ref != nil }

// Reference words what the reference is of, "" if none is held.
func (c *Cone) Reference(d *Dep) string {
	if o := c.parts[d.part].ref; o != nil && !supply(o) {
		return c.m.ObjectName(o)
	}
	return ""
}
