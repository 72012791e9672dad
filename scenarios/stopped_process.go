package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var stoppedProcess = &Scenario{
	Name: "stopped-process",
	Story: "As cancelled-mapping, but nobody cancels: the process is stopped and continued, as by Ctrl-Z, by a debugger, or by the " +
		"freezer when a container is paused or the machine suspended. Its workers of io-wq are threads of the process, and are " +
		"woken for that. One waits for the fence of a copy, to make a mapping for a read; the wait is interruptible, ends with the errno " +
		"of a signal, and the read fails. A read of a drive must not: nobody has asked for that.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: iter.WrongErrno, Fix: token.FixWaitThroughStops}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{mode: "async"})
			w.exp.MovePipelined(t)
			x := transfer{n: page}
			w.submit(t, x)
			t.Go("shell", func(t *kernel.Task) {
				t.Say("", "stop the process, and continue it")
				w.rings[0].GroupStop(t)
			})
			t.Explore()
			w.expect(t, x, w.rings[0].WaitCQE(t))
			w.teardown(t)
		}
	},
}
