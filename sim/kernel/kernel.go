package kernel

import "dmasim/sim"

// Kernel is the state that all tasks of a run share.
type Kernel struct {
	// Profile is the version of the kernel that is modelled where versions differ.
	Profile Profile
	// Lockdep predicts deadlocks from the order in which locks are taken.
	Lockdep Lockdep
	// DflActive replaces WQ_DFL_ACTIVE if it is not 0, before anything is queued: programs can then
	// reach the limit with few items.
	DflActive int
	// NoFenceRules turns the checks of the rules of fences off.
	NoFenceRules bool
	// Deps keeps what a signal can depend on.
	Deps Deps
	// Races finds data races.
	Races Races
	// The queues that everybody shares, none of them with a rescuer. SystemWq is system_wq and
	// SystemUnboundWq system_unbound_wq; newer kernels call them SystemPercpuWq and SystemDflWq.
	SystemWq, SystemUnboundWq, SystemPercpuWq, SystemDflWq *Workqueue

	rcu        rcuState
	workers    workerState
	memory     []*Mem
	ordinals   map[string]int // of the objects of a type
	percpuRefs []*PercpuRef
	files      []*File
	fput       deferredFput
	refSwitch  refSwitchLock
	warned     map[string]bool // see Task.flagOnce
	racing     map[string]bool // timers
	wwClasses  map[string]*WWClass
	subsystems map[any]any
	sorts      map[*sim.Task]string // of tasks, see isA

	shrinkers, notifiers   []reclaimer
	fsReclaim, mmuNotifier *LockMap

	short     bool // allocations may fail, or enter reclaim
	exhausted bool
	injection sim.Object // written by allocations at the sites of faults
	faults    []siteFault
	plans     []*faultPlan
	pressure  pressure
	settled   []func(t *Task)
}

// WhenSettled has fn called at the end of the explored phase, by the first task: all others have
// ended, so what did not happen by then does not happen by itself.
func (k *Kernel) WhenSettled(fn func(t *Task)) { k.settled = append(k.settled, fn) }

// Boot starts a kernel and returns its first task, which runs the set-up.
func Boot(t *sim.Task) *Task {
	k := &Kernel{Profile: RFCBase}
	k0 := &Task{Task: t, K: k, ctx: InTask}
	m := t.Machine()
	if old, ok := m.Room.(*Kernel); ok && m.Value == nil { // of the run before this one
		k.takeRoom(old)
	}
	m.Value, m.Room = k, k
	t.Own(&k0.twork, "task_work", t.Name+".task_works")
	t.Own(&k.rcu.Object, "rcu", "rcu")
	t.Own(&k.injection, "fault injection", "fault injection")
	k.refSwitch.init(k0)
	k.systemWorkqueues(k0)
	k.fput.init(k0)
	t.Machine().Audit(k.auditMemory)
	t.Machine().Audit(k.auditFiles)
	t.Machine().Audit(k.auditPercpuRefs)
	return k0
}

// takeRoom takes over what a kernel that has come to its end has room in.
func (k *Kernel) takeRoom(old *Kernel) {
	k.Deps.notes, k.Deps.births = old.Deps.notes[:0], old.Deps.births[:0]
	k.memory = old.memory[:0]
	k.ordinals, k.sorts, k.subsystems = old.ordinals, old.sorts, old.subsystems
	clear(k.ordinals)
	clear(k.sorts)
	clear(k.subsystems)
}
