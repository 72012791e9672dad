package main

import (
	"fmt"
	"io"

	"dmasim/scenarios"
)

const usage = `dmasim finds concurrency bugs in the invalidation of dma-buf mappings under I/O

usage:
  dmasim list [--json]
      the scenarios and what is expected of each design, the designs, the
      fixes, the strategies and the kinds of failure
  dmasim check [SCENARIO[:PARAM=N,...]...] [--design NAME] [--fix NAME,...]
               [--without NAME,...] [--strategy NAME] [--budget 10s|5000]
               [--seed N] [--full]
               [--backend model|real|real-overlapped] [--drive DEVICE] [--json]
      explore scenarios, all of them by default, for a design, by default each
      --design    one design instead of all
      --fix       turn repairs of a design on; the design is rfc-v2 by default;
                  all,-NAME is all repairs but that
      --without   switch detectors off: lockdep, fence-rules, data-race,
                  livelock
      --strategy  random, pct, pos, surw, dfs or dpor; by default dpor
                  where every interleaving is promised, and dfs elsewhere
      --budget    a time or a number of executions, for each case; by default
                  there is none, and 10000 executions for sampling strategies
      --seed      seed of the sampling strategies, 1 by default
      --full      the full promise of each scenario instead of the quick one
      --backend   what moves the bytes: the model, by default, or the kernel,
                  with each transfer one step, or two that others overlap
      --drive     a block device for the kernel to use and overwrite, instead of
                  a temporary file
  dmasim replay STRING [--follow] [--full-trace] [--fences]
                [--without NAME,...] [--backend model|real] [--drive DEVICE]
                [--json]
      repeat a run, and check that it is the recorded one
      --follow      go on where the schedule cannot be followed any more, and
                    when the model has changed since
      --full-trace  print every operation, too
      --fences      print what the signal of each published fence depended on
      --without     as above
      --backend     as above, and --drive; what overlaps cannot be repeated
  dmasim fuzz [--design NAME] [--fix NAME,...] [--without NAME,...]
              [--runs N] [--schedules N] [--seed N] [--shard I/N] [--json]
      draw workloads with their drives, exporters and rings, and schedules,
      until one fails; what fails is made smaller
      --design     rfc-v2-repaired by default, and rfc-v2 with --fix
      --runs       how many runs, 10000 by default
      --schedules  how many of them each workload has, 50 by default
      --seed       what is drawn, 1 by default
      --shard      only part of the workloads, as 2/8, the second of eight
  dmasim repair [SCENARIO...] [--full] [--json]
      find the minimal sets of repairs that make scenarios pass on rfc-v2, all
      of them by default, and show for each repair of a set the defect that it
      removes, and a run that fails without it
  dmasim coverage [SCENARIO...] [--design NAME] [--walks N] [--runs N]
                  [--seed N] [--json]
      which steps of the specification the runs of scenarios come to, which
      pairs of steps of two tasks met at an object, in which order, and which
      used one object and never met
      --design  one design instead of rfc-v2 and rfc-v2-repaired
      --walks   random walks of each scenario, besides; none by default
      --runs    runs of drawn workloads of that, or of the latter, besides;
                none by default
      --seed    of these, 1 by default
  dmasim litmus FILE... [--strategy NAME] [--budget 10s|5000] [--seed N]
                [--json]
      run small programs, written as tables, and list their final states
      --strategy  as above; dpor by default
      --budget    as above, for each program
  dmasim vet PACKAGE... [--json]
      find fields of shared structs that an exploration does not see, in Go
      packages that are written on sim/kernel; it needs the go command
  dmasim vm [TEST...] [--kernel NAME|FILE] [--kvm] [--timeout 10m]
            [--trace FILE] [-- FLAG...]
      run the tests of the real path in a virtual machine: a stock kernel with
      udmabuf, and an emulated NVMe drive; internal/vm/install.sh fetches it
      --kernel   a kernel that was fetched, or a file with one
      --kvm      hardware virtualisation instead of emulation
      --timeout  how long the machine may run
      --trace    write what QEMU tells of the drive's commands
      FLAG       goes to the test binaries, as -test.run=NAME
  dmasim help [kinds]
      print this, or the kinds of failure

Flags may stand before or after other arguments. --json prints one object a
line and nothing else.

exit status:
  0  every verdict is as expected; a replay is the recorded run (with --follow:
     it still fails); every interleaving of a litmus program was explored;
     all tests in the virtual machine passed; vet found nothing
  1  some verdict is not as expected; nothing repairs some scenario; a replay is
     another run (with --follow: it passes); a workload of fuzz failed; a litmus
     program failed; a test in the virtual machine failed; vet found something
  2  the input is unusable; a model uses the simulator in a way that has no
     meaning; there is no virtual machine
  3  a promised coverage was not reached, and no verdict differs; a litmus
     program has interleavings that were not explored; fuzz, repair or coverage
     was interrupted
`

func (a *app) help(args []string) (int, error) {
	rest, err := parse(flags("help"), args)
	switch {
	case err != nil:
		return 0, err
	case len(rest) == 0:
		fmt.Fprint(a.stdout, usage)
	case len(rest) > 1:
		return 0, fmt.Errorf("one topic at most, not %d", len(rest))
	case rest[0] == "kinds":
		printKinds(a.stdout)
	default:
		return 0, fmt.Errorf("there is no topic %q; %s", rest[0], scenarios.Nearest(rest[0], []string{"kinds"}))
	}
	return exitOK, nil
}

func printKinds(w io.Writer) {
	var cells [][]string
	for _, k := range kinds {
		doc := k.doc
		if k.reserved {
			doc = "reserved, not reported yet"
		}
		cells = append(cells, []string{string(k.kind), doc})
	}
	columns(w, "", cells)
}
