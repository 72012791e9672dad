package iter

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A copy is one operation, however long it is. It returns how much it copied: less than
// asked for if that is all that is left, or if user memory faults. Of an iterator of a
// type that they do not know the copy functions take the bytes off the count, and say
// that they did all of it (IMP-6).

// CopyToIter is copy_to_iter.
func (i *Iter) CopyToIter(t *kernel.Task, data hw.Data) uint64 {
	return i.to(t, "copy_to_iter", uint64(data.Len()), func() hw.Data { return data })
}

// CopyPageToIter is copy_page_to_iter: n bytes of a range of pages from off on.
func (i *Iter) CopyPageToIter(t *kernel.Task, pages []*hw.Page, off, n uint64) uint64 {
	if !sane(t, "copy_page_to_iter", pages, off, n) {
		return 0
	}
	return i.to(t, "copy_page_to_iter", n, func() hw.Data { return hw.Load(t.Task, pages, int(off), int(n)) })
}

// Zero is iov_iter_zero. It does not look at the direction.
func (i *Iter) Zero(t *kernel.Task, n uint64) uint64 {
	n = min(n, i.Count)
	return i.fill(t, "iov_iter_zero", n, func() hw.Data { return hw.Zeroes(int(n)) })
}

func (i *Iter) to(t *kernel.Task, call string, n uint64, data func() hw.Data) uint64 {
	if i.source() {
		t.Warn("%s: data comes from this iterator", call)
		return 0
	}
	if i.UserBacked() {
		t.MightSleep("might_fault", call)
	}
	return i.fill(t, call, n, data)
}

func (i *Iter) fill(t *kernel.Task, call string, n uint64, data func() hw.Data) uint64 {
	if n = min(n, i.Count); n == 0 {
		return 0
	}
	i.step(t, call)
	src := data()
	return i.walk(t, access{call, PROT_WRITE, true}, n, func(pages []*hw.Page, off, n, done int) {
		hw.Store(t.Task, pages, off, src.Slice(done, n))
	})
}

// CopyFromIter is copy_from_iter of n bytes. With a token what is said to be copied is
// nowhere: the destination stays as it is.
func (i *Iter) CopyFromIter(t *kernel.Task, n uint64) (hw.Data, uint64) {
	if i.UserBacked() && !i.wrongWay() {
		t.MightSleep("might_fault", "copy_from_iter")
	}
	return i.from(t, access{"copy_from_iter", PROT_READ, true}, n)
}

// CopyPageFromIter is copy_page_from_iter: to n bytes of a range of pages from off on.
func (i *Iter) CopyPageFromIter(t *kernel.Task, pages []*hw.Page, off, n uint64) uint64 {
	if !sane(t, "copy_page_from_iter", pages, off, n) {
		return 0
	}
	data, done := i.CopyFromIter(t, n)
	hw.Store(t.Task, pages, int(off), data)
	return done
}

// CopyPageFromIterAtomic is copy_page_from_iter_atomic: user memory that is not present
// is not faulted in.
func (i *Iter) CopyPageFromIterAtomic(t *kernel.Task, pages []*hw.Page, off, n uint64) uint64 {
	if !sane(t, "copy_page_from_iter_atomic", pages, off, n) {
		return 0
	}
	data, done := i.from(t, access{"copy_page_from_iter_atomic", PROT_READ, false}, n)
	hw.Store(t.Task, pages, int(off), data)
	return done
}

func (i *Iter) wrongWay() bool { return !i.source() }

func (i *Iter) from(t *kernel.Task, a access, n uint64) (data hw.Data, done uint64) {
	if i.wrongWay() {
		t.Warn("%s: data goes to this iterator", a.call)
		return nil, 0
	}
	if n = min(n, i.Count); n == 0 {
		return nil, 0
	}
	i.step(t, a.call)
	done = i.walk(t, a, n, func(pages []*hw.Page, off, n, _ int) {
		data = data.Append(hw.Load(t.Task, pages, off, n))
	})
	return data, done
}

// sane is page_copy_sane.
func sane(t *kernel.Task, call string, pages []*hw.Page, off, n uint64) bool {
	if off+n <= uint64(len(pages))*hw.PageSize {
		return true
	}
	t.Warn("%s: bytes %d to %d of %d page(s)", call, off, off+n, len(pages))
	return false
}

// access is how a copy gets at user memory.
type access struct {
	call     string
	want     Prot
	mayFault bool
}

func (i *Iter) step(t *kernel.Task, call string) {
	op := sim.Op{Verb: call}
	if i.UserBacked() {
		op.Obj, op.Class = &i.mm.obj, sim.Read
	}
	t.Step(op)
}

// walk is iterate_and_advance: calls fn for what n bytes, no more than there are, consist
// of, with the number of those before. Behind a vector that is done with it goes on to the
// next one, even if that is empty.
func (i *Iter) walk(t *kernel.Task, a access, n uint64, fn func(pages []*hw.Page, off, n, done int)) uint64 {
	done := uint64(0)
	switch {
	case i.Type == ITER_UBUF:
		done = i.user(t, a, i.Pointer+i.Offset, n, 0, fn)
		i.Offset += done
	case !i.vectored():
		done = n
	default:
		for left := n; left > 0; {
			base, rest := i.rest(t, a.call, i.seg, i.Offset)
			part := min(rest, left)
			copied := part
			if i.Type == ITER_IOVEC {
				copied = i.user(t, a, base, part, done, fn)
			} else if part > 0 {
				pages, off := i.pages(t, a.call, i.seg, i.Offset, part)
				fn(pages, int(off), int(part), int(done))
			}
			i.Offset += copied
			done += copied
			left -= copied
			if copied < rest { // that is all, or a fault
				break
			}
			i.seg, i.Offset = i.seg+1, 0
		}
	}
	i.Count -= done
	return done
}

// user calls fn for n bytes of user memory, until one faults.
func (i *Iter) user(t *kernel.Task, a access, addr, n, before uint64, fn func(pages []*hw.Page, off, n, done int)) uint64 {
	for done := uint64(0); done < n; {
		at := addr + done
		p := i.mm.page(t, at, a.want, a.mayFault)
		if p == nil {
			return done
		}
		part := min(n-done, hw.PageSize-at%hw.PageSize)
		fn([]*hw.Page{p}, int(at%hw.PageSize), int(part), int(before+done))
		done += part
	}
	return n
}
