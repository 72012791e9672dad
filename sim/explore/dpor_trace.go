package explore

import "dmasim/sim"

// event is a step that was granted.
type event struct {
	step
	// prev is the event of the same task before it, -1 if there is none, cause the
	// one that created the task, joined the last one of the task whose end it
	// waited for, fence the last timer that fired before it.
	prev, cause, joined, fence int32
	// joins is the number of the task whose end it waited for, or -1.
	joins   int32
	guarded bool
	also    bool  // the guard reads the first of the further accesses, see sim.Op.Also
	alsoObj int32 // its object
	barrier bool
	fickle  bool
	// releases is set if nothing that waits for obj was ready before the event.
	releases bool
	// announced is the class before the operation was run.
	announced sim.Class
	raw       int // index among the events of the machine
	// touched is the index of its first access in trace.accesses.
	touched int32
}

// trace is the happens-before order of the current path, and who touched what.
type trace struct {
	counted  int      // events that are in the order and whose races are known
	clocks   []uint32 // one vector clock of stride entries per event
	stride   int
	tasks    int
	last     []int32 // per task, its last event
	heads    []int32 // per object, its last access
	guards   []bool  // per object, whether a blocking operation was seen on it
	accesses []touch
	barrier  int32 // the last event that was a barrier
	ready    bitsets
	// merged and causes are room for what happens before the event whose races are
	// looked for: all of it that matters still, and its causes alone.
	merged, causes []uint32
	reach          []touch
}

// touch is one access of an event; prev is the access of the same object before
// it.
type touch struct {
	event, prev int32
	obj         int32
	class       sim.Class
}

func (tr *trace) addTask() {
	tr.last = append(tr.last, -1)
	tr.tasks++
	if tr.tasks <= tr.stride {
		return
	}
	old, stride := tr.stride, max(8, 2*tr.stride)
	if old > 0 {
		rows := len(tr.clocks) / old
		wide := make([]uint32, rows*stride)
		for i := range rows {
			copy(wide[i*stride:], tr.clocks[i*old:(i+1)*old])
		}
		tr.clocks = wide
	}
	tr.stride = stride
	tr.merged, tr.causes = make([]uint32, stride), make([]uint32, stride)
	tr.ready.widen((stride + 63) / 64)
}

// clock says for each task how far one has to go to be before event i: the event
// of task t with index e happens before i, or is i, if e < clock(i)[t].
func (tr *trace) clock(i int32) []uint32 {
	for len(tr.clocks) < (int(i)+1)*tr.stride {
		tr.clocks = append(tr.clocks, make([]uint32, 64*tr.stride)...)
	}
	return tr.clocks[int(i)*tr.stride:][:tr.stride:tr.stride]
}

// before tells whether e, an event of task t, happens before i.
func (tr *trace) before(e int32, t int32, i int32) bool {
	return uint32(e) < tr.clocks[int(i)*tr.stride+int(t)]
}

func merge(into, from []uint32) {
	from = from[:len(into)]
	for i, x := range from {
		if x > into[i] {
			into[i] = x
		}
	}
}

// object numbers an object and makes room for what is kept of it.
func (d *DPOR) object(o *sim.Object) int32 {
	id := d.names.object(o.Key())
	for int(id) >= len(d.heads) {
		d.heads = append(d.heads, -1)
		d.guards = append(d.guards, false)
	}
	return id
}

// observe takes down what event i turned out to be, once the operation is over.
func (d *DPOR) observe(i int, events []sim.Event) {
	n := &d.path[i]
	e := &events[n.raw]
	n.obj, n.class = -1, e.Class
	n.more = n.more[:0]
	n.guarded = e.Blocking
	if e.Obj != nil {
		n.obj = d.object(e.Obj)
		if e.Blocking {
			d.guards[n.obj] = true
		}
	}
	for _, a := range d.m.Extra(e) {
		n.more = append(n.more, access{d.object(a.Obj), a.Class})
	}
	n.also = n.also && len(n.more) > 0 && n.more[0].obj == n.alsoObj // else it is hidden
	if n.also {
		d.guards[n.more[0].obj] = true
	}
	if len(n.picks) > 0 {
		d.join(n, e.Verb)
	}
	if n.class != n.announced || len(n.more) > 0 {
		if d.fickle == nil {
			d.fickle = map[string]bool{}
		}
		d.fickle[e.Verb] = true
	}
	n.fickle = len(d.fickle) > 0 && d.fickle[e.Verb]
	n.cause = d.cause[n.task]
	n.joins = -1
	if e.Joins != nil {
		n.joins = d.names.known(e.Joins.Index())
	}
	if b := n.from; b != nil && len(b.kids) == 0 && !b.same(&n.step) {
		d.surprise(n, b)
	}
}

// site is a place in the program at which choices are made, as far as it can be
// told from outside.
type site struct {
	task, obj int32
	verb      string
}

