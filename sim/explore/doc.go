// Package explore runs a program again and again under a strategy, until it fails,
// until everything that was promised is covered, or until the budget is used up.
//
// A [Strategy] decides which run comes next; each has a file of its own. [Run]
// drives one, runs every failure a second time before it is believed, makes its
// schedule smaller ([Minimize]), and records the trace.
//
// # What a run that finds nothing says
//
// [Report.Coverage] tells what was covered, and [Report.Complete] whether that
// coverage was reached. "delays<=2" means: every schedule that departs from the
// run-to-block default by at most two delays (Emmi, Qadeer and Rakamaric, POPL
// 2011), "preemptions<=2": at most two switches away from a task that could have
// gone on (Musuvathi and Qadeer, PLDI 2007). "all" means every interleaving of
// visible operations, and every value of every choice. "sampled" promises
// nothing but the number of executions.
package explore
