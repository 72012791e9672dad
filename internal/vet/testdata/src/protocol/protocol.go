package protocol

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Found: everybody can change these.

type locked struct {
	mu    kernel.Mutex
	count int                // want `plain field count of locked, which tasks share \(it has a kernel.Mutex\), is changed by add, later: make it a kernel.Field or a kernel.Shared, or say why not: //dmasim:private REASON`
	list  []int              // want `plain field list of locked, .* is changed by add`
	byID  map[int]string     // want `plain field byID of locked, .* is changed by forget`
	at    struct{ x, y int } // want `plain field at of locked, .* is changed by add`
	done  kernel.Field[bool]
	state kernel.Shared[int]
	peer  *plain
	made  int
	never int
}

func (l *locked) add(t *kernel.Task) {
	l.mu.Lock(t)
	l.count++
	l.list[0] = 1
	l.at.x = 2
	l.done.Set(t, true)
	l.state.Store(t, 1)
	l.peer.n = l.never // of something else
}

func (l *locked) forget(id int) { delete(l.byID, id) }

func newLocked() *locked {
	l := &locked{made: 1}
	l.made = 2
	return l
}

// What a function has made itself, nobody else has seen; but a closure may run later.
func makes(run func(func())) *locked {
	l := &locked{}
	l.made = 3
	var v locked
	v.made = 4
	return l
}

func later(run func(func())) {
	l := &locked{}
	run(func() { l.count = 1 })
}

// Embedding counts, too.

type base struct{ kernel.Mem }

type derived struct {
	base
	gen int // want `plain field gen of derived, which tasks share \(it has a kernel.Mem\), is changed by next`
	ptr kernel.RCU[int]
}

func (d *derived) next() { d.gen += 1 }

// Not found.

type plain struct{ n int }

func (p *plain) set() { p.n = 1 }

type primitive struct {
	kernel.Mem
	obj  sim.Object
	held bool
}

func (p *primitive) lock() { p.held = true }

type hardware struct {
	mu kernel.Mutex
	//dmasim:private the device alone counts, and no task of the kernel
	ticks int
	seen  int //dmasim:private for reports
	/* want `//dmasim:private without a reason` */ bad int //dmasim:private
}

func (h *hardware) tick() { h.ticks++; h.seen++; h.bad++ }

//dmasim:private used by one task
type alone struct {
	mu kernel.Mutex
	n  int
}

func (a *alone) set() { a.n = 1 }
