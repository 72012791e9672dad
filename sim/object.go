package sim

// Class says how an access treats its object. Two accesses of one object commute
// if their classes are equal and not Write.
type Class uint8

const (
	// Write conflicts with every other access of the object.
	Write Class = iota
	// Read commutes with Read.
	Read
	// Commute is the first of the classes that a model declares for itself: all
	// values from here on commute with themselves and with nothing else. Whoever
	// declares one owes the proof, by brute force in a test, that the operations
	// commute in every state.
	Commute
)

// Conflicts tells whether two accesses of one object do not commute.
func (c Class) Conflicts(d Class) bool { return c == Write || c != d }

// Object is something that visible operations touch. It is embedded by value in
// what it stands for and initialised with [Task.Own].
type Object struct {
	// Type is the kind of thing, as a report names it: "mutex", "percpu_ref".
	Type string
	// Name tells it from others of its type: "token.mapping_lock". Objects that
	// share type and name are numbered in a report, in order of creation.
	Name string

	key     uint64
	ordinal int32
	hidden  bool // needs no scheduling points, see Machine.Hide
	shared  bool // more than one task touched it while exploring
	user    *Task
	slot    int32 // in the order of the run, 0 if it has none yet
}

// Key is the identity of the object: it depends on who created it, as which of
// the creator's objects, and on nothing else, so that schedules that differ only
// in the order of unrelated operations name their objects alike.
func (o *Object) Key() uint64 { return o.key }

// Own initialises o as an object created by t. An object that is used without
// having been initialised is misuse, reported at its first operation.
func (t *Task) Own(o *Object, typ, name string) {
	t.objects++
	o.Type, o.Name = typ, name
	o.key = mix(t.key, uint64(t.objects)|1<<32)
	m := t.m
	o.ordinal = int32(len(m.objects))
	o.hidden, o.shared, o.user, o.slot = m.hide[o.key], false, nil, 0
	m.objects = append(m.objects, o)
}

// OwnPart initialises o as the n-th part of whole: an object that comes into being
// when it is first used, whoever that is. Its identity does not depend on who it was.
func (t *Task) OwnPart(o, whole *Object, n uint64, typ, name string) {
	t.Own(o, typ, name)
	t.objects--
	o.key = mix(whole.key, n|1<<33)
	o.hidden = t.m.hide[o.key]
}

// OwnOf initialises o as the n-th part of the task u: like OwnPart, for what belongs to a
// task and comes into being when it is first used.
func (t *Task) OwnOf(o *Object, u *Task, n uint64, typ, name string) {
	t.Own(o, typ, name)
	t.objects--
	o.key = mix(u.key, n|1<<34)
	o.hidden = t.m.hide[o.key]
}

// mix folds v into h (the finaliser of a 64-bit multiply-xorshift hash).
func mix(h, v uint64) uint64 {
	h ^= v
	h *= 0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>29
}
