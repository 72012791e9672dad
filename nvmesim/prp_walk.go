package nvmesim

import (
	"slices"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// walker follows the data pointer of a command to the bus addresses of its data. Its
// buffers are used again, so that a walk allocates nothing.
type walker struct {
	ctrl *Controller

	entries words
	visited []uint64 // pages of lists of the walk
}

// walk appends the segments of the length bytes that the data pointer of a command names.
// It reads lists as they are in memory now, as part of the operation that was granted
// last.
func (w *walker) walk(t *kernel.Task, cmd *Command, length int, segs []hw.Segment) ([]hw.Segment, Status) {
	switch cmd.Flags & psdtMask {
	case psdtPRP:
		return w.prp(t, cmd.DPTR1, cmd.DPTR2, length, segs)
	case psdtSGL, psdtSGLSegment:
		return w.sgl(t, cmd.DPTR1, cmd.DPTR2, length, segs)
	}
	return segs, InvalidField | DNR
}

// prp appends one segment for every physical region page.
//
// Only PRP1 has an offset, a multiple of four. What it does not cover is at PRP2, if that
// is no more than a page, or else in the list at PRP2. A list may begin anywhere in its
// page, at a multiple of eight; if it does not end before the page does, the last entry of
// the page leads to the next list, which begins with its page.
func (w *walker) prp(t *kernel.Task, prp1, prp2 uint64, length int, segs []hw.Segment) ([]hw.Segment, Status) {
	if prp1%4 != 0 {
		return segs, InvalidPRPOffset | DNR
	}
	first := min(length, CtrlPageSize-int(prp1%CtrlPageSize))
	segs = append(segs, hw.Segment{Addr: hw.BusAddr(prp1), Len: first})
	rest := length - first
	if rest == 0 {
		return segs, Success
	}
	if rest <= CtrlPageSize {
		if s := checkPRP(prp2); s != Success {
			return segs, s
		}
		return append(segs, hw.Segment{Addr: hw.BusAddr(prp2), Len: rest}), Success
	}
	switch {
	case prp1 == 0 || prp2 == 0:
		return segs, InvalidField | DNR
	case prp2%8 != 0:
		return segs, InvalidPRPOffset | DNR
	}
	w.visited = w.visited[:0]
	for list := prp2; ; {
		page := list - list%CtrlPageSize
		if slices.Contains(w.visited, page) {
			return segs, InvalidField | DNR // a list that comes back to itself
		}
		w.visited = append(w.visited, page)
		need := (rest + CtrlPageSize - 1) / CtrlPageSize
		room := int(CtrlPageSize-list%CtrlPageSize) / 8
		entries := w.entries.page()[:min(need, room)]
		if s := w.read(t, list, entries); s != Success {
			return segs, s
		}
		data := entries
		if need > room {
			data = entries[:room-1]
		}
		for _, e := range data {
			if s := checkPRP(e); s != Success {
				return segs, s
			}
			n := min(rest, CtrlPageSize)
			segs = append(segs, hw.Segment{Addr: hw.BusAddr(e), Len: n})
			rest -= n
		}
		if need <= room {
			return segs, Success
		}
		list = entries[room-1]
		if s := checkPRP(list); s != Success {
			return segs, s
		}
	}
}

// checkPRP checks an entry that may have no offset.
func checkPRP(e uint64) Status {
	switch {
	case e == 0:
		return InvalidField | DNR
	case e%CtrlPageSize != 0:
		return InvalidPRPOffset | DNR
	}
	return Success
}

// read reads words of a list.
func (w *walker) read(t *kernel.Task, at uint64, words []uint64) Status {
	if f := w.ctrl.IOMMU.ReadWords(t.Task, hw.BusAddr(at), words); f != nil {
		if !w.ctrl.Answers {
			f.Fail(t.Task)
		}
		return DataTransferError
	}
	return Success
}

// words is room for a page of entries, made when it is first needed.
type words []uint64

func (w *words) page() []uint64 {
	if *w == nil {
		*w = make([]uint64, CtrlPageSize/8)
	}
	return *w
}