// join makes the event touch all that events at the same site touch with other
// values of their choices: which tasks are asleep must not depend on a value that
// was not chosen yet. If that is more than was known, the search begins again.
func (d *DPOR) join(n *node, verb string) {
	if d.sites == nil {
		d.sites = map[site][]access{}
	}
	at := site{n.task, n.obj, verb}
	all, known := d.sites[at]
	grown := false
	add := func(a access) {
		for k := range all {
			if all[k].obj != a.obj {
				continue
			}
			if all[k].class != a.class && all[k].class != sim.Write {
				all[k].class, grown = sim.Write, true
			}
			return
		}
		all, grown = append(all, a), true
	}
	if n.obj >= 0 {
		add(access{n.obj, n.class})
	}
	for _, a := range n.more {
		add(a)
	}
	d.sites[at] = all
	d.restart = d.restart || known && grown
	n.more = n.more[:0]
	for _, a := range all {
		if a.obj == n.obj {
			n.class = a.class
		} else {
			n.more = append(n.more, a)
		}
	}
}

// surprise deals with a leaf of a wakeup tree that did not touch what it was
// thought to.
func (d *DPOR) surprise(n *node, b *waking) {
	n.awake = true
	n.wake = prune(n.wake, &n.step)
	if b.doubt == nil {
		// Others may have been left out because of what it was thought to touch.
		// From now on it is known not to be relied on.
		d.restart = d.restart || !n.within(&b.step)
		return
	}
	for _, s := range b.doubt.waiting {
		d.v = refer(d.v, s.steps)
		if _, ok := weakInitial(&n.step, d.v); !ok {
			n.wake = insert(n.wake, d.v, s.doubt)
		}
	}
}

// count puts event i into the happens-before order.
func (d *DPOR) count(i int32) {
	n := &d.path[i]
	tr := &d.trace
	c := tr.clock(i)
	n.prev, n.joined, n.fence = tr.last[n.task], -1, tr.barrier
	if n.joins >= 0 {
		n.joined = tr.last[n.joins]
	}
	tr.inherit(&n.event, c)
	if n.barrier {
		for _, e := range tr.last {
			if e >= 0 {
				merge(c, tr.clock(e))
			}
		}
		tr.barrier = i
	}
	n.touched = int32(len(tr.accesses))
	if n.obj >= 0 {
		tr.touch(d.path, i, n.obj, n.class, c)
	}
	for _, a := range n.more {
		tr.touch(d.path, i, a.obj, a.class, c)
	}
	c[n.task] = uint32(i) + 1
	tr.last[n.task] = i
}

// inherit sets c to what happens before the event for other reasons than the
// objects it touches.
func (tr *trace) inherit(n *event, c []uint32) {
	switch {
	case n.prev >= 0:
		copy(c, tr.clock(n.prev))
	case n.cause >= 0:
		copy(c, tr.clock(n.cause))
	default:
		clear(c)
	}
	if n.joined >= 0 {
		merge(c, tr.clock(n.joined))
	}
	if n.fence >= 0 {
		merge(c, tr.clock(n.fence))
	}
}

// touch adds an access of event i, and orders i after the accesses that conflict.
func (tr *trace) touch(path []node, i, obj int32, class sim.Class, c []uint32) {
	for a := tr.heads[obj]; a >= 0; {
		t := &tr.accesses[a]
		if t.event != i && t.class.Conflicts(class) && uint32(t.event) >= c[path[t.event].task] {
			merge(c, tr.clock(t.event))
		}
		if t.class == sim.Write && t.event != i {
			break // all earlier ones happen before this one
		}
		a = t.prev
	}
	tr.accesses = append(tr.accesses, touch{i, tr.heads[obj], obj, class})
	tr.heads[obj] = int32(len(tr.accesses)) - 1
}

// undo takes the events from index n on out of the order.
func (tr *trace) undo(path []node, n int) {
	for i := tr.counted - 1; i >= n; i-- {
		e := &path[i].event
		for a := len(tr.accesses) - 1; a >= int(e.touched); a-- {
			tr.heads[tr.accesses[a].obj] = tr.accesses[a].prev
		}
		tr.accesses = tr.accesses[:e.touched]
		tr.last[e.task] = e.prev
		if e.barrier {
			tr.barrier = e.fence
		}
	}
	tr.counted = min(tr.counted, n)
}

// bitsets is a list of sets of small numbers, all of the same width.
type bitsets struct {
	bits  []uint64
	words int
}

func (b *bitsets) widen(words int) {
	if words == b.words {
		return
	}
	if b.words > 0 {
		rows := len(b.bits) / b.words
		wide := make([]uint64, rows*words)
		for i := range rows {
			copy(wide[i*words:], b.bits[i*b.words:(i+1)*b.words])
		}
		b.bits = wide
	}
	b.words = words
}

func (b *bitsets) clear(i int) {
	for len(b.bits) < (i+1)*b.words {
		b.bits = append(b.bits, 0)
	}
	clear(b.bits[i*b.words:][:b.words])
}

func (b *bitsets) set(i int, n int32) { b.bits[i*b.words+int(n>>6)] |= 1 << (n & 63) }

func (b *bitsets) has(i int, n int32) bool { return b.bits[i*b.words+int(n>>6)]>>(n&63)&1 != 0 }
