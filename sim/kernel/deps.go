package kernel

import (
	"fmt"
	"math"

	"dmasim/sim"
)

// Deps keeps what tasks did that can make others wait: what a rule about waiting asks of
// whatever led to a signal. A note belongs to the event that its task was granted last.
type Deps struct {
	// Off turns the keeping off, and with it all that is found by it.
	Off bool

	notes  []Note
	births []birth   // of the tasks, by their index
	edges  [][]int32 // of the tasks, the operations at which something on behalf of others began or ended
	cone   coneScratch
	// explored is where the explored phase began, once that was asked for.
	explored Point
	begun    map[int32]*begun // of waits, by their events
}

// NoteKind is what a note says.
type NoteKind uint8

const (
	NoteAlloc    NoteKind = iota // an allocation that may enter reclaim
	NoteLock                     // a lock was taken that had to be waited for if need be
	NoteWait                     // something was waited for that lockdep has a map of
	NoteWork                     // a work item began
	NoteTaskWork                 // task work of a task began
	NoteUser                     // the task came from user space
	NoteSubmit                   // a request for I/O was submitted
	NoteLast                     // a last reference was dropped
	NoteRequest                  // a request for I/O ended
	NoteBehalf                   // what follows was handed over by somebody else
	NoteOver                     // and what follows this was not
	NoteBehind                   // something was taken that had to be waited for as long as other I/O has it
)

// kindsOfNotes are words for programs that read reports.
var kindsOfNotes = [...]string{
	NoteAlloc: "allocation", NoteLock: "lock", NoteWait: "wait", NoteWork: "work", NoteTaskWork: "task-work",
	NoteUser: "system-call", NoteSubmit: "submission", NoteLast: "last-reference", NoteRequest: "request-end", NoteBehalf: "on-behalf", NoteOver: "on-behalf-no-more", NoteBehind: "behind-io",
}

func (k NoteKind) String() string { return kindsOfNotes[k] }

// Note is one of these, and where it was made.
type Note struct {
	Kind NoteKind
	GFP  GFP        // of an allocation
	On   *Workqueue // that a work item ran from
	// Name is the call site of an allocation, the lock, the work, the object.
	Name string
	Task *sim.Task
	// Step is the number of the explored operation, Op that of all, and Event that of the
	// event.
	Step, Op, Event int32
	// Calls is the chain of calls if anybody reads the trace.
	Calls []string

	lock *lockNode
	obj  *sim.Object
	// until is the last operation that depends on a reference having been the last one, or that is done on
	// behalf of somebody.
	until  int32
	before int32 // how many notes there were by then
	behalf Point
}

// Place is where the note was made.
func (n *Note) Place() sim.Place { return sim.Place{Task: n.Task, Step: int(n.Step)} }

// Class is the lock class of a lock, "" of anything else.
func (n *Note) Class() string {
	if n.lock == nil {
		return ""
	}
	return n.lock.class.name
}

// note keeps a note of what t does now.
func (t *Task) note(n Note) {
	d := &t.K.Deps
	if d.Off {
		return
	}
	if d.notes == nil {
		d.notes = make([]Note, 0, 32)
	}
	m := t.Machine()
	n.Task, n.Step, n.Op, n.Event = t.Task, int32(m.Steps()), int32(m.Ops()), int32(len(m.Events())-1)
	if t.Tracing() {
		n.Calls = calls()
	}
	d.notes = append(d.notes, n)
}

// creates notes the creation of a task.
func (t *Task) creates(n *sim.Task, sort string) {
	if !t.K.Deps.Off {
		t.bears(n)
		t.K.isA(n, sort)
	}
}

// bears notes what the creation of a task depends on.
func (t *Task) bears(n *sim.Task) {
	d := &t.K.Deps
	for len(d.births) <= n.Index() {
		d.births = append(d.births, birth{})
	}
	d.births[n.Index()] = birth{notes: int32(len(d.notes)), asked: t.asking > 0}
}

// timer is sim.Task.After.
func (t *Task) timer(delay Jiffies, name string, fn func(*sim.Task)) *sim.Timer {
	tm := t.After(int64(delay)*nanoseconds, t.K.timerMode(name), name, fn)
	if !t.K.Deps.Off {
		tasks := t.Machine().Tasks()
		t.bears(tasks[len(tasks)-1])
	}
	return tm
}

