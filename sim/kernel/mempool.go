package kernel

import "dmasim/sim"

// Mempool is mempool_t (mm/mempool.c): elements of one type, some of which are kept in
// reserve for when there is no memory. An allocation that may sleep does not fail: it
// waits until an element comes back.
type Mempool struct {
	obj  sim.Object
	typ  string
	min  int // elements of the reserve
	left int // of those
}

// Init is mempool_create: min elements of the type are reserved. ENOMEM if there is no
// memory for them.
func (p *Mempool) Init(t *Task, typ string, min int) Errno {
	if min < 1 {
		t.misuse("mempool of %s with a reserve of %d", typ, min)
	}
	if err := t.MayFail(GFP_KERNEL, "mempool"); err != OK {
		return err
	}
	t.Own(&p.obj, "mempool", typ)
	p.typ, p.min, p.left = typ, min, min
	return OK
}

// Alloc is mempool_alloc. It looks for memory first, and does not sleep for that; and next
// in the reserve.
func (p *Mempool) Alloc(t *Task, gfp GFP, m *Mem) Errno {
	t.MightAlloc(gfp, p.typ)
	if !t.K.exhausted && (!t.K.short || t.allocate((gfp|GFP_NORETRY|GFP_NOWARN)&^(GFP_DIRECT_RECLAIM|GFP_IO|GFP_NOFAIL), p.typ) == OK) {
		t.born(m, p.typ)
		return OK
	}
	op := sim.Op{Verb: "mempool_alloc", Obj: &p.obj}
	if gfp.maySleep() {
		op.Guard = p
	}
	t.Step(op)
	if p.left == 0 {
		t.Did(sim.Read)
		return ENOMEM
	}
	t.Locked(&p.obj)
	p.left--
	t.born(m, p.typ)
	return OK
}

// Ready tells whether the reserve has an element.
func (p *Mempool) Ready(*sim.Task) bool { return p.left > 0 }

// Explain says why a task waits.
func (p *Mempool) Explain(*sim.Task) string { return "all elements of the reserve are in use" }

// Free is mempool_free: the element goes to the reserve if one is missing there. Any
// context.
func (p *Mempool) Free(t *Task, m *Mem) {
	t.Step(sim.Op{Verb: "mempool_free", Obj: &p.obj})
	t.Locked(&p.obj)
	if m.state != freed && m.typ != p.typ {
		t.misuse("%s does not come from the mempool of %s", m, p.typ)
	}
	t.Free(m)
	if p.left == p.min {
		t.Did(sim.Read)
		return
	}
	p.left++
}

// Exhaust leaves no memory but reserves, from now on: mempools live on theirs.
func (k *Kernel) Exhaust() { k.exhausted = true }

// Exhausted tells whether Exhaust was called.
func (k *Kernel) Exhausted() bool { return k.exhausted }
