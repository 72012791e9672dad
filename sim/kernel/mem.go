package kernel

import (
	"fmt"

	"dmasim/sim"
)

// GFP says what an allocation may do (include/linux/gfp_types.h).
type GFP uint8

const (
	GFP_KERNEL GFP = iota // may sleep and enter reclaim
	GFP_NOIO
	GFP_NOFS
	GFP_NOWAIT // may not sleep
	GFP_ATOMIC
)

func (g GFP) maySleep() bool { return g <= GFP_NOFS }

// Mem is the life of one allocation. It is embedded in the object that was
// allocated. An object that was never allocated with Alloc is static, and its Mem
// checks nothing.
type Mem struct {
	typ       string
	ordinal   int
	state     memState
	allocated sim.Place
	freed     sim.Place
	// life is read by every use that is no operation on a part, and written by the
	// free; objects are the parts.
	life    sim.Object
	objects []*sim.Object
	locks   []lock
}

// lock is a lock that is part of an object.
type lock interface{ holder() (*Task, string) }

func (m *Mem) lock(l lock) {
	if m != nil {
		m.locks = append(m.locks, l)
	}
}

type memState uint8

const (
	static memState = iota
	alive
	freed
)

// Alloc allocates an object of the named type: it may fail with ENOMEM where fault
// injection says so. The type is also the name of the call site.
func (t *Task) Alloc(gfp GFP, m *Mem, typ string) Errno {
	if err := t.MayFail(gfp, typ); err != OK {
		return err
	}
	k := t.K
	if m.state == alive {
		t.Fail(sim.Misuse, "Alloc of %s, which is allocated already", m)
	}
	*m = Mem{typ: typ, state: alive, allocated: t.Place()}
	for _, o := range k.memory {
		if o.typ == typ {
			m.ordinal++
		}
	}
	t.Own(&m.life, "memory", typ)
	k.memory = append(k.memory, m)
	return OK
}

// MayFail is an allocation of something whose life is not tracked, such as a part
// of an object that is.
func (t *Task) MayFail(gfp GFP, site string) Errno {
	if gfp.maySleep() {
		t.MightSleep("allocation", site)
	}
	k := t.K
	k.sites[site]++
	n, armed := k.faults[site]
	if armed { // whose allocation is the n-th depends on the order
		t.Touch(&k.injection, sim.Write)
	}
	if armed && n == k.sites[site] {
		t.Stress("", "allocation of "+site+" fails (injected)")
		return ENOMEM
	}
	return OK
}

// FailAlloc makes the n-th allocation at a call site, counted from now and from 1,
// fail.
func (k *Kernel) FailAlloc(site string, n int) { k.faults[site] = k.sites[site] + n }

// Free frees the object: whoever touches it later uses it after free.
func (t *Task) Free(m *Mem) {
	switch m.state {
	case static:
		t.Fail(sim.Misuse, "Free of an object that was not allocated with Alloc")
	case freed:
		t.Fail(DoubleFree, "%s freed again by %s; it was freed %s", m, t.Task, m.freed)
	}
	for _, l := range m.locks {
		if owner, name := l.holder(); owner != nil {
			t.Fail(sim.Misuse, "held lock freed: %s, part of %s, is held by %s", name, m, owner.Task)
		}
	}
	m.state, m.freed = freed, t.Place()
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
		t.Fail(UseAfterFree, "%s uses %s, which was freed %s (allocated %s)", t.Task, m, m.freed, m.allocated)
	}
}

// Alive tells whether the object is allocated and not freed.
func (m *Mem) Alive() bool { return m.state == alive }

// String names the object: "blk_mq_dma_map#2".
func (m *Mem) String() string { return fmt.Sprintf("%s#%d", m.typ, m.ordinal+1) }

// own initialises a visible object as part of in, which may be nil.
func (t *Task) own(o *sim.Object, in *Mem, typ, name string) {
	t.Own(o, typ, name)
	if in != nil {
		in.objects = append(in.objects, o)
	}
}

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
	}
	return f
}
