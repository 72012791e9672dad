package kernel

import (
	"math"

	"dmasim/sim"
)

// Completion is struct completion (kernel/sched/completion.c): a count of what is done and
// has been waited for by nobody yet, and a queue of those that wait, oldest first.
//
// A wait that finds something done is one operation. One that does not takes its place in
// the queue with that operation, and sleeps with a second one. Who is woken and finds that
// a task which came later has taken what was done goes to the end of the queue.
type Completion struct {
	// OneWaiter is a promise that no two tasks wait at the same time. Then there is no order
	// of waiters to be kept, and every wait is one operation.
	OneWaiter bool

	obj     sim.Object
	mem     *Mem
	done    uint32
	waiters []*completionWaiter
	// leaving counts those that complete_all has woken and that have not run since.
	leaving int
	sole    *Task // that waits, with OneWaiter
}

// doneForAll is UINT_MAX: done for whoever waits, until reinit.
const doneForAll = math.MaxUint32

// completionWaiter is struct swait_queue; as a guard it is ready once it was woken.
type completionWaiter struct {
	queued bool
	all    bool // woken by complete_all
}

func (w *completionWaiter) Ready(*sim.Task) bool { return !w.queued }

// Init is init_completion, as part of in (nil: static storage).
func (c *Completion) Init(t *Task, in *Mem, name string) {
	t.own(&c.obj, in, "completion", name)
	c.mem, c.done, c.waiters, c.leaving, c.sole = in, 0, nil, 0, nil
}

// Ready tells whether a wait would end at once.
func (c *Completion) Ready(*sim.Task) bool { return c.done > 0 }

// Complete is complete: lets the waiter through that has waited longest, or the next one
// that comes. Any context.
func (c *Completion) Complete(t *Task) {
	c.step(t, "complete")
	if c.done != doneForAll {
		c.done++
	} else if len(c.waiters) == 0 {
		t.Did(sim.Read)
	}
	if len(c.waiters) > 0 {
		c.dequeue(c.waiters[0])
	}
}

// CompleteAll is complete_all: lets every waiter through until reinit. Any context.
func (c *Completion) CompleteAll(t *Task) {
	c.step(t, "complete_all")
	if c.done == doneForAll && len(c.waiters) == 0 {
		t.Did(sim.Read)
	}
	c.done = doneForAll
	for len(c.waiters) > 0 {
		c.waiters[0].all = true
		c.leaving++
		c.dequeue(c.waiters[0])
	}
}

// Reinit is reinit_completion. Those that complete_all has woken must have left: what they
// were woken for is taken from them otherwise, and they wait on.
func (c *Completion) Reinit(t *Task) {
	t.Step(sim.Op{Verb: "reinit_completion", Obj: &c.obj})
	t.Check(c.mem)
	c.done = 0
	if c.leaving > 0 {
		t.Warn("reinit_completion(%s) by %s while %d waiter(s) of complete_all have not left", c.obj.Name, t.Task, c.leaving)
	}
}

// Done is completion_done: false if a wait would have to sleep. Any context.
func (c *Completion) Done(t *Task) bool {
	t.Step(sim.Op{Verb: "completion_done", Obj: &c.obj, Class: sim.Read})
	t.Check(c.mem)
	if c.done > 0 {
		t.Locked(&c.obj)
	}
	return c.done > 0
}

// TryWait is try_wait_for_completion: takes what is done, if there is something, and
// never sleeps. Any context.
func (c *Completion) TryWait(t *Task) bool {
	t.Step(sim.Op{Verb: "try_wait_for_completion", Obj: &c.obj})
	t.Check(c.mem)
	if c.done > 0 {
		t.Locked(&c.obj)
	}
	if c.done == 0 || c.done == doneForAll {
		t.Did(sim.Read)
	}
	return c.take()
}

// Wait is wait_for_completion.
func (c *Completion) Wait(t *Task) {
	c.wait(t, "wait_for_completion", Uninterruptible, MaxScheduleTimeout)
}

