package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var lateRegistration = &Scenario{
	Name: "late-registration",
	Story: "A dma-buf is registered for a drive while the drive goes away. Either the registration comes first, or it " +
		"finds a dying queue and fails with -EFAULT, and then nothing of it may be left. The posted design keeps the " +
		"reference on the dma-buf that it had taken.",
	Quick:    explore.Coverage{Bound: explore.Delays, N: 2},
	Full:     explore.Coverage{Bound: explore.All},
	Unfenced: true,
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixUndoRegister}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.rings[0].UnregisterBuffer(t, 0)
			r := uringsim.NewRing(t, 1)
			t.Go("io_uring", func(t *kernel.Task) {
				switch err := r.RegisterDmaBuf(t, 0, w.file, w.exp.Buf); err {
				case kernel.OK:
					r.UnregisterBuffer(t, 0)
				case kernel.EFAULT:
				default:
					t.Fail(iter.WrongErrno, "registration on a dying queue failed with %v, not -EFAULT", err)
				}
			})
			t.Go("removal", func(t *kernel.Task) { w.queue.Remove(t) })
			t.Explore()
			w.exp.Buf.Put(t)
		}
	},
}
