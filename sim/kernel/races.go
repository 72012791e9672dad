package kernel

import (
	"cmp"
	"fmt"
	"strings"

	"dmasim/sim"
)

// DataRace: two plain accesses of a field, one of them a write, by tasks that nothing orders.
const DataRace sim.Kind = "data-race"

// Races is the check for data races, as KCSAN reports them (kernel/kcsan): of two accesses of
// one Field by different tasks, at least one of which writes, one must happen before the other.
// It is found in any run in which both occur, however far apart.
//
// What happens before what follows the kernel's memory model (tools/memory-model):
//
//   - giving up a lock, of whatever type, before taking it; a try that fails orders nothing;
//   - the creation of a task before it, and its end before a join; raising an interrupt before
//     the handler, arming a timer before its function, queueing a work before its function, even
//     if it was queued already, and that before a flush or cancel that waited for it;
//   - dropping a reference before what the last one does, but taking one orders nothing;
//   - complete before the wait that it ends, a wake-up before the end of the sleep that it ends;
//     a condition that held at once was not waited for and orders what its own loads do;
//   - rcu_assign_pointer before an rcu_dereference that sees it, with all that follows, where the
//     kernel promises it of accesses through the pointer only;
//   - read sections that began before a grace period before its end, and its beginning before
//     sections that begin later;
//   - of Shared fields, StoreRelease before LoadAcquire, atomic updates, and Store before Load
//     if a barrier is on both sides: SmpWmb or SmpMb, and SmpRmb or SmpMb. Store and Load alone
//     order nothing. A barrier counts for reads and for writes alike.
//
// Having interrupts or preemption off orders nothing: an interrupt comes on any CPU. Freeing
// an object counts as a write to its fields.
type Races struct {
	// Off turns the check off.
	Off bool
}

// SmpMb is smp_mb: a full barrier. The machine is sequentially consistent, so it is no
// operation; it counts for what is a data race.
func (t *Task) SmpMb() {
	t.FenceAcquire()
	t.FenceRelease()
}

// SmpRmb is smp_rmb; see SmpMb.
func (t *Task) SmpRmb() { t.FenceAcquire() }

// SmpWmb is smp_wmb; see SmpMb.
func (t *Task) SmpWmb() { t.FenceRelease() }

// FullyOrdered is the order of an atomic operation on o that returns a value.
func (t *Task) FullyOrdered(o *sim.Object) {
	t.FenceAcquire()
	t.Acquire(o)
	t.Release(o)
	t.FenceRelease()
}

// Locked is the order of a section under a lock that o stands for, within one operation.
func (t *Task) Locked(o *sim.Object) {
	t.Acquire(o)
	t.Release(o)
}

// plainAccesses knows the accesses of a field that a later one can race with.
type plainAccesses struct {
	name    string
	written plainAccess
	reads   []plainAccess  // since then, the latest of each task
	first   [1]plainAccess // room for reads
	told    bool
	next    *plainAccesses // of the same memory
}

// plainAccess is an access of a field.
type plainAccess struct {
	at   sim.Stamp
	step int32
	ctx  Ctx
	how  accessKind
	seen *circumstance // nil unless somebody reads the trace
}

type accessKind uint8

const (
	readOf accessKind = iota
	writeTo
	initOf
	kfreeOf
)

var accessNames = [...]string{"read of", "write to", "initialisation of", "kfree of"}

// circumstance is what a report tells of an access besides.
type circumstance struct {
	locks string
	calls []string
}

func (a *plainAccesses) init(t *Task, in *Mem, name string) {
	*a = plainAccesses{name: name, next: a.next}
	if t.K.Races.Off {
		return
	}
	a.note(t, &a.written, initOf)
	if in != nil && !in.knows(a) {
		a.next, in.fields = in.fields, a
	}
}

func (m *Mem) knows(a *plainAccesses) bool {
	for f := m.fields; f != nil; f = f.next {
		if f == a {
			return true
		}
	}
	return false
}

// note makes p the access that t does now.
func (a *plainAccesses) note(t *Task, p *plainAccess, how accessKind) {
	*p = plainAccess{at: t.Stamp(), step: int32(t.Machine().Steps()), ctx: t.ctx, how: how}
	if t.Tracing() {
		c := &circumstance{t.locksHeld(), calls()}
		for len(c.calls) > 1 && strings.HasPrefix(c.calls[0], "kernel.(*plainAccesses).") {
			c.calls = c.calls[1:]
		}
		p.seen = c
	}
}

func (a *plainAccesses) read(t *Task) {
	if t.K.Races.Off {
		return
	}
	mine := a.readBy(t)
	if mine != nil && mine.at == t.Stamp() {
		return // nobody has written since
	}
	if !t.Follows(a.written.at) {
		a.race(t, &a.written, readOf)
	}
	if mine == nil {
		if a.reads == nil {
			a.reads = a.first[:0]
		}
		a.reads = append(a.reads, plainAccess{})
		mine = &a.reads[len(a.reads)-1]
	}
	a.note(t, mine, readOf)
}

func (a *plainAccesses) readBy(t *Task) *plainAccess {
	for i := range a.reads {
		if a.reads[i].at.Task() == t.Task {
			return &a.reads[i]
		}
	}
	return nil
}

func (a *plainAccesses) write(t *Task, how accessKind) {
	if t.K.Races.Off {
		return
	}
	if !t.Follows(a.written.at) {
		a.race(t, &a.written, how)
	}
	for i := range a.reads {
		if r := &a.reads[i]; !t.Follows(r.at) {
			a.race(t, r, how)
		}
	}
	a.reads = a.reads[:0]
	a.note(t, &a.written, how)
}

// freed is the free of the memory that the fields are part of.
func (a *plainAccesses) freed(t *Task) {
	for ; a != nil; a = a.next {
		a.write(t, kfreeOf)
	}
}

// race reports what t does now and what another task did.
func (a *plainAccesses) race(t *Task, other *plainAccess, how accessKind) {
	if a.told {
		return
	}
	a.told = true
	var now plainAccess
	a.note(t, &now, how)
	name := cmp.Or(a.name, "a field")
	t.Flag(DataRace, append(now.tell(name), other.tell(name)...), "BUG: KCSAN: data-race in %s / %s: %s %s, and %s it",
		other.at.Task().Name, t.Name, accessNames[other.how], name, accessNames[how])
}

// tell describes an access as KCSAN does.
func (p *plainAccess) tell(name string) []string {
	line := fmt.Sprintf("%s %s by %s at step %d, in %s context", accessNames[p.how], name, p.at.Task(), p.step, p.ctx)
	if p.seen == nil {
		return []string{line}
	}
	if p.seen.locks != "" {
		line += ", locks held: " + p.seen.locks
	}
	return []string{line, "  Call trace: " + strings.Join(p.seen.calls, " <- ")}
}
