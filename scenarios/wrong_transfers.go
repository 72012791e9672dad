package scenarios

import (
	"math"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

var wrongTransfers = &Scenario{
	Name: "wrong-transfers",
	Story: "A task reads into a registered dma-buf in every wrong way: with a slot that is empty, beyond the end of the buffer, nothing at all, " +
		"less than a block, with vectors beyond the end of the buffer, and from another file than that of the registration. Every read must fail with " +
		"its own error, a write behind the end of the drive with -ENOSPC, and one that must not be torn with -EINVAL. A read from there has nothing, and one across the end is short. An exporter " +
		"moves the buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			r := w.rings[0]
			other := w.queue.Open(iter.O_DIRECT)
			t.Go("io_uring", func(t *kernel.Task) {
				read := func(want int64, change func(e *uringsim.SQE)) {
					e := uringsim.SQE{Opcode: uringsim.IORING_OP_READ_FIXED, File: w.file, Len: hw.PageSize}
					change(&e)
					r.Submit(t, e)
					if got := r.WaitCQE(t).Res; got != want {
						t.Fail(iter.WrongErrno, "a transfer completed with %s, not with %s", result(got), result(want))
					}
				}
				fault := iter.Neg(kernel.EFAULT)
				read(fault, func(e *uringsim.SQE) { e.BufIndex = 1 })
				read(fault, func(e *uringsim.SQE) { e.Addr = 2*hw.PageSize - 512 })
				read(fault, func(e *uringsim.SQE) { e.Addr = math.MaxUint64 })
				read(fault, func(e *uringsim.SQE) { e.Len = iter.MaxRWCount + 1 })
				read(fault, func(e *uringsim.SQE) { e.Len = 0 })
				read(fault, func(e *uringsim.SQE) {
					e.Opcode, e.Iovecs = uringsim.IORING_OP_READV_FIXED, []iter.Iovec{{Base: 2 * hw.PageSize, Len: 512}}
				})
				read(iter.Neg(kernel.EBADF), func(e *uringsim.SQE) { e.File = other })
				read(iter.Neg(kernel.EINVAL), func(e *uringsim.SQE) { e.Len = 100 })
				read(iter.Neg(kernel.ENOSPC), func(e *uringsim.SQE) { e.Opcode, e.Off = uringsim.IORING_OP_WRITE_FIXED, driveSize })
				read(iter.Neg(kernel.EINVAL), func(e *uringsim.SQE) { e.Opcode, e.RWFlags = uringsim.IORING_OP_WRITE_FIXED, iter.RWF_ATOMIC })
				read(0, func(e *uringsim.SQE) { e.Off = driveSize })
				w.short(t, transfer{n: 2, lba: driveSize/sector - 1}, 1)
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
