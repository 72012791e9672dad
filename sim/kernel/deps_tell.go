package kernel

import (
	"fmt"
	"slices"

	"dmasim/sim"
)

// Chain words how the point came to depend on d: from the point back to d.
func (c *Cone) Chain(d *Dep) []string {
	return append(c.chain(d.part), d.Tell())
}

// chain words how the point came to depend on a part.
func (c *Cone) chain(part int32) []string {
	var out []string
	for n := part; n >= 0; n = c.parts[n].by {
		if l := c.tell(&c.parts[n]); l != "" {
			out = append(out, l)
		}
	}
	slices.Reverse(out)
	return out
}

// sorts are what tasks of a context are to a reader.
var sorts = [...]string{InTask: "task", InWorker: "worker", InSoftirq: "softirq", InRCUCallback: "RCU callback", InHardirq: "interrupt"}

// isA notes what a task is, for a reader.
func (k *Kernel) isA(t *sim.Task, sort string) {
	if !t.Tracing() {
		return
	}
	if k.sorts == nil {
		k.sorts = map[*sim.Task]string{}
	}
	k.sorts[t] = sort
}

// Sort is what the task is, of a traced run: "task", "worker", "interrupt", "device".
func (k *Kernel) Sort(t *sim.Task) string {
	if s := k.sorts[t]; s != "" {
		return s
	}
	return sorts[InTask] // the first one
}

// Link is one way in which a point of the run depended on what a task did.
type Link struct {
	Task *sim.Task
	// By is the index of the link that depended on this one, -1 for the point itself.
	By int
	// How words that, "" for the point itself.
	How string
	// Notes are what the task did there that others can be kept waiting by.
	Notes []Note
}

// Links lists them, each after the one that depended on it. Stretches of one task that others
// came upon more than once are one link.
func (c *Cone) Links() []Link {
	var out []Link
	at := make([]int, len(c.parts))
	for i := range c.parts {
		p := &c.parts[i]
		l := Link{Task: p.task, By: -1, How: c.tell(p)}
		if p.by >= 0 {
			l.By = at[p.by]
		}
		at[i] = slices.IndexFunc(out, func(o Link) bool { return o.Task == l.Task })
		if at[i] < 0 {
			at[i] = len(out)
			out = append(out, l)
		}
	}
	for _, d := range c.Notes {
		l := &out[at[d.part]]
		l.Notes = append(l.Notes, *d.Note)
	}
	return out
}

// tell words how a part came into the cone.
func (c *Cone) tell(p *part) string {
	events := c.m.Events()
	switch p.how {
	case created:
		return fmt.Sprintf("%s was started by %s%s", c.parts[p.by].task, p.task, c.doing(p))
	case handed:
		return fmt.Sprintf("%s did what %s had handed over%s", c.parts[p.by].task, p.task, c.doing(p))
	case woke:
		e := &events[p.from]
		if e.Joins != nil {
			return fmt.Sprintf("%s waited for the end of %s", e.Task, p.task)
		}
		return fmt.Sprintf("%s waited in %s for %s%s", e.Task, c.op(p.from), p.task, c.doing(p))
	case put:
		return fmt.Sprintf("%s also had to be put by %s%s", c.m.ObjectName(p.ref), p.task, c.doing(p))
	}
	return ""
}

// doing words what the task of a part did where the part ends.
func (c *Cone) doing(p *part) string {
	events := c.m.Events()
	for i := len(events) - 1; i >= 0; i-- {
		if e := &events[i]; e.Op <= p.at && e.Task == p.task {
			return ", in " + c.op(int32(i)) + c.step(int32(i))
		}
	}
	return ""
}

func (c *Cone) op(i int32) string {
	e := &c.m.Events()[i]
	if e.Obj == nil {
		return e.Verb
	}
	return e.Verb + " " + c.m.ObjectName(e.Obj)
}

// step is the number of the operation, which only a traced run knows.
func (c *Cone) step(i int32) string {
	for _, r := range c.m.Rows() {
		if r.Event == int(i) && r.Task == c.m.Events()[i].Task && r.Phase == sim.PhaseExplore {
			return fmt.Sprintf(" at step %d", r.Step)
		}
	}
	return ""
}

// Tell words what was done.
func (n *Note) Tell() string {
	what := ""
	switch n.Kind {
	case NoteAlloc:
		what = fmt.Sprintf("allocation of %s with %s", n.Name, n.GFP)
	case NoteLock:
		what = "lock " + n.Name
	case NoteWait:
		what = "wait for " + n.Name
	case NoteWork:
		what = fmt.Sprintf("work %s ran from workqueue %s", n.Name, n.On.name)
	case NoteTaskWork:
		what = "task work of " + n.Name
	case NoteUser:
		what = "system call " + n.Name
	case NoteSubmit:
		what = "submission of I/O to " + n.Name
	case NoteRequest:
		what = "end of request " + n.Name
	case NoteLast:
		what = "last reference of " + n.Name
	case NoteBehind:
		what = "wait behind other I/O for " + n.Name
	}
	return what + ", " + n.Place().String()
}

// Started is the first operation of the task that the point depended on by way of another task,
// or -1: what it did then was needed for the point, and others went on from there.
func (c *Cone) Started(t *sim.Task) int {
	if i := c.started(t); i >= 0 {
		return int(c.parts[i].at)
	}
	return -1
}

// ChainToStart words how the point came to depend on what Started says.
func (c *Cone) ChainToStart(t *sim.Task) []string { return c.chain(c.started(t)) }

func (c *Cone) started(t *sim.Task) int32 {
	first := int32(-1)
	for i := range c.parts {
		if p := &c.parts[i]; p.task == t && p.how != itself && (first < 0 || p.at < c.parts[first].at) {
			first = int32(i)
		}
	}
	return first
}

// Came words how t came to run, who is at its present point: the creation of it, of its creator,
// and so on, up to what the set-up created. The first one comes first.
func (k *Kernel) Came(t *sim.Task) []string {
	m := t.Machine()
	c := k.coneOf(m, t, len(m.Events())-1, int32(m.Ops())+1, Point{})
	var out []string
	for i, last := 0, int32(0); i < len(c.parts); i++ {
		if p := &c.parts[i]; p.how == created && p.by == last && p.task.Parent() != nil {
			out, last = append(out, c.tell(p)), int32(i)
		}
	}
	slices.Reverse(out)
	return out
}
