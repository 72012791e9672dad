package workload

import (
	"fmt"
	"slices"

	"dmasim/sim/kernel"
)

// Model is a reference: what bytes there are and which slots are in use. An operation
// takes effect when it is submitted, which is right as long as what is in flight does not
// race.
type Model struct {
	Traits
	w       *Workload
	Buffers [][]byte
	File    []byte
	// table is nil when no buffers are registered; an empty slot has no length.
	table []Region
	// flying are the requests that were held since the last wait.
	flying []flight
	// punted are the operations that went to a worker as they came.
	punted map[int]bool
	// cancelled are the operations that some operation cancels.
	cancelled map[int]bool
}

// flight is a request whose end was not waited for.
type flight struct {
	number int
	*Op
}

// NewModel is the state at the beginning of a workload.
func NewModel(w *Workload, t Traits) *Model {
	m := &Model{Traits: t, w: w, File: Filled(FilePattern, w.File), cancelled: map[int]bool{}, punted: map[int]bool{}}
	for i := range w.Buffers {
		m.Buffers = append(m.Buffers, Filled(byte(i), w.Size))
	}
	for i := range w.Ops {
		if w.Ops[i].Kind == Cancel {
			m.cancelled[w.Ops[i].Of-1] = true
		}
	}
	return m
}

// Allowed are the results that an operation can have now; the first is the usual one.
func (m *Model) Allowed(o *Op) []int64 {
	switch o.Kind {
	case Register:
		return []int64{m.register(o)}
	case Update:
		return []int64{m.update(o)}
	case Unregister:
		if m.table == nil {
			return []int64{neg(kernel.ENXIO)}
		}
	case Cancel:
		if m.isFlying(o.Of - 1) {
			return []int64{0, neg(kernel.ENOENT), neg(kernel.EALREADY)}
		}
		return []int64{neg(kernel.ENOENT)}
	case CPUWrite, CPURead:
		return []int64{o.Mem.Len}
	case ReadFixed, WriteFixed, Read, Write:
		return m.transfer(o)
	}
	return []int64{0}
}

func (m *Model) isFlying(number int) bool {
	return slices.ContainsFunc(m.flying, func(f flight) bool { return f.number == number })
}

func neg(e kernel.Errno) int64 { return -int64(e) }

// maxRegBuffers is IORING_MAX_REG_BUFFERS.
const maxRegBuffers = 1 << 14

func (m *Model) register(o *Op) int64 {
	n := count(o.Regions)
	switch {
	case m.table != nil:
		return neg(kernel.EBUSY)
	case n == 0 || n > maxRegBuffers:
		return neg(kernel.EINVAL)
	}
	for _, r := range o.Regions {
		if !m.registrable(r) {
			return neg(kernel.EFAULT)
		}
	}
	return 0
}

func (m *Model) update(o *Op) int64 {
	n := count(o.Regions)
	switch {
	case n == 0:
		return neg(kernel.EINVAL)
	case o.Slot < 0 && o.Slot+n >= 0:
		return neg(kernel.EOVERFLOW) // of 32 bits
	case m.table == nil:
		return neg(kernel.ENXIO)
	case o.Slot < 0 || o.Slot+n > len(m.table):
		return neg(kernel.EINVAL)
	}
	done := 0
	for _, r := range expand(o.Regions) {
		if !m.registrable(r) {
			break
		}
		done++
	}
	if done == 0 {
		return neg(kernel.EFAULT)
	}
	return int64(done)
}

// registrable tells whether a region can be a slot, which an empty one can.
func (m *Model) registrable(r Region) bool {
	return r.View == Empty || r.View == Plain && r.Len > 0 && r.At >= 0 && r.At+r.Len <= m.w.Size
}

func count(regions []Region) int {
	n := 0
	for _, r := range regions {
		n += max(1, r.Times)
	}
	return n
}

func expand(regions []Region) []Region {
	var out []Region
	for _, r := range regions {
		n := max(1, r.Times)
		r.Times = 0
		for range n {
			out = append(out, r)
		}
	}
	return out
}

