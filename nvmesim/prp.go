package nvmesim

import (
	"dmasim/sim/hw"
)

// CtrlPageSize is NVME_CTRL_PAGE_SIZE.
const CtrlPageSize = 4096

// prps computes PRP1 and PRP2 for length bytes at offset off of a premapped buffer
// with the given bus address per page (PRE-2). ok is false if a PRP list would be
// needed.
func prps(array []hw.BusAddr, off, length int) (prp1, prp2 hw.BusAddr, ok bool) {
	index, in := off/CtrlPageSize, off%CtrlPageSize
	prp1 = array[index] + hw.BusAddr(in)
	rest := length - (CtrlPageSize - in)
	switch {
	case rest <= 0:
		return prp1, 0, true
	case rest <= CtrlPageSize:
		return prp1, array[index+1], true
	}
	return 0, 0, false
}

// walk is the controller's view: the segments that PRP1 and PRP2 name for length
// bytes.
func walk(prp1, prp2 hw.BusAddr, length int) []hw.Segment {
	first := min(length, CtrlPageSize-int(prp1%CtrlPageSize))
	segs := []hw.Segment{{Addr: prp1, Len: first}}
	if rest := length - first; rest > 0 {
		segs = append(segs, hw.Segment{Addr: prp2, Len: rest})
	}
	return segs
}