// birth is what the creation of a task depended on: what its creator had done when there were so
// many notes.
type birth struct {
	notes int32
	// asked is set if it was because somebody asked for a signal. Had that one not come, the next
	// one who waits would have asked: what it had done before was not needed.
	asked bool
}

// OnBehalf runs fn, in which t does what was handed over at a point, by itself or by others. Somebody would
// have done it without t, or t before what it has done since: what comes of it depends on what t does in fn, and on
// what was done before the point. The zero point is none: then fn is for t itself.
func (t *Task) OnBehalf(p Point, fn func()) {
	before := t.behalf
	t.behalf = p
	n, changes := len(t.K.Deps.notes), p.Place.Task != nil || before.Place.Task != nil
	if changes {
		t.note(Note{Kind: NoteBehalf, behalf: p, until: math.MaxInt32})
		t.edge()
	}
	fn()
	if changes {
		t.note(Note{Kind: NoteOver})
		t.edge()
		t.ends(n)
	}
	t.behalf = before
}

// edge notes where what t does on behalf of others begins or ends.
func (t *Task) edge() {
	d := &t.K.Deps
	if d.Off {
		return
	}
	for len(d.edges) <= t.Index() {
		d.edges = append(d.edges, nil)
	}
	d.edges[t.Index()] = append(d.edges[t.Index()], int32(t.Machine().Ops()))
}

// Serving notes that what t does on behalf of somebody is what the work is for that t runs: that one has to run,
// whoever queued it.
func (t *Task) Serving() {
	if it := t.work; it != nil {
		t.note(Note{Kind: NoteWork, Name: it.st.name, On: it.wq})
	}
}

// Asking runs fn, in which t asks others to see to a signal that it, or anybody, waits for.
func (t *Task) Asking(fn func() bool) (ok bool) {
	t.asking++
	t.OnBehalf(Point{}, func() { ok = fn() })
	t.asking--
	return ok
}

// FromUser notes that t has come from user space: whoever depends on what it does from here
// on depends on what a program of a user does. It is part of the operation that was granted
// last.
func (t *Task) FromUser(call string) { t.note(Note{Kind: NoteUser, Name: call}) }

// Submits notes that t submits new I/O to a device.
func (t *Task) Submits(device string) { t.note(Note{Kind: NoteSubmit, Name: device}) }

// Behind notes that t has taken what it has to wait for as long as other I/O has it, such as a
// tag: how long that takes is not for t to say. It is part of the operation that was granted
// last.
func (t *Task) Behind(what string) { t.note(Note{Kind: NoteBehind, Name: what}) }

// Ends notes that a request for I/O has ended, for a reader of the trace.
func (t *Task) Ends(format string, args ...any) {
	if t.Tracing() {
		t.note(Note{Kind: NoteRequest, Name: fmt.Sprintf(format, args...)})
	}
}

// last notes that the last reference was dropped of what o counts; n is for ends.
func (t *Task) last(o *sim.Object) (n int) {
	t.note(Note{Kind: NoteLast, Name: o.Name, obj: o, until: math.MaxInt32})
	return len(t.K.Deps.notes) - 1
}

// ends says that what follows of t does not depend on what a note says any more.
func (t *Task) ends(n int) {
	if d := &t.K.Deps; !d.Off {
		d.notes[n].until, d.notes[n].before = int32(t.Machine().Ops()), int32(len(d.notes))
	}
}

// Point is a point of the run from which on it matters what was done.
type Point struct {
	Place sim.Place
	event int
	op    int32
	notes int
}

// Notes lists what the task did between the marks.
func (k *Kernel) Notes(t *sim.Task, from, to Point) (out []Note) {
	notes := k.Deps.notes
	for _, n := range notes[min(from.notes, len(notes)):min(to.notes, len(notes))] {
		if n.Task == t {
			out = append(out, n)
		}
	}
	return out
}

// Event is the number of the event that it came after.
func (p Point) Event() int { return p.event }

// Point is now.
func (t *Task) Point() Point {
	m := t.Machine()
	return Point{t.Place(), len(m.Events()) - 1, int32(m.Ops()), len(t.K.Deps.notes)}
}
