package kernel

import (
	"fmt"
	"strings"

	"dmasim/sim"
)

// Ctx is the kind of context that code runs in.
type Ctx uint8

const (
	InTask Ctx = iota
	InWorker
	InSoftirq
	InRCUCallback // as a softirq, and named in reports
	InHardirq
)

var ctxNames = [...]string{"task", "worker", "softirq", "RCU callback", "hardirq"}

func (c Ctx) String() string { return ctxNames[c] }

// Context returns the context that t runs in.
func (t *Task) Context() Ctx { return t.ctx }

// PreemptDisable is preempt_disable; sections nest. To RCU they are read sections.
func (t *Task) PreemptDisable() {
	t.preempt++
	t.RCUReadLock()
}

// PreemptEnable is preempt_enable.
func (t *Task) PreemptEnable() {
	if t.preempt == 0 {
		t.violation("preempt_enable without preempt_disable")
	}
	t.preempt--
	t.RCUReadUnlock()
}

// InAtomic is in_atomic(): the code must not sleep because of where it runs. As the
// kernel's, it does not see that interrupts are off, nor an RCU read section.
func (t *Task) InAtomic() bool { return t.ctx >= InSoftirq || t.preempt > 0 || t.bh > 0 }

// IrqsDisabled is irqs_disabled().
func (t *Task) IrqsDisabled() bool { return t.irqsOff }

// MightSleep fails the run if t is in a context that may not sleep, even if it
// would not have had to (C-CTX-01). The call and its object are for the message.
func (t *Task) MightSleep(call, object string) {
	if t.ctx < InSoftirq && t.rcu|t.preempt|t.bh == 0 && !t.irqsOff {
		if t.drowsy {
			t.notRunning(call)
		}
		return
	}
	if object != "" {
		call += "(" + object + ")"
	}
	t.violation("sleeping function called from invalid context: %s in %s", call, t.where())
}

// where says what keeps t from sleeping, the strongest reason first.
func (t *Task) where() string {
	switch {
	case t.ctx >= InSoftirq:
		return t.ctx.String() + " context"
	case t.spinning() > 0:
		return "a section under spinlock " + t.spins[len(t.spins)-1].obj.Name
	case t.irqsOff:
		return "a section with interrupts off"
	case t.preempt > 0:
		return "an atomic section"
	case t.bh > 0:
		return "a section with softirqs off"
	case t.rcu > 0:
		return "an RCU read section"
	}
	return t.ctx.String() + " context"
}

// violation fails the run because of what t did where it did it, and names the chain of
// calls and what t holds, as a debug kernel does.
func (t *Task) violation(format string, args ...any) {
	t.FailWith(Context, t.circumstances(), "BUG: %s (%s)", fmt.Sprintf(format, args...), t.Name)
}

// notInInterrupt fails the run if a call that is for tasks alone is made from a handler,
// even if it would have done no harm.
func (t *Task) notInInterrupt(call, object string) {
	if t.ctx >= InSoftirq {
		t.violation("%s(%s) in %s context", call, object, t.ctx)
	}
}

func (t *Task) circumstances() []string {
	n := t.preempt + t.bh
	if t.ctx >= InSoftirq {
		n++
	}
	out := []string{fmt.Sprintf("in_atomic(): %d, irqs_disabled(): %d, RCU nest depth: %d, name: %s", n, boolInt(t.irqsOff), t.rcu, t.Name)}
	if len(t.held) > 0 {
		out = append(out, "locks held: "+t.locksHeld())
	}
	return append(out, "Call trace: "+strings.Join(calls(), " <- "))
}

// calls is sim.CallChain from the kernel function on that was called.
func calls() []string {
	out := sim.CallChain()[1:] // without this one
	const method = "kernel.(*Task)."
	for len(out) > 1 && strings.HasPrefix(out[0], method) && out[0][len(method)] >= 'a' {
		out = out[1:]
	}
	return out
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// returned does the checks of a debug kernel when a task's or a worker's function has
// returned (C-CTX-03).
func (t *Task) returned() {
	switch {
	case t.preempt > 0 && t.preempt > t.spinning():
		t.violation("returned with preemption disabled %d time(s)", t.preempt)
	case t.irqsOff && t.ctx != InHardirq && t.spinning() == 0:
		t.violation("returned with interrupts disabled")
	case t.rcu > 0 && t.preempt+t.bh == 0:
		t.violation("%s returned inside %d RCU read section(s)", t.Name, t.rcu)
	case len(t.held) > 0:
		t.violation("%s returned with locks held: %s", t.Name, t.locksHeld())
	}
}
