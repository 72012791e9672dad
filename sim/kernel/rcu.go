package kernel

import "dmasim/sim"

// rcuState knows the read sections that are open. Sections are numbered in the
// order in which they begin; a grace period waits for those that had a number when
// it started.
type rcuState struct {
	sim.Object
	seq     int
	readers []*Task
	// For the order of a run: the sections that have ended, and the grace periods that have
	// begun; the callbacks that have returned.
	ended, begun, callbacksDone sim.Object
	early                       []earlyFree // see FreeRCU

	called    int // callbacks so far
	callbacks []*rcuCallback
	lazy      bool       // see RCULazy
	lazyTimer *sim.Timer // armed while callbacks are delayed
	kfrees    []*kfree
}

// Readers commute with readers, grace periods with grace periods, and barriers with
// barriers; none of them commutes with the others.
const (
	rcuReader = sim.Commute + iota
	rcuGrace
	rcuFlush
)

func (r *rcuState) begin(t *Task) {
	r.seq++
	t.reading, t.rcuSeq = true, r.seq
	r.readers = append(r.readers, t)
	t.Touch(&r.Object, rcuReader)
	t.Acquire(&r.begun)
}

func (r *rcuState) end(t *Task) {
	t.reading = false
	for i, u := range r.readers {
		if u == t {
			r.readers = append(r.readers[:i], r.readers[i+1:]...)
			break
		}
	}
	t.Touch(&r.Object, rcuReader)
	t.Release(&r.ended)
	r.reap(t)
}

// gracePeriod is ready when the sections up to seq have ended.
type gracePeriod struct {
	r   *rcuState
	seq int
}

func (g gracePeriod) Ready(*sim.Task) bool {
	for _, t := range g.r.readers {
		if t.rcuSeq <= g.seq {
			return false
		}
	}
	return true
}

func (g gracePeriod) Owners(*sim.Task) []*sim.Task {
	var out []*sim.Task
	for _, t := range g.r.readers {
		if t.rcuSeq <= g.seq {
			out = append(out, t.Task)
		}
	}
	return out
}

// RCUReadLock is rcu_read_lock; sections nest.
func (t *Task) RCUReadLock() { t.rcu++ }

// RCUReadLockHere is rcu_read_lock for a section that begins with the operation that was
// granted last: what is read as part of that belongs to the section.
func (t *Task) RCUReadLockHere() {
	t.RCUReadLock()
	if !t.reading {
		t.K.rcu.begin(t)
	}
}

// RCUReadUnlock is rcu_read_unlock.
func (t *Task) RCUReadUnlock() {
	if t.rcu == 0 {
		t.Fail(sim.Misuse, "rcu_read_unlock outside a read section (%s)", t.Task)
	}
	t.rcu--
	if t.rcu == 0 && t.reading {
		t.K.rcu.end(t)
	}
}

// SynchronizeRCU is synchronize_rcu: returns after a full grace period.
func (t *Task) SynchronizeRCU() { t.synchronizeRCU("synchronize_rcu") }

// SynchronizeRCUExpedited is synchronize_rcu_expedited: the same grace period, bought with
// interrupts to all CPUs.
func (t *Task) SynchronizeRCUExpedited() { t.synchronizeRCU("synchronize_rcu_expedited") }

func (t *Task) synchronizeRCU(call string) {
	r := &t.K.rcu
	t.mayWaitForReaders(call)
	t.Step(sim.Op{Verb: call, Obj: &r.Object, Class: rcuGrace})
	t.Release(&r.begun)
	t.SmpMb()
	t.Step(sim.Op{Verb: "grace period", Obj: &r.Object, Class: rcuGrace, Guard: gracePeriod{r, r.seq}})
	t.Acquire(&r.ended)
	t.SmpMb()
}

// mayWaitForReaders fails the run if t would wait for itself.
func (t *Task) mayWaitForReaders(call string) {
	if t.rcu > 0 && t.ctx < InSoftirq {
		t.Fail(Context, "%s inside an RCU read section: deadlock (%s)", call, t.Task)
	}
	t.MightSleep(call, "")
}

// GPState is a cookie of polled grace periods: the number of the one that it asks for.
type GPState struct{ over *bool }

// StartPollSynchronizeRCU is start_poll_synchronize_rcu: a grace period starts, and
// PollStateSynchronizeRCU tells when it is over. Any context.
func (t *Task) StartPollSynchronizeRCU() GPState {
	r := &t.K.rcu
	t.Step(sim.Op{Verb: "start_poll_synchronize_rcu", Obj: &r.Object, Class: rcuGrace})
	t.Release(&r.begun)
	over := new(bool)
	t.spawn(InWorker, "rcu_gp", sim.Op{Verb: "grace period", Obj: &r.Object, Class: rcuGrace, Guard: gracePeriod{r, r.seq}}, func(t *Task) {
		*over = true
		t.Touch(&r.Object, sim.Write)
	})
	return GPState{over}
}

// PollStateSynchronizeRCU is poll_state_synchronize_rcu. It does not wait.
func (t *Task) PollStateSynchronizeRCU(s GPState) bool {
	t.Step(sim.Op{Verb: "poll_state_synchronize_rcu", Obj: &t.K.rcu.Object, Class: sim.Read})
	if *s.over {
		t.Acquire(&t.K.rcu.ended)
	}
	return *s.over
}

// CondSynchronizeRCU is cond_synchronize_rcu: it waits if the grace period is not over.
func (t *Task) CondSynchronizeRCU(s GPState) {
	t.mayWaitForReaders("cond_synchronize_rcu")
	t.Await("cond_synchronize_rcu", &t.K.rcu.Object, sim.Read, func() bool { return *s.over })
	t.Acquire(&t.K.rcu.ended)
}
