package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var cancelledMapping = &Scenario{
	Name: "cancelled-mapping",
	Story: "The exporter has moved the buffer, with the copy left to a job of its own. A read has to make a mapping, and a worker of io-wq waits for " +
		"the fence of the copy when the task cancels the read. The wait is interruptible, and ends with the errno of a signal; nothing " +
		"may be left of the mapping that was being made.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixUndoMap}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{mode: "async"})
			w.exp.MovePipelined(t)
			x, r := transfer{n: page}, w.rings[0]
			w.submitAs(t, x, 1)
			t.Go("canceller", func(t *kernel.Task) {
				r.Submit(t, uringsim.SQE{Opcode: uringsim.IORING_OP_ASYNC_CANCEL, Addr: 1, UserData: 2})
			})
			t.Explore()
			for range 2 {
				switch cqe := r.WaitCQE(t); {
				case cqe.UserData == 2:
				case cqe.Res == iter.Neg(kernel.ECANCELED), cqe.Res == iter.Neg(kernel.EINTR):
				case cqe.Res == iter.Neg(kernel.ENOMEM): // what SUB-3 makes of a signal
				case cqe.Res == iter.Neg(kernel.EIO): // what errno_to_blk_status makes of it
				default:
					w.expect(t, x, cqe)
				}
			}
			w.teardown(t)
		}
	},
}
