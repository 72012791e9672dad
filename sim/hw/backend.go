package hw

import (
	"fmt"

	"dmasim/sim"
)

// Backend keeps real bytes beside the contents that the model knows: memory, and the media
// of drives. It is told of everything that changes them, moves the bytes in a way of its own,
// and is asked whenever somebody looks. What the model says stays the expectation, so that a
// run is the same with a backend and without one; where the bytes are others, that is a
// finding.
//
// A byte of a source has the value that [Data.Bytes] gives it. Contents of a medium that
// nobody wrote are those of the source of its name. A run has a backend if [Provide] was
// called before its memory was made; tables of descriptors are never part of it. A backend
// that fails does nothing from then on, and tells whoever made it.
type Backend interface {
	// Alloc makes room for pages that were taken, with zeroes in it.
	Alloc(pages []*Page)
	// Store is what the CPU writes into a page from off on.
	Store(p *Page, off int, data Data)
	// Copy is the CPU's copy of n bytes from off on, of a page to another.
	Copy(to, from *Page, off, n int)
	// Look is what the CPU finds in a page from off on: want if the bytes are those that
	// want stands for, else what the bytes are.
	Look(p *Page, off int, want Data) Data
	// StoreMedium and LookMedium are the same for a medium, from a byte on: what a drive
	// does by itself, and what an oracle sees.
	StoreMedium(medium string, at uint64, data Data)
	LookMedium(medium string, at uint64, want Data) Data
	// Submit begins a transfer, and Reap waits until it is over.
	Submit(x *RealTransfer) Ticket
	Reap(Ticket)
	// Overlaps tells whether Reap is an operation of its own, so that others run while
	// bytes are under way.
	Overlaps() bool
}

// Ticket names a transfer that was submitted.
type Ticket int

// RealTransfer is a transfer between parts of pages and a medium. FromDevice is towards the
// pages.
type RealTransfer struct {
	Dir    Direction
	Parts  []Part
	Medium string
	At     uint64
}

// Part is n bytes of a page from Off on. Page is nil for memory that the backend does not
// have: then Data is what the model has there.
type Part struct {
	Page   *Page
	Off, N int
	Data   Data
}

type backendKey struct{}

// Provide gives the current run of a machine a backend; release is called at its end.
func Provide(m *sim.Machine, b Backend, release func()) { m.Provide(backendKey{}, b, release) }

// BackendOf is the backend of the current run, nil if there is none.
func BackendOf(t *sim.Task) Backend {
	b, _ := t.Machine().Provided(backendKey{}).(Backend)
	return b
}

// NewMemory is memory on the backend of the run, if it has one.
func NewMemory(t *sim.Task) *Memory { return &Memory{real: BackendOf(t)} }

// back makes pages part of the backend.
func (m *Memory) back(pages []*Page) {
	if m.real == nil || len(pages) == 0 {
		return
	}
	for _, p := range pages {
		p.real = m.real
	}
	m.real.Alloc(pages)
}

// looked is what somebody finds who looks at real bytes. Where they are not what the model
// has, their source says so.
func looked(got, want Data) Data {
	if got.Diff(want) < 0 {
		return want
	}
	out := make(Data, 0, len(got))
	g, w := cursor{d: got}, cursor{d: want}
	for n := min(g.rest(), w.rest()); n > 0; n = min(g.rest(), w.rest()) {
		r := g.next(n)
		if r.diff(w.next(n)) >= 0 && r.Source != "" && r.Source != literal {
			r.Source += " (real)"
		}
		out = out.add(r)
	}
	return out
}

// LookMedium is what an oracle finds on a medium, from a byte on, where want is expected.
func LookMedium(b Backend, medium string, at uint64, want Data) Data {
	return looked(b.LookMedium(medium, at, want), want)
}

// follow has the real bytes of a part of a page follow the model's.
func (p *Page) follow(off, n int) {
	if p.real != nil {
		p.real.Store(p, off, p.contents.Read(nil, off, n))
	}
}

// copied has the real bytes of a part of a page follow a copy that the model made.
func (p *Page) copied(from *Page, off, n int) {
	if p.real != nil && from.real != nil {
		p.real.Copy(p, from, off, n)
		return
	}
	p.follow(off, n)
}

// really has the transfer done that was found to reach something, up to the fault if there
// is one, and returns the fault.
func (a *access) really(f *Fault) *Fault {
	b := a.u.real
	ticket, wait := a.submit(f)
	if !wait {
		return f
	}
	if b.Overlaps() {
		// Without an object: others are to run here even if the IOMMU is nobody else's.
		a.t.Step(sim.Op{Verb: "dma reap"})
		a.t.Touch(&a.u.obj, sim.Read)
	}
	b.Reap(ticket)
	a.over = true
	if b.Overlaps() {
		if again := a.reach(); f == nil {
			f = again
		}
	}
	return f
}

// submit begins what of a transfer can be done: what a device writes is written up to the
// fault, and what it reads goes nowhere then. It tells whether there is something to wait
// for.
func (a *access) submit(f *Fault) (Ticket, bool) {
	u, x := a.u, &a.x
	if len(u.reached) == 0 || f != nil && x.Dir != FromDevice {
		return 0, false
	}
	if x.Medium != "" {
		parts := make([]Part, len(u.reached))
		for i, r := range u.reached {
			if parts[i] = (Part{r.page, r.off, r.n, nil}); r.page.real == nil {
				parts[i] = Part{nil, r.off, r.n, r.page.contents.Read(nil, r.off, r.n)}
			}
		}
		return u.real.Submit(&RealTransfer{x.Dir, parts, x.Medium, x.At}), true
	}
	if x.Dir == FromDevice { // the device makes up what it writes
		at := 0
		for _, r := range u.reached {
			if r.page.real != nil {
				u.real.Store(r.page, r.off, x.Data.Slice(at, r.n))
			}
			at += r.n
		}
	}
	return 0, false
}

// evidence says what came of an access that should not have been, in the bytes that it
// reached, which is the last part: it happens like any other. done bytes were before it.
func (a *access) evidence(done int) string {
	u, x := a.u, &a.x
	if !a.over {
		if ticket, wait := a.submit(nil); wait {
			u.real.Reap(ticket)
		}
	}
	r := u.reached[len(u.reached)-1]
	if r.page.real == nil {
		return ""
	}
	was := r.page.contents.Read(nil, r.off, r.n)
	if x.Dir != FromDevice {
		if x.Medium == "" {
			return ""
		}
		at := x.At + uint64(done)
		got := u.real.LookMedium(x.Medium, at, was)
		return fmt.Sprintf("; really: byte %d of the drive is %s now", at, value(got, 0))
	}
	got := u.real.Look(r.page, r.off, was)
	i := got.Diff(was)
	if i < 0 {
		return "; really: its bytes are what they were"
	}
	return fmt.Sprintf("; really: byte %d of the page is %s now, and was %s", r.off+i, value(got, i), value(was, i))
}

// value is a byte with its origin: "0xc5 (byte 0 of nvme0)".
func value(d Data, i int) string {
	v := fmt.Sprintf("%#02x", d.Slice(i, 1).Bytes()[0])
	if from := d.From(i); from != v {
		return v + " (" + from + ")"
	}
	return v
}
