// Package sim is a deterministic machine for finding concurrency bugs: tasks
// that run one at a time, and a strategy that decides at every visible
// operation which task goes on.
//
// It knows nothing of kernels. Whoever has another protocol to explore can use
// this package and sim/explore alone.
//
// # What the machine is
//
// A [Machine] runs a program many times. A [Task] of the program is a coroutine
// ([iter.Pull]), never a goroutine that runs by itself: exactly one task runs at
// any moment, and it goes on until it announces its next visible operation with
// [Task.Step]. There the machine lists the tasks whose announced operation is
// enabled, a [Strategy] picks one, and the operation that was picked is executed
// atomically, together with the private computation that follows it up to the
// next announcement. If the strategy picks the task that is running anyway,
// nothing is switched at all.
//
// Whatever else is not determined (which of two values, whether something fails)
// is a [Task.Choose] and goes through the same strategy. There is no wall clock,
// no map order, no global randomness: the same schedule gives the same run,
// event for event.
//
// # What is promised
//
// Sequential consistency: operations take effect in the order in which they are
// granted. An [Op] names the object that it touches and the [Class] of the
// access; two operations on one object commute when they have the same class and
// that class is not [Write]. Reduction by commutation, in sim/explore, is sound
// to the degree that these declarations are true.
//
// # Phases
//
// The first task runs the program's set-up, spawns the tasks under test, calls
// [Task.Explore], and tears down afterwards. Only between the beginning and the
// end of Explore is a strategy asked. Before and after, the default rule
// decides: the running task goes on, and when it blocks the next one in order of
// creation runs.
//
// # Ends of a run
//
// A run ends when every task has ended, when none can run (deadlock), when a
// check fails, or at the step bound. At a normal end the auditors run. A run
// that ended otherwise unwinds its tasks with a private panic, which every
// further operation raises again until the outermost frame of the task takes
// it; a model must not swallow it with recover.
//
// # Left out
//
// Weak memory, real parallelism, and preemption between two visible operations.
package sim
