package workload

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Validate tells whether a workload says what it means on a machine with these traits:
// that nothing races with what is in flight, and that there is what it uses.
func (w *Workload) Validate(t Traits) error {
	m := NewModel(w, t)
	for i := range w.Ops {
		o := &w.Ops[i]
		if err := m.Valid(o); err != nil {
			return fmt.Errorf("operation %d, %s: %w", i+1, o, err)
		}
		m.Step(i, o, m.Allowed(o)[0])
	}
	return nil
}

// Valid tells whether an operation may come next.
func (m *Model) Valid(o *Op) error {
	regions := o.Regions
	if memory(o) {
		regions = []Region{o.Mem}
	}
	for _, r := range regions {
		if r.View == DmaBuf && !m.DmaBufs {
			return fmt.Errorf("there are no dma-bufs here")
		}
		if (r.View == Plain || r.View == ReadOnly || r.View == DmaBuf) && (r.At < -m.Page || r.At >= m.w.Size+m.Page) {
			return fmt.Errorf("%s is more than a page away from the buffer", r)
		}
	}
	inside := o.Mem.At >= 0 && o.Mem.At+o.Mem.Len <= m.w.Size
	switch {
	case o.To == ADmaBuf && !m.DmaBufs:
		return fmt.Errorf("there are no dma-bufs here")
	case (o.Kind == CPUWrite || o.Kind == CPURead || o.Kind == Read || o.Kind == Write) && !inside:
		return fmt.Errorf("%s is not inside the buffer", o.Mem)
	case (o.Kind == CPUWrite || o.Kind == CPURead) && o.Mem.View != Plain:
		return fmt.Errorf("the CPU has a view of its own: write b%d", o.Mem.Buf)
	case o.Transfer() && o.Off < 0:
		return fmt.Errorf("a negative offset is the file's own position")
	case o.ToFile() && o.Off+o.Mem.Len > m.w.File:
		return fmt.Errorf("it writes past the end of the file")
	case o.Transfer() && !o.ToFile() && m.Direct && m.crosses(o) && (o.Mem.At%m.Mem != 0 || (o.Off|o.Mem.Len)%m.Block != 0):
		// The kernel does the part before the end and the part after it one by one, may do
		// one of them although it refuses the other, and versions differ.
		return fmt.Errorf("an odd direct read across the end of the file has no certain outcome")
	case o.Fixed() && (o.Slot < 0 || o.Slot > 0xffff):
		return fmt.Errorf("slots are 16 bits")
	case o.Kind == Update && (o.Slot < -1<<31 || o.Slot > 1<<31-1):
		return fmt.Errorf("the first slot is 32 bits")
	}
	return m.Races(o)
}

// crosses tells whether a read begins in the file and ends behind it.
func (m *Model) crosses(o *Op) bool { return o.Off < m.w.File && o.Off+o.Mem.Len > m.w.File }

// Check compares an outcome with the model, and says at which operation it differs.
func Check(w *Workload, t Traits, out *Outcome) error {
	m := NewModel(w, t)
	for i := range w.Ops {
		o, got := &w.Ops[i], out.Results[i]
		allowed := m.Allowed(o)
		if o.Request() && o.Hold && m.cancelled[i] {
			allowed = append(slices.Clone(allowed), neg(ECANCELED))
		}
		differs := func(format string, args ...any) error {
			return fmt.Errorf("operation %d differs: %s\n%s", i+1, fmt.Sprintf(format, args...), out.Text(w))
		}
		if !slices.Contains(allowed, got.Res) {
			return differs("%s instead of %s", got, Results(allowed))
		}
		if o.Kind == CPURead {
			want := m.Buffers[o.Mem.Buf][o.Mem.At:][:o.Mem.Len]
			if at := difference(want, got.Data); at >= 0 {
				return differs("byte %d is %#x instead of %#x", at, got.Data[at], want[at])
			}
		}
		m.Step(i, o, got.Res)
	}
	for i, want := range m.Buffers {
		if n := len(out.Buffers[i]); n != len(want) {
			return fmt.Errorf("buffer %d has %d bytes at the end", i, n)
		}
		if at := difference(want, out.Buffers[i]); at >= 0 {
			return fmt.Errorf("byte %d of buffer %d is %#x at the end instead of %#x\n%s", at, i, out.Buffers[i][at], want[at], out.Text(w))
		}
	}
	if n := len(out.File); n != len(m.File) {
		return fmt.Errorf("the file has %d bytes at the end", n)
	}
	if at := difference(m.File, out.File); at >= 0 {
		return fmt.Errorf("byte %d of the file is %#x at the end instead of %#x\n%s", at, out.File[at], m.File[at], out.Text(w))
	}
	return nil
}

// Results prints several.
func Results(all []int64) string {
	var words []string
	for _, r := range all {
		words = append(words, Result{Res: r}.String())
	}
	return strings.Join(words, " or ")
}

// difference is the first place where two slices of one length differ, or -1.
func difference(want, got []byte) int {
	if bytes.Equal(want, got) {
		return -1
	}
	at := 0
	for want[at] == got[at] {
		at++
	}
	return at
}
