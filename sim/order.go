package sim

// The order of a run is what its operations say about each other, whichever order they
// happened to be granted in: what happens before what. A task's own doings are ordered, a task
// comes after what its creator did before, a join after all that the other task did; and who
// acquires an object comes after those who released it before. All else is chance.
//
// What acquires and releases is noted as it happens, and vector clocks are made of the notes
// when somebody asks. Nothing is noted before the first Stamp of a run: no question is about
// anything earlier.

// Stamp is a point of a task that others can be ordered after.
type Stamp struct {
	task  *Task
	epoch uint32
}

// Task is the one whose point it is, nil if there is none.
func (s Stamp) Task() *Task { return s.task }

// Stamp is the point that t has come to.
func (t *Task) Stamp() Stamp {
	o := &t.m.order
	if t.slot == 0 {
		o.on = true
		o.catchUp(t.m.tasks)
		t.slot = o.chain(t)
	}
	o.chains[t.slot] = chain{t, t.epoch + 1}
	return Stamp{t, t.epoch + 1}
}

// chain is the tasks that have had a slot in the clocks, each of which follows all stamps of the
// one before: in a clock they are one.
type chain struct {
	task *Task  // the last of them
	last uint32 // stamp
}

// chain finds a slot for a task: that of a task that has ended and that it follows, or else a
// new one.
func (o *order) chain(t *Task) int32 {
	if len(o.chains) == 0 {
		o.chains = append(o.chains, chain{}) // 0 is none
	}
	k := &o.tasks[t.index]
	for i := 1; i < min(len(o.chains), len(k.clock)); i++ {
		if c := &o.chains[i]; c.task.done && k.clock[i] >= c.last {
			t.epoch = max(t.epoch, c.task.epoch+1)
			k.epoch = t.epoch
			return int32(i)
		}
	}
	o.chains = append(o.chains, chain{})
	return int32(len(o.chains) - 1)
}

// Follows tells whether all that was done up to the point happened before what t does now,
// in every run with the same order. Everything follows the zero Stamp.
func (t *Task) Follows(s Stamp) bool {
	if s.task == t || s.task == nil {
		return true
	}
	o := &t.m.order
	if o.done < len(o.notes) {
		o.catchUp(t.m.tasks)
	}
	c := o.task(t.index).clock // which may be new
	return int(s.task.slot) < len(c) && c[s.task.slot] >= s.epoch
}

// Acquire orders t after those who released o, as part of the operation that was granted
// last: smp_load_acquire, and the taking of a lock.
func (t *Task) Acquire(o *Object) { t.note(acquires, o) }

// Release orders those who will acquire o after t, and after those who released it before:
// the giving up of a lock, and atomic operations that leave to others what they found.
func (t *Task) Release(o *Object) { t.note(releases, o) }

// Publish is Release by a store, which replaces what was there: who acquires o next is ordered
// after t alone. smp_store_release.
func (t *Task) Publish(o *Object) { t.note(publishes, o) }

// Observe is a load that orders nothing by itself, READ_ONCE: a FenceAcquire after it does.
func (t *Task) Observe(o *Object) { t.note(observes, o) }

// Overwrite is a store that orders nothing by itself, WRITE_ONCE: a FenceRelease before it
// does.
func (t *Task) Overwrite(o *Object) { t.note(overwrites, o) }

// FenceAcquire orders what t does from now on after what its loads have seen: smp_rmb.
func (t *Task) FenceAcquire() { t.note(fenceAcquires, nil) }

// FenceRelease makes the stores of t from now on such that who sees them can be ordered after
// what t did before: smp_wmb.
func (t *Task) FenceRelease() { t.note(fenceReleases, nil) }

type noteKind uint8

const (
	acquires noteKind = iota
	releases
	publishes
	observes
	overwrites
	fenceAcquires
	fenceReleases
	forks    // a task
	joins    // a task
	joinsAll // so many
)

// note is something that orders: of a task, and of the slot of an object or the index of another
// task.
type note struct {
	task, other int32
	kind        noteKind
}

// vector is a vector clock: by the slot of a task, up to which epoch of it is known. Tasks that
// nobody can ask about, since they have no stamp, have none.
type vector []uint32

func (v *vector) join(w vector) {
	if len(w) == 0 {
		return
	}
	if len(*v) < len(w) {
		*v = append(*v, make(vector, len(w)-len(*v))...)
	}
	into := (*v)[:len(w)]
	for i, e := range w {
		into[i] = max(into[i], e)
	}
}

