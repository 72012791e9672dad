package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var killedTask = &Scenario{
	Name: "killed-task",
	Story: "A task is killed with a read in flight, while the exporter moves the buffer. It may be anywhere: waiting for the completion, or " +
		"with the read in the hands of a worker that makes the mapping. The task ends when its requests are done, or cancelled, and the " +
		"buffer is released after that.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			task := t.Go("io_uring", func(t *kernel.Task) {
				x, r := transfer{n: page}, w.rings[0]
				w.submit(t, x)
				r.WaitCQEs(t, 1) // the signal ends it
				r.TaskExit(t)
				switch cqe, ok := r.PeekCQE(t); {
				case !ok:
					t.Fail(iter.LostCompletion, "the task has ended, and its request is not complete")
				case cqe.Res != iter.Neg(kernel.ECANCELED) && cqe.Res != iter.Neg(kernel.EINTR):
					w.expect(t, x, cqe)
				}
			})
			t.Go("killer", func(t *kernel.Task) { t.SendSignal(task, true) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