// transfer collects what is wrong with a request. Kernels find one thing or the other
// first, so with several faults each errno is allowed.
func (m *Model) transfer(o *Op) []int64 {
	var wrong []int64
	add := func(e kernel.Errno) {
		if !slices.Contains(wrong, neg(e)) {
			wrong = append(wrong, neg(e))
		}
	}
	if o.Fixed() && !m.inSlot(o) {
		add(kernel.EFAULT)
	}
	n := o.Mem.Len
	if !o.ToFile() {
		n = max(0, min(n, m.w.File-o.Off))
	}
	unusable := o.Mem.View == DmaBuf && m.Direct && m.Strict || o.Mem.View == ReadOnly && !o.ToFile()
	if !o.Fixed() && n > 0 && unusable { // memory is not touched at the end of the file
		add(kernel.EFAULT)
	}
	switch {
	case o.To == Closed, o.To == ReadOnlyFile && o.ToFile():
		add(kernel.EBADF)
	case o.To == ADmaBuf:
		add(kernel.EINVAL)
	}
	if len(wrong) > 0 {
		return wrong
	}
	if o.Mem.Len == 0 {
		return []int64{0}
	}
	if m.Direct && (o.Off%m.Block != 0 || o.Mem.Len%m.Block != 0) {
		if m.Strict && n > 0 {
			return []int64{neg(kernel.EINVAL)}
		}
		return []int64{neg(kernel.EINVAL), n}
	}
	if m.Direct && (o.Mem.At%m.Mem != 0 || !o.Fixed() && o.Mem.View == DmaBuf) {
		if o.Mem.View == DmaBuf { // O_DIRECT that is none, as on tmpfs
			return []int64{n, neg(kernel.EFAULT), neg(kernel.EINVAL)}
		}
		return []int64{n, neg(kernel.EINVAL)}
	}
	return []int64{n}
}

// inSlot tells whether a request's memory lies in the registered buffer that it names.
func (m *Model) inSlot(o *Op) bool {
	if o.Slot < 0 || o.Slot >= len(m.table) {
		return false
	}
	s := m.table[o.Slot]
	return s.Len > 0 && o.Mem.View == s.View && o.Mem.Buf == s.Buf && o.Mem.At >= s.At && o.Mem.At+o.Mem.Len <= s.At+s.Len
}

// Step is the effect of operation number, whose result was res.
func (m *Model) Step(number int, o *Op, res int64) {
	switch {
	case o.Kind == Register && res == 0:
		m.table = expand(o.Regions)
	case o.Kind == Update && res > 0:
		copy(m.table[o.Slot:], expand(o.Regions)[:res])
	case o.Kind == Unregister && res == 0:
		m.table = nil
	case o.Kind == Wait:
		m.flying = nil
	case o.Kind == CPUWrite:
		copy(m.Buffers[o.Mem.Buf][o.Mem.At:], Filled(o.Fill, o.Mem.Len))
	case o.Transfer() && res > 0:
		mem, file := m.Buffers[o.Mem.Buf][o.Mem.At:o.Mem.At+res], m.File[o.Off:o.Off+res]
		if o.ToFile() {
			copy(file, mem)
		} else {
			copy(mem, file)
			if m.ZeroTail {
				clear(m.Buffers[o.Mem.Buf][o.Mem.At+res : o.Mem.At+o.Mem.Len])
			}
		}
	}
	if o.Async {
		m.punted[number] = true
	}
	if o.Hold {
		m.flying = append(m.flying, flight{number, o})
	}
}

// Races says with which request in flight an operation races, if with any.
func (m *Model) Races(o *Op) error {
	if o.Kind == Cancel && m.punted[o.Of-1] && !m.isFlying(o.Of-1) {
		// A worker may not have let go of a request whose completion was seen.
		return fmt.Errorf("operation %d is async and has completed: whether a worker still has it is uncertain", o.Of)
	}
	table := o.Kind == Register || o.Kind == Update || o.Kind == Unregister
	for _, f := range m.flying {
		switch {
		case table && f.Async && f.Fixed():
			return fmt.Errorf("operation %d is async and looks for its buffer at any time: wait first", f.number+1)
		case memory(o) && memory(f.Op) && o.Mem.Buf == f.Mem.Buf && overlap(o.Mem.At, f.Mem.At, o.Mem.Len, f.Mem.Len) &&
			(fills(o) || fills(f.Op)):
			return fmt.Errorf("operation %d uses the same memory: wait first", f.number+1)
		case o.Transfer() && f.Transfer() && overlap(o.Off, f.Off, o.Mem.Len, f.Mem.Len) && (o.ToFile() || f.ToFile()):
			return fmt.Errorf("operation %d uses the same place of the file: wait first", f.number+1)
		}
	}
	return nil
}

// memory tells whether an operation reads or writes a buffer; fills, whether it writes.
func memory(o *Op) bool { return o.Transfer() || o.Kind == CPUWrite || o.Kind == CPURead }
func fills(o *Op) bool  { return o.Kind == CPUWrite || o.Transfer() && !o.ToFile() }

func overlap(a, b, lenA, lenB int64) bool { return a < b+lenB && b < a+lenA }

// Slots are the numbers of the slots that hold a buffer.
func (m *Model) Slots() []int {
	var out []int
	for i, s := range m.table {
		if s.Len > 0 {
			out = append(out, i)
		}
	}
	return out
}

// Slot is what a slot holds.
func (m *Model) Slot(i int) Region { return m.table[i] }