func (v *vector) set(i int, e uint32) {
	if len(*v) <= i {
		*v = append(*v, make(vector, i+1-len(*v))...)
	}
	(*v)[i] = e
}

// knowledge is what a task knows of others.
type knowledge struct {
	epoch    uint32
	clock    vector
	observed vector // what an acquire fence would add
	fenced   vector // the clock at the last release fence
}

// order is the order of the current run. Its memory is used again by the next one.
type order struct {
	on      bool
	notes   []note
	done    int // of the notes
	tasks   []knowledge
	objects []vector
	slots   int // of objects
	chains  []chain
}

func (o *order) reset() {
	o.on, o.notes, o.done, o.slots = false, o.notes[:0], 0, 0
	clear(o.chains)
	o.chains = o.chains[:0]
	o.tasks, o.objects = o.tasks[:0], o.objects[:0]
}

func (t *Task) note(k noteKind, o *Object) {
	if t.m.order.on {
		t.noteObject(k, o)
	}
}

func (t *Task) noteObject(k noteKind, obj *Object) {
	o := &t.m.order
	slot := int32(0)
	if obj != nil {
		if obj.slot == 0 {
			o.slots++
			obj.slot = int32(o.slots)
		}
		slot = obj.slot
	}
	t.add(k, slot)
}

func (t *Task) noteTask(k noteKind, u *Task) {
	if t.m.order.on {
		t.add(k, int32(u.index))
	}
}

func (t *Task) add(k noteKind, other int32) {
	o := &t.m.order
	o.notes = append(o.notes, note{int32(t.index), other, k})
	if k.ends() {
		t.epoch++
	}
}

// ends tells whether a note of the kind ends an epoch: what the task does later is not
// known to those who come after the note.
func (k noteKind) ends() bool {
	return k == releases || k == publishes || k == fenceReleases || k == forks
}

// task is what the task with the index knows; it makes room for those before it.
func (o *order) task(i int) *knowledge {
	for len(o.tasks) <= i {
		if n := len(o.tasks); n < cap(o.tasks) {
			o.tasks = o.tasks[:n+1]
			k := &o.tasks[n]
			*k = knowledge{0, k.clock[:0], k.observed[:0], k.fenced[:0]}
		} else {
			o.tasks = append(o.tasks, knowledge{})
		}
	}
	return &o.tasks[i]
}

// room is for the clocks of as many objects.
func (o *order) room(slots int) {
	for len(o.objects) <= slots {
		if n := len(o.objects); n < cap(o.objects) {
			o.objects = o.objects[:n+1]
			o.objects[n] = o.objects[n][:0]
		} else {
			o.objects = append(o.objects, nil)
		}
	}
}

// catchUp makes clocks of the notes since the last time.
func (o *order) catchUp(tasks []*Task) {
	o.task(len(tasks) - 1) // makes room for all
	o.room(o.slots)
	for ; o.done < len(o.notes); o.done++ {
		n := o.notes[o.done]
		k := &o.tasks[n.task]
		if n.kind.ends() {
			k.epoch++
			if slot := tasks[n.task].slot; slot > 0 {
				k.clock.set(int(slot), k.epoch)
			}
		}
		switch n.kind {
		case acquires:
			k.clock.join(o.objects[n.other])
		case releases:
			o.objects[n.other].join(k.clock)
		case publishes:
			v := &o.objects[n.other]
			*v = append((*v)[:0], k.clock...)
		case observes:
			k.observed.join(o.objects[n.other])
		case overwrites:
			v := &o.objects[n.other]
			*v = append((*v)[:0], k.fenced...)
		case fenceAcquires:
			k.clock.join(k.observed)
		case fenceReleases:
			k.fenced = append(k.fenced[:0], k.clock...)
		case forks:
			o.tasks[n.other].clock.join(k.clock)
		case joins:
			o.joinTask(int(n.task), tasks[n.other])
		case joinsAll:
			for u := range int(n.other) {
				o.joinTask(int(n.task), tasks[u])
			}
		}
	}
}

// joinTask orders a task after all that another one, which has ended, has done.
func (o *order) joinTask(task int, ended *Task) {
	if task == ended.index {
		return
	}
	u := &o.tasks[ended.index]
	if ended.slot > 0 {
		u.clock.set(int(ended.slot), u.epoch+1)
	}
	o.tasks[task].clock.join(u.clock)
}
