// Package kernel models the primitives that a protocol in the Linux kernel stands
// on: locks, reference counts, RCU, workqueues, completions, allocation.
//
// # How Linux does it
//
// The primitives live in kernel/locking, kernel/rcu, kernel/workqueue.c, lib/ and
// mm/. A debug kernel (PROVE_LOCKING, DEBUG_ATOMIC_SLEEP, DEBUG_OBJECTS) complains
// about their misuse at run time.
//
// # How the model does it
//
// A primitive is a struct with the state that its users can tell apart, initialised
// with Init as part of an allocation (a [Mem], or nil for static storage). Each
// function takes the current task first, as kernel code has current. What the
// kernel does in one atomic step is one visible operation. Waiting is a guard on
// an operation, not a queue, except where the order of a queue can be told
// ([Completion], [WaitQueue]): who is let in among those that could go is the
// strategy's decision, which includes every order that stealing and handing over
// could give. Misuse ends the run in the words of a debug kernel, unless the kernel only
// warns of it.
//
// No idle task stands for a worker, a softirq or an interrupt line: a work item, a
// callback or an interrupt becomes a task when it is due, and ends with its
// function.
//
// # Read sections
//
// rcu_read_lock and rcu_read_unlock are no operations of their own. A section
// begins with the first visible operation inside it and ends with the last. An
// earlier beginning or a later end could only delay grace periods, and observe
// nothing; so nothing is lost, and a reader costs no scheduling point.
//
// percpu_ref_tryget_live of a ref in per-CPU mode is one operation although the kernel
// loads the mode and then counts: a kill in between is seen by nobody before the grace
// period that it starts, and that waits for the reader. In atomic mode there is no such
// grace period, and it is two.
//
// # Left out
//
// A plain field ([Field]) is read and written as part of the operation before the
// access, so a use of one after the operation that gave its object up is not seen to
// race with the free; an access to an object as a whole ([Task.Use]) is.
//
// PREEMPT_RT, where a spinlock is a mutex. An interrupt that comes on the CPU of a task:
// it has one of its own, so a lock that both take is found by lockdep from the contexts
// in which it is taken, and not as a deadlock. Optimistic spinning and the order of a
// mutex's queue, see [Mutex].
//
// A mempool that is empty waits for an element, and does not enter reclaim before that.
package kernel
