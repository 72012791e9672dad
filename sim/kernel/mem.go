package kernel

import (
	"fmt"
	"strings"

	"dmasim/sim"
)

// Mem is the life of one allocation. It is embedded in the object that was
// allocated. An object that was never allocated with Alloc is static, and its Mem
// checks nothing.
type Mem struct {
	typ       string
	ordinal   int
	state     memState
	listed    bool // in Kernel.memory
	allocated moment
	freed     moment
	// life is read by every use that is no operation on a part, and written by the
	// free; objects are the parts.
	life    sim.Object
	objects []*sim.Object
	locks   []lock
	checks  []func(t *Task)
	fields  *plainAccesses
}

type memState uint8

const (
	static memState = iota
	alive
	freed
)

// moment is a place in the run, with the calls that were made there if anybody reads the
// trace.
type moment struct {
	sim.Place
	calls []string
}

func (t *Task) moment() moment {
	m := moment{Place: t.Place()}
	if t.Tracing() {
		m.calls = calls()
	}
	return m
}

// lock is a lock that is part of an object.
type lock interface{ holder() (*Task, string) }

func (m *Mem) lock(l lock) {
	if m != nil {
		m.locks = append(m.locks, l)
	}
}

// freeCheck has check called when the object is freed, before it is: the part that it
// belongs to fails the run there if it is still in use, as DEBUG_OBJECTS does with an
// armed timer.
func (m *Mem) freeCheck(check func(t *Task)) {
	if m != nil {
		m.checks = append(m.checks, check)
	}
}

// Alloc allocates an object of the named type, or fails with ENOMEM, see MayFail. The type
// is also the name of the call site.
func (t *Task) Alloc(gfp GFP, m *Mem, typ string) Errno {
	if err := t.MayFail(gfp, typ); err != OK {
		return err
	}
	t.born(m, typ)
	return OK
}

// born begins the life of m.
func (t *Task) born(m *Mem, typ string) {
	k := t.K
	if m.state == alive {
		t.misuse("Alloc of %s, which is allocated already", m)
	}
	if k.ordinals == nil {
		k.ordinals = map[string]int{}
	}
	k.ordinals[typ]++
	listed := m.listed
	*m = Mem{typ: typ, ordinal: k.ordinals[typ], state: alive, listed: true, allocated: t.moment()}
	t.Own(&m.life, "memory", typ)
	if !listed {
		k.memory = append(k.memory, m)
	}
}

// Free frees the object: whoever touches it later uses it after free. It is part of the
// operation that was granted last.
func (t *Task) Free(m *Mem) {
	switch m.state {
	case static:
		t.misuse("Free of an object that was not allocated with Alloc")
	case freed:
		t.FailWith(DoubleFree, t.lifeOf(m), "%s freed again by %s; it was freed %s", m, t.Task, m.freed)
	}
	for _, l := range m.locks {
		if owner, name := l.holder(); owner != nil {
			t.FailWith(sim.Misuse, t.lifeOf(m), "held lock freed: %s, part of %s, is held by %s", name, m, owner.Task)
		}
	}
	for _, check := range m.checks {
		check(t)
	}
	m.fields.freed(t)
	m.state, m.freed = freed, t.moment()
	t.Touch(&m.life, sim.Write)
	for _, o := range m.objects {
		t.Touch(o, sim.Write)
	}
}

// Use is an access to the object that is no operation on one of its primitives: it
// fails the run if the object has been freed. It is an operation of its own, since a
// use that is wrong mostly comes after the operation that gave the object up.
func (t *Task) Use(m *Mem) {
	if m != nil && m.state != static {
		t.Step(sim.Op{Verb: "use", Obj: &m.life, Class: sim.Read})
	}
	t.Check(m)
}

// Check is Use for the operations of primitives that are part of m: it is called when
// one was granted. The free conflicts with all of them.
func (t *Task) Check(m *Mem) {
	if m != nil && m.state == freed {
		t.usedAfterFree(m)
	}
}

func (t *Task) usedAfterFree(m *Mem) {
	t.FailWith(UseAfterFree, t.lifeOf(m), "%s uses %s, which was freed %s (allocated %s)", t.Task, m, m.freed, m.allocated)
}

// Alive tells whether the object is allocated and not freed.
func (m *Mem) Alive() bool { return m.state == alive }

// String names the object: "blk_mq_dma_map#2".
func (m *Mem) String() string { return fmt.Sprintf("%s#%d", m.typ, m.ordinal) }

// lifeOf tells what happened to the object before the failure that it is a detail of.
func (t *Task) lifeOf(m *Mem) []string {
	out := append(t.circumstances(), m.allocated.tell(m, "allocated")...)
	if m.state == freed {
		out = append(out, m.freed.tell(m, "freed")...)
	}
	return out
}

func (at moment) tell(m *Mem, what string) []string {
	out := []string{fmt.Sprintf("%s was %s %s", m, what, at.Place)}
	if len(at.calls) > 0 {
		out = append(out, "  Call trace: "+strings.Join(at.calls, " <- "))
	}
	return out
}

// misuse fails the run because the model was used in a way that no kernel code can be
// meant by.
func (t *Task) misuse(format string, args ...any) { t.Fail(sim.Misuse, format, args...) }

// Access is Use as part of the operation that was granted last.
func (t *Task) Access(m *Mem) {
	if m != nil && m.state != static {
		t.Touch(&m.life, sim.Read)
	}
	t.Check(m)
}

// OwnIn is Own for an object that is part of in, which may be nil: the free of in conflicts
// with all that is done to it.
func (t *Task) OwnIn(o *sim.Object, in *Mem, typ, name string) { t.own(o, in, typ, name) }

// own initialises a visible object as part of in, which may be nil.
func (t *Task) own(o *sim.Object, in *Mem, typ, name string) {
	t.Own(o, typ, name)
	if in != nil {
		in.objects = append(in.objects, o)
	}
}

// auditMemory looks for what was never freed.
func (k *Kernel) auditMemory() *sim.Failure {
	var f *sim.Failure
	for _, m := range k.memory {
		if m.state != alive {
			continue
		}
		if f == nil {
			f = &sim.Failure{Kind: Leak, Message: fmt.Sprintf("%s was never freed; allocated %s", m, m.allocated)}
		} else {
			f.Detail = append(f.Detail, fmt.Sprintf("nor was %s; allocated %s", m, m.allocated))
		}
		if len(m.allocated.calls) > 0 {
			f.Detail = append(f.Detail, "  Call trace: "+strings.Join(m.allocated.calls, " <- "))
		}
	}
	return f
}