// WaitTimeout is wait_for_completion_timeout: 0 if the time is over and nothing done,
// otherwise what is left of it, at least 1.
func (c *Completion) WaitTimeout(t *Task, timeout Jiffies) Jiffies {
	left, _ := c.wait(t, "wait_for_completion_timeout", Uninterruptible, timeout)
	return left
}

// WaitInterruptible is wait_for_completion_interruptible: -ERESTARTSYS after a signal.
func (c *Completion) WaitInterruptible(t *Task) Errno {
	_, err := c.wait(t, "wait_for_completion_interruptible", Interruptible, MaxScheduleTimeout)
	return err
}

// WaitKillable is wait_for_completion_killable: -ERESTARTSYS after a fatal signal.
func (c *Completion) WaitKillable(t *Task) Errno {
	_, err := c.wait(t, "wait_for_completion_killable", Killable, MaxScheduleTimeout)
	return err
}

// WaitInterruptibleTimeout is wait_for_completion_interruptible_timeout.
func (c *Completion) WaitInterruptibleTimeout(t *Task, timeout Jiffies) (Jiffies, Errno) {
	return c.wait(t, "wait_for_completion_interruptible_timeout", Interruptible, timeout)
}

// WaitKillableTimeout is wait_for_completion_killable_timeout.
func (c *Completion) WaitKillableTimeout(t *Task, timeout Jiffies) (Jiffies, Errno) {
	return c.wait(t, "wait_for_completion_killable_timeout", Killable, timeout)
}

// wait returns what is left of the timeout, at least 1 if it took something that was done.
// That decides before the timeout does, and the timeout before a signal; and a signal is
// not looked at while something is done.
func (c *Completion) wait(t *Task, call string, s State, timeout Jiffies) (Jiffies, Errno) {
	t.MightSleep(call, c.obj.Name)
	if c.OneWaiter {
		return c.waitAlone(t, call, s, timeout)
	}
	c.step(t, call)
	if c.done == doneForAll {
		t.Did(sim.Read)
	}
	w := &completionWaiter{}
	var err Errno
	for c.done == 0 {
		if t.signalled(s) {
			err = ERESTARTSYS
			break
		}
		if !w.queued {
			w.queued = true
			c.waiters = append(c.waiters, w)
		}
		timeout = t.sleep(sim.Op{Verb: call, Obj: &c.obj, Guard: w}, s, timeout).left
		t.Check(c.mem)
		t.Locked(&c.obj)
		if w.all {
			w.all = false
			c.leaving--
		}
		if timeout == 0 {
			break
		}
	}
	c.dequeue(w)
	if !c.take() {
		if err != OK {
			timeout = 0
		}
		return timeout, err
	}
	return max(timeout, 1), OK
}

func (c *Completion) waitAlone(t *Task, call string, s State, timeout Jiffies) (Jiffies, Errno) {
	if c.sole != nil {
		t.Fail(sim.Misuse, "%s waits for %s, which %s waits for, too; it is said to have one waiter", t.Task, c.obj.Name, c.sole.Task)
	}
	c.sole = t
	r := t.sleep(sim.Op{Verb: call, Obj: &c.obj, Guard: c}, s, timeout)
	c.sole = nil
	t.Check(c.mem)
	t.Locked(&c.obj)
	if c.done == doneForAll {
		t.Did(sim.Read)
	}
	switch {
	case c.take():
		return max(r.left, 1), OK
	case r.expired:
		return 0, OK
	}
	return 0, ERESTARTSYS
}

func (c *Completion) step(t *Task, verb string) {
	t.Step(sim.Op{Verb: verb, Obj: &c.obj})
	t.Check(c.mem)
	t.Locked(&c.obj)
}

// take consumes one of what is done.
func (c *Completion) take() bool {
	if c.done == 0 {
		return false
	}
	if c.done != doneForAll {
		c.done--
	}
	return true
}

func (c *Completion) dequeue(w *completionWaiter) {
	for i, u := range c.waiters {
		if u == w {
			c.waiters = append(c.waiters[:i], c.waiters[i+1:]...)
			break
		}
	}
	w.queued = false
}
