package kernel

import (
	"math"

	"dmasim/sim"
)

// Jiffies is a time in ticks of the kernel's clock.
type Jiffies int64

const (
	// HZ is the number of ticks of a second.
	HZ Jiffies = 1000
	// MaxScheduleTimeout is MAX_SCHEDULE_TIMEOUT: no timeout.
	MaxScheduleTimeout Jiffies = math.MaxInt64

	nanoseconds = 1_000_000_000 / int64(HZ) // of a tick
)

// Jiffies is the kernel's clock.
func (k *Kernel) Jiffies(t *Task) Jiffies { return Jiffies(t.Machine().Now() / nanoseconds) }

// Race makes the timers of these names, timeouts of waits included, fire at any point
// from when they are armed, where others fire only when nothing else can run. A timeout
// has the name of the call that it ends: "wait_for_completion_timeout".
func (k *Kernel) Race(names ...string) {
	if k.racing == nil {
		k.racing = map[string]bool{}
	}
	for _, n := range names {
		k.racing[n] = true
	}
}

func (k *Kernel) timerMode(name string) sim.TimerMode {
	if k.racing[name] {
		return sim.Racing
	}
	return sim.Quiet
}

// State is what a sleeping task can be woken by, besides what it waits for.
type State uint8

const (
	Uninterruptible State = iota // TASK_UNINTERRUPTIBLE
	Interruptible                // TASK_INTERRUPTIBLE: any signal
	Killable                     // TASK_KILLABLE: a fatal signal
)

// Await waits until cond holds, as one operation on obj.
func (t *Task) Await(verb string, obj *sim.Object, class sim.Class, cond func() bool) {
	t.Step(sim.Op{Verb: verb, Obj: obj, Class: class, Guard: when(cond)})
}

type when func() bool

func (w when) Ready(*sim.Task) bool { return w() }

// slept is what a wait found when it ended. More than one can be the case, and which of
// them decides is up to the call.
type slept struct {
	ready   bool // what was waited for
	signal  bool
	expired bool
	// left is what is left of the timeout, at least 1 if it has not expired.
	left Jiffies
}

// sleep is an operation that waits for its guard, and no longer than for a signal that its
// state admits, or until the timeout. The timer is armed before the operation is announced.
func (t *Task) sleep(op sim.Op, state State, timeout Jiffies) slept {
	limited := timeout != MaxScheduleTimeout
	if !limited && state == Uninterruptible {
		t.Step(op)
		return slept{ready: true, left: timeout}
	}
	s := &sleeper{t: t, cond: op.Guard, state: state}
	if timeout <= 0 { // it does not wait
		op.Guard = nil
		t.Step(op)
		return slept{ready: s.ready(), signal: t.signalled(state), expired: true}
	}
	op.Guard = s
	if o := t.wake(); o != op.Obj {
		op.Also = o
	}
	if !limited {
		t.Step(op)
		t.Acquire(&t.woken)
		return slept{ready: s.ready(), signal: t.interrupted(state), left: timeout}
	}
	until := t.K.Jiffies(t) + timeout
	timer := t.After(int64(timeout)*nanoseconds, t.K.timerMode(op.Verb), op.Verb+" timeout", func(st *sim.Task) {
		st.Touch(&t.woken, sim.Write)
		s.expired, t.asleep = true, false
	})
	t.Step(op)
	t.Acquire(&t.woken)
	if !s.expired {
		timer.Cancel(t.Task)
	}
	left := max(until-t.K.Jiffies(t), 1)
	if s.expired {
		left = 0
	}
	return slept{s.ready(), t.interrupted(state), s.expired, left}
}

// sleeper is the guard of a wait that can end early.
type sleeper struct {
	t       *Task
	cond    sim.Guard
	state   State
	expired bool
}

func (s *sleeper) ready() bool { return s.cond == nil || s.cond.Ready(s.t.Task) }

func (s *sleeper) Ready(*sim.Task) bool {
	return s.expired || s.ready() || s.t.interrupted(s.state)
}

func (s *sleeper) Owners(t *sim.Task) []*sim.Task {
	if o, ok := s.cond.(sim.Owned); ok {
		return o.Owners(t)
	}
	return nil
}

func (s *sleeper) Explain(t *sim.Task) string {
	if e, ok := s.cond.(sim.Explained); ok {
		return e.Explain(t)
	}
	return ""
}

// wake is the object that stands for what can end a wait of t early.
func (t *Task) wake() *sim.Object {
	if t.woken.Key() == 0 {
		t.OwnOf(&t.woken, t.Task, 1, "task", t.Name)
	}
	return &t.woken
}
