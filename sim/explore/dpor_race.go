package explore

import (
	"slices"

	"dmasim/sim"
)

// analyse finds the races of a complete execution of n events, and says what has
// to be explored because of them. It looks at those between events of the common
// prefix again: the sequence that reverses a race depends on all of the execution,
// and one that a sleeping task could begin may go on otherwise now.
func (d *DPOR) analyse(n int, failed bool) {
	for i := d.counted; i < n; i++ {
		d.count(int32(i))
	}
	d.counted = n
	for i := range n {
		e := &d.path[i].event
		d.reach = d.reach[:0]
		end := int32(len(d.accesses))
		if i+1 < n {
			end = d.path[i+1].touched
		}
		for a := e.touched; a < end; a++ {
			d.reach = append(d.reach, d.accesses[a])
		}
		d.races(int32(i), n, e)
	}
	d.pending(n, failed)
}

// pending treats the operations that were announced and not granted as if they had run:
// those that wait when a run ends in a deadlock or another failure, and the racing
// timers that were cancelled.
func (d *DPOR) pending(n int, failed bool) {
	for i, t := range d.m.Tasks()[:d.seen] {
		op, ok := t.Pending()
		ok = ok && failed || t.Cancelled() && !t.Quiet()
		if !ok || op.Obj == nil || t.Parent() == nil || op.Obj.Key() == 0 {
			continue
		}
		id := d.names.known(i)
		e := event{prev: d.last[id], cause: d.cause[id], joined: -1, fence: d.barrier, joins: -1, guarded: op.Guard != nil}
		e.task, e.obj, e.class, e.announced = id, d.object(op.Obj), op.Class, op.Class
		if e.guarded {
			d.guards[e.obj] = true
		}
		d.reach = append(d.reach[:0], touch{int32(n), d.heads[e.obj], e.obj, e.class})
		if op.Also != nil {
			also := d.object(op.Also)
			d.reach = append(d.reach, touch{int32(n), d.heads[also], also, sim.Read})
			e.more, e.also = []access{{also, sim.Read}}, true
		}
		c := d.clock(int32(n))
		d.inherit(&e, c)
		for _, r := range d.reach {
			for a := r.prev; a >= 0; a = d.accesses[a].prev {
				if d.accesses[a].class.Conflicts(r.class) {
					merge(c, d.clock(d.accesses[a].event))
				}
			}
		}
		d.races(int32(n), n, &e)
	}
}

// without sets d.v to what is left after f without the events that happen after f
// or after those in d.drop, and without j.
func (d *DPOR) without(f, j int32, n int) {
	d.v = d.v[:0]
	for x := f + 1; x < int32(n); x++ {
		if x != j && !d.dropped(f, x) {
			d.v = append(d.v, &d.path[x].step)
		}
	}
}

func (d *DPOR) dropped(f, x int32) bool {
	if d.before(f, d.path[f].task, x) {
		return true
	}
	for _, t := range d.drop {
		if d.before(t, d.path[t].task, x) {
			return true
		}
	}
	return false
}

// races goes back from event j, whose accesses are in d.reach, over the events
// that it conflicts with, and reverses those that it could have preceded.
func (d *DPOR) races(j int32, n int, e *event) {
	if len(d.reach) == 0 {
		return
	}
	d.inherit(e.waited(), d.merged)
	if e.guarded {
		copy(d.causes, d.merged)
	}
	if len(d.reach) == 1 {
		class := d.reach[0].class
		for a := d.reach[0].prev; a >= 0; a = d.accesses[a].prev {
			t := &d.accesses[a]
			if t.class.Conflicts(class) && d.race(t.event, j, n, e) && t.class == sim.Write {
				return // what is earlier happens before that
			}
		}
		return
	}
	// Several objects: the events have to be taken from the latest to the earliest.
	own := len(d.reach)
	for k := range own {
		r := d.reach[k]
		for a := r.prev; a >= 0; a = d.accesses[a].prev {
			t := d.accesses[a]
			if t.event != j && t.class.Conflicts(r.class) {
				d.reach = append(d.reach, t)
			}
			if t.class == sim.Write && t.event != j && !e.guarded {
				break
			}
		}
	}
	rest := d.reach[own:]
	slices.SortFunc(rest, func(a, b touch) int { return int(b.event - a.event) })
	for k := range rest {
		d.race(rest[k].event, j, n, e)
	}
}

// waited is the event without the timer that fired while it waited: it could have been
// granted before that, if what it waits for had not been taken.
func (e *event) waited() *event {
	since := e.prev
	if since < 0 {
		since = e.cause
	}
	if e.barrier || !e.guarded || e.fence <= since {
		return e
	}
	w := *e
	w.fence = -1 // earlier timers came before its task announced it
	return &w
}

