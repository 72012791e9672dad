package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var farOffset = &Scenario{
	Name: "far-offset",
	Story: "A buffer of two gibibytes and a page is registered, and the drive reads into its last page. The posted driver keeps the " +
		"offset in an int, where it is negative, and reads the address for the transfer from before its array. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixWideOffset}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			last := &lastPage{pages: w.bus.Memory.Alloc(t.Task, "far", 1)}
			buf := w.bus.Export(t, "far", far+hw.PageSize, last)
			r := uringsim.NewRing(t, 1)
			w.register(t, r, 0, buf)
			t.Go("io_uring", func(t *kernel.Task) {
				r.Submit(t, uringsim.SQE{Opcode: uringsim.IORING_OP_READ_FIXED, File: w.file, Addr: far, Len: hw.PageSize})
				if res := r.WaitCQE(t).Res; res != hw.PageSize {
					t.Fail(iter.WrongErrno, "a read at 2 GiB of a buffer ended with %s", result(res))
				}
				w.ref.asked += hw.PageSize
				if got := hw.Peek(last.pages, 0, hw.PageSize); !got.Equal(w.ref.drive(0, page)) {
					t.Fail(hw.DataCorruption, "after the read completed, the last page holds %v", got)
				}
			})
			t.Explore()
			r.UnregisterBuffers(t)
			buf.Put(t)
			w.teardown(t)
		}
	},
}

// far is where the last page of a lastPage begins.
const far = 1 << 31

// lastPage is a static exporter of a buffer of which only the last pages are backed: nobody goes
// through the addresses of the others.
type lastPage struct{ pages []*hw.Page }

func (e *lastPage) MapDmaBuf(t *kernel.Task, a *dmabufsim.Attachment, dir hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	hole := hw.Segment{Addr: hw.Poison, Len: far}
	return &dmabufsim.SgTable{Segments: append([]hw.Segment{hole}, a.Dev.Map(t.Task, e.pages, dir)...), Pages: e.pages}, kernel.OK
}

func (e *lastPage) UnmapDmaBuf(t *kernel.Task, a *dmabufsim.Attachment, sgt *dmabufsim.SgTable, dir hw.Direction) {
	a.Dev.UnmapNoSync(t.Task, sgt.Segments[1:])
}

func (e *lastPage) Release(t *kernel.Task) { hw.Give(t.Task, e.pages, "") }
