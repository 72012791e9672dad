// Package explore runs a program again and again under a strategy, until it fails,
// until everything that was promised is covered, or until the budget is used up.
//
// [Run] drives a strategy, runs every failure a second time before it is believed,
// makes its schedule smaller ([Minimize]), and records the trace. [Check] does that for
// go test. Package draw generates schedules for rapid.
//
// # Strategies
//
//	Random       uniform random walk
//	PCT          random priorities with few changes; a published bound for its luck
//	POS          random priorities, drawn anew for operations that race
//	SURW         random, with interleavings as equally likely as can be
//	DFS          depth first within a bound of delays or preemptions, no reduction
//	Deepen       DFS with the bound raised step by step
//	DPOR         one run for each Mazurkiewicz trace
//	BoundedDPOR  reduction within a bound of preemptions: complete, not optimal
//	Replay       one given schedule
//	Nudges       one given list of departures from the default, for random drawing
//
// [Twice], [Recorded] and [Counted] are decorators: they wrap any of them, and each
// other. Whoever drives a machine without Run calls Machine.Run and Strategy.Done in
// turn.
//
// # What a run that finds nothing says
//
// [Report.Coverage] tells what was covered, and [Report.Ended] why it ended there.
// "delays<=2" means: every schedule that departs from the run-to-block default by at most
// two delays (Emmi, Qadeer and Rakamaric, POPL 2011), "preemptions<=2": at most two
// switches away from a task that could have gone on (Musuvathi and Qadeer, PLDI 2007).
// "all" means every interleaving of visible operations and every value of every choice,
// up to the order of operations that commute as they declare. "sampled" promises nothing
// but the number of executions; [Report.Unseen] estimates what was missed.
//
// # What runs in parallel
//
// Samplers, if [Options] ask for workers: run number i depends on the seed and on i, not
// on who does it, except that PCT and SURW learn from the runs of their own worker. DFS and
// DPOR run on one machine. Nothing inside a machine is parallel, ever.
//
// # Limits
//
// Sequential consistency only. Reduction, and leaving out the scheduling points of
// private objects, are as sound as the accesses that operations declare. Memory is that of
// one run, and for DPOR that of the wakeup trees along it, which is small in practice and
// not polynomial in the worst case; counting traces is bounded by [MaxTraces].
package explore
