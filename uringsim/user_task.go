package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// ClosedLoop is a task that keeps depth requests in flight until n were made: next makes the
// i-th, done is told of each completion.
func (r *Ring) ClosedLoop(t *kernel.Task, depth, n int, next func(i int) SQE, done func(c CQE)) {
	submitted, ended := 0, 0
	for ; submitted < min(depth, n); submitted++ {
		r.Submit(t, next(submitted))
	}
	for ; ended < n; ended++ {
		done(r.WaitCQE(t))
		if submitted < n {
			r.Submit(t, next(submitted))
			submitted++
		}
	}
}

// InUserMode has the task compute in user mode until cond, which reads obj, holds, as one
// that spins on memory does. It does not enter the kernel: what notifies as a signal does
// interrupts it, so a default ring's completions are handled meanwhile, and those of
// COOP_TASKRUN and DEFER_TASKRUN are not.
func (r *Ring) InUserMode(t *kernel.Task, verb string, obj *sim.Object, cond func() bool) {
	if r.has(IORING_SETUP_COOP_TASKRUN) || r.has(IORING_SETUP_DEFER_TASKRUN) {
		t.Await(verb, obj, sim.Read, cond)
		return
	}
	for holds := false; !holds; holds = cond() {
		t.Sleep(sim.Op{Verb: verb, Obj: obj, Class: sim.Read, Guard: until(cond)}, kernel.Interruptible, kernel.MaxScheduleTimeout)
		t.RunTaskWork()
		t.Touch(obj, sim.Read)
	}
}

type until func() bool

func (u until) Ready(*sim.Task) bool { return u() }