// race deals with one earlier event that j conflicts with. It reports whether f is
// now known to be before j or reversed with it, so that nothing that happens
// before f need be looked at.
func (d *DPOR) race(f, j int32, n int, e *event) bool {
	at := &d.path[f]
	if uint32(f) < d.merged[at.task] {
		return true
	}
	d.drop = d.drop[:0]
	can := d.feasible(f, j, e)
	if len(d.drop) == 0 {
		if can != never {
			d.reverse(f, j, n, e, can)
		}
		if can == always {
			merge(d.merged, d.clock(f))
		}
		return can == always
	}
	// Whether j is enabled depends on which of the others go before it.
	all := len(d.drop)
	others := d.others[:0]
	for _, t := range d.drop {
		if uint32(t) >= d.causes[d.path[t].task] { // j can be had without it
			others = append(others, t)
		}
	}
	d.others = others
	if len(others) > mostOthers {
		d.partial = true
		others = others[:mostOthers]
	}
	for set := range 1 << len(others) {
		d.drop = d.drop[:0]
		for k, t := range others {
			if set>>k&1 != 0 {
				d.drop = append(d.drop, t)
			}
		}
		if len(d.drop) < all {
			d.reverse(f, j, n, e, maybe)
		} else if can != never {
			d.reverse(f, j, n, e, can)
		}
	}
	return false
}

// mostOthers limits the operations that commute with each other, and of which any
// set may go before an operation that waits.
const mostOthers = 8

// reverse asks for j to be run before f.
func (d *DPOR) reverse(f, j int32, n int, e *event, can feasibility) {
	at := &d.path[f]
	var why *doubt
	if can == maybe {
		past := d.past(f, j, e)
		if slices.Contains(at.refuted, past) {
			return
		}
		why = &doubt{node: f, past: past}
	} else if e.fickle || int(j) == n {
		why = &doubt{node: f}
	}
	d.without(f, j, n)
	d.alt = e.step
	d.alt.class = d.expected(f, e)
	d.v = append(d.v, &d.alt)
	if !asleep(at.sleep, d.v) {
		at.wake = insert(at.wake, d.v, why)
	}
}

// expected is the class that e is to be taken for where it comes before f and after
// d.v: what it announced, for earlier it may turn out otherwise, unless it was asked at
// f, where its task was about to do it, and nothing in d.v can have changed that.
func (d *DPOR) expected(f int32, e *event) sim.Class {
	for _, s := range d.v {
		if s.task == e.task || s.conflicts(&e.step) {
			return e.announced
		}
	}
	for _, s := range d.path[f].foreseen {
		if s.task == e.task {
			return s.class
		}
	}
	return e.announced
}

// past is a signature of what would be left of the causes of j if f had not
// happened.
func (d *DPOR) past(f, j int32, e *event) uint64 {
	sig := fold(0, uint64(e.task))
	for x := f + 1; x < j && int(x) < d.counted; x++ {
		s := &d.path[x].step
		if !d.dropped(f, x) && d.before(x, s.task, j) {
			sig = fold(sig, uint64(s.task))
			for _, p := range s.picks {
				sig = fold(sig, uint64(p.value)|1<<32)
			}
		}
	}
	return sig
}

func fold(h, v uint64) uint64 {
	h = (h ^ (v + 1)) * 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// feasibility says whether an operation could have been granted earlier.
type feasibility uint8

const (
	never feasibility = iota
	maybe
	always
)

// feasible tells whether j would be enabled if f and what happens after f had not
// happened, nor the events that it puts into d.drop: they do not happen after f,
// and change the object that j waits for. That is known if j was announced before
// f, or if f is known to enable what waits.
func (d *DPOR) feasible(f, j int32, e *event) feasibility {
	if !e.guarded {
		return always
	}
	if e.obj < 0 {
		return maybe
	}
	at := &d.path[f]
	waitsFor := 1
	if e.also {
		waitsFor = 2
	}
	for k, r := range d.reach[:waitsFor] {
		class := e.class
		if k > 0 {
			class = sim.Read
		}
		for a := r.prev; a >= 0; a = d.accesses[a].prev {
			t := &d.accesses[a]
			if t.event <= f {
				break
			}
			if t.event != j && t.class != sim.Read && t.class.Conflicts(class) && !d.before(f, at.task, t.event) && !slices.Contains(d.drop, t.event) {
				d.drop = append(d.drop, t.event)
			}
		}
	}
	since := e.prev
	if since < 0 {
		since = e.cause
	}
	switch {
	case at.releases && at.obj == e.obj && !e.also:
		return never
	case f <= since:
		return maybe
	case d.ready.has(int(f), e.task):
		return always
	}
	return never
}
