package scenarios

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

// mode is how a ring is set up and driven, by name.
type mode struct {
	name  string
	flags uint32 // of io_uring_setup
	sqe   uint8  // of every request
}

// modes lists the ways. A ring with one submitter is disabled until the task that submits has
// enabled it, see world.enter.
var modes = []mode{
	{name: "default"},
	{name: "defer-taskrun", flags: uringsim.IORING_SETUP_SINGLE_ISSUER | uringsim.IORING_SETUP_DEFER_TASKRUN | uringsim.IORING_SETUP_R_DISABLED},
	{name: "iopoll", flags: uringsim.IORING_SETUP_IOPOLL},
	{name: "sqpoll", flags: uringsim.IORING_SETUP_SQPOLL},
	{name: "async", sqe: uringsim.IOSQE_ASYNC},
}

// RingModes lists the names of the ways in which a ring can be driven, for [Workload].
func RingModes() (names []string) {
	for _, m := range modes {
		names = append(names, m.name)
	}
	return names
}

func modeOf(name string) mode {
	for _, m := range modes {
		if m.name == name || name == "" && m.name == "default" {
			return m
		}
	}
	panic("there is no ring mode " + name)
}

// newRing sets a ring up with an empty table of buffers.
func (w *world) newRing(t *kernel.Task, cfg config) *uringsim.Ring {
	m := modeOf(cfg.mode)
	if m.flags == 0 && cfg.workers == 0 {
		return uringsim.NewRing(t, cfg.buffers+cfg.spare)
	}
	r, err := uringsim.Setup(t, uringsim.Params{Entries: 64, Flags: m.flags, BoundedWorkers: cfg.workers})
	if err == kernel.OK {
		err = r.RegisterSparse(t, cfg.buffers+cfg.spare)
	}
	if err != kernel.OK {
		t.Fail(iter.WrongErrno, "a ring of mode %s cannot be set up: %v", m.name, err)
	}
	return r
}

// enter makes the calling task the one that submits to a ring, where the mode asks for it.
func (w *world) enter(t *kernel.Task, ring int) {
	if w.mode.flags&uringsim.IORING_SETUP_R_DISABLED != 0 {
		w.rings[ring].EnableRings(t)
	}
}

// leave has the calling task close a ring that it has entered, unless it is a default one: those
// are unregistered from at the end of the run.
func (w *world) leave(t *kernel.Task, ring int) {
	if w.mode.flags != 0 {
		w.rings[ring].Close(t)
	}
}

// warm has the mappings of all buffers made, by a ring that is there for nothing else.
func (w *world) warm(t *kernel.Task) {
	r := uringsim.NewRing(t, 0)
	for i, from := range w.rings {
		if i >= w.tokens && i < w.used {
			continue
		}
		r.Mm, r.User = from.Mm, from.User
		r.CloneBuffers(t, uringsim.CloneArgs{Src: from, Flags: uringsim.IORING_REGISTER_DST_REPLACE})
		for b := range w.bufs {
			x := transfer{buf: b, n: page}
			r.Submit(t, w.sqe(x, 0))
			w.expect(t, x, r.WaitCQE(t))
		}
	}
	r.UnregisterBuffers(t)
}
