package main

import "dmasim/sim"

// kinds is the fixed set of kinds of failure. A word is never given another
// meaning; one that is reserved is reported by nothing yet.
var kinds = []struct {
	kind     sim.Kind
	doc      string
	reserved bool
}{
	{"stale-dma", "a device used pages of a buffer after they had been given to somebody else", false},
	{"data-corruption", "an I/O completed with other data than the reference model has", false},
	{"iommu-fault", "a device used a bus address that is not mapped", false},
	{"use-after-free", "an object was used after its last reference was dropped", false},
	{"double-free", "an object was freed twice", false},
	{"refcount", "a reference count went below zero, or up from zero", false},
	{"leak", "something is left over at the end: a reference, a tag, a mapping, a lock, a fence", false},
	{"deadlock", "no task can take a step", false},
	{"lost-wakeup", "a task waits for something that nobody holds, and nobody is left to bring it about", false},
	{"stall", "only a timer that exists for recovery could make the run go on", false},
	{sim.Livelock, "tasks repeat the same steps until the step bound, or an operation until its retry limit, and get nowhere", false},
	{sim.Starvation, "a task repeats the same steps until the step bound, while others get on", false},
	{sim.StepBound, "the run reached its step bound, and repeats nothing", false},
	{"lock-order", "locks are taken in an order that can deadlock, though this run did not", false},
	{"data-race", "two tasks accessed a plain field without an order between them", false},
	{"fence-rule", "a published fence depends on something that may wait for it, or need not happen", false},
	{"context", "an operation that may sleep in a context that must not", false},
	{"lost-completion", "an I/O never completed", false},
	{"double-completion", "an I/O completed twice", false},
	{"over-limits", "a request was sent to a device that had said it cannot do that", false},
	{"wrong-errno", "an operation returned another error than the specification says", false},
	{sim.Bug, "the model itself panicked, or called BUG()", false},
	{sim.Warn, "the model warned, and nothing worse happened", false},
	{sim.Nondeterminism, "the same schedule gave two different runs", false},
	{sim.NoSchedulingPoints, "the program has nothing to explore", false},
	{sim.Misuse, "the simulator was used in a way that has no meaning", false},
}
