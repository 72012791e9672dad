package kernel

import "dmasim/sim"

// Completion is struct completion (kernel/sched/completion.c).
type Completion struct {
	obj  sim.Object
	mem  *Mem
	done uint
	all  bool
}

// Init is init_completion, as part of in (nil: static storage).
func (c *Completion) Init(t *Task, in *Mem, name string) {
	t.own(&c.obj, in, "completion", name)
	c.mem, c.done, c.all = in, 0, false
}

// Ready tells whether a wait would end at once.
func (c *Completion) Ready(*sim.Task) bool { return c.done > 0 || c.all }

// Complete is complete: lets one waiter through, now or later. Any context.
func (c *Completion) Complete(t *Task) {
	t.Step(sim.Op{Verb: "complete", Obj: &c.obj})
	t.Check(c.mem)
	c.done++
}

// CompleteAll is complete_all: lets every waiter through until reinit.
func (c *Completion) CompleteAll(t *Task) {
	t.Step(sim.Op{Verb: "complete_all", Obj: &c.obj})
	t.Check(c.mem)
	c.all = true
}

// Wait is wait_for_completion.
func (c *Completion) Wait(t *Task) {
	t.MightSleep("wait_for_completion", c.obj.Name)
	t.Step(sim.Op{Verb: "wait_for_completion", Obj: &c.obj, Guard: c})
	t.Check(c.mem)
	if !c.all {
		c.done--
	}
}

// Reinit is reinit_completion.
func (c *Completion) Reinit(t *Task) {
	t.Step(sim.Op{Verb: "reinit_completion", Obj: &c.obj})
	t.Check(c.mem)
	c.done, c.all = 0, false
}
