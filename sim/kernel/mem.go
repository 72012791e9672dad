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
	m.state, m.freed = freed, t.Place()
	t.Touch(&m.life, sim.Write)
	for _, o := range m.objects {
		t.Touch(o, sim.Write)
	}
}

// Use is an access to the object: it fails the run if the object has been freed.
func (t *Task) Use(m *Mem) {
	if m != nil && m.state != static {
		t.Touch(&m.life, sim.Read)
	}
	t.check(m)
}

// check is Use for primitives that are part of m, whose own operations the free
// conflicts with.
func (t *Task) check(m *Mem) {
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
