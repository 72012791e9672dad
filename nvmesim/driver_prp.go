package nvmesim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// prpList fills PRP lists.
type prpList struct {
	d   *Driver
	io  *iod
	at  *block // the list that is being filled
	buf []uint64
}

// start takes the first list, for n entries: a short one comes from the small pool.
func (l *prpList) start(t *kernel.Task, n int) bool {
	l.io.small = n <= smallEntries
	l.at, l.buf = l.d.list(t, l.io, l.io.small), l.d.entries.page()[:0]
	return l.at != nil
}

// add appends an entry. If the page is full the last entry moves to slot 0 of another one,
// whose address takes its place. False if there is none to be had.
func (l *prpList) add(t *kernel.Task, a hw.BusAddr) bool {
	if len(l.buf) == pageEntries {
		next := l.d.list(t, l.io, false)
		if next == nil {
			return false
		}
		moved := l.buf[lastEntry]
		l.buf[lastEntry] = uint64(next.addr)
		l.flush(t)
		l.at, l.buf = next, append(l.buf[:0], moved)
	}
	l.buf = append(l.buf, uint64(a))
	return true
}

// flush writes what there is into the list.
func (l *prpList) flush(t *kernel.Task) { l.at.store(t, 0, l.buf...) }

// setupPRPs is nvme_pci_setup_prps: PRPs of the mapped segments of an ordinary request. Every
// segment but the first begins with a page, and every one but the last ends with one: else
// the request ends with an I/O error.
func (d *Driver) setupPRPs(t *kernel.Task, io *iod, length int) kernel.BlkStatus {
	segs := io.segs
	at, left := segs[0].Addr, segs[0].Len
	next := func(n int) bool { // goes on by n bytes: false at a segment that is not as it must be
		at += hw.BusAddr(n)
		left -= n
		length -= n
		if left > 0 || length <= 0 {
			return true
		}
		if left < 0 || len(segs) < 2 {
			return false
		}
		segs = segs[1:]
		at, left = segs[0].Addr, segs[0].Len
		return true
	}
	bad := func() kernel.BlkStatus {
		if !d.warned {
			d.warned = true
			t.Warn("Invalid SGL for payload:%d nents:%d", io.bytes, len(io.segs))
		}
		// In 6.12 the lists are left behind.
		if t.K.Profile != kernel.V6_12 {
			d.freeLists(t, io)
		}
		return kernel.BLK_STS_IOERR
	}
	prp1, prp2 := at, hw.BusAddr(0)
	if !next(min(length, CtrlPageSize-int(at%CtrlPageSize))) {
		return bad()
	}
	switch {
	case length <= 0:
	case length <= CtrlPageSize:
		prp2 = at
	default:
		l := prpList{d: d, io: io}
		if !l.start(t, (length+CtrlPageSize-1)/CtrlPageSize) {
			return kernel.BLK_STS_RESOURCE
		}
		prp2 = l.at.addr
		for length > 0 {
			if !l.add(t, at) {
				d.freeLists(t, io)
				return kernel.BLK_STS_RESOURCE
			}
			if !next(CtrlPageSize) {
				return bad()
			}
		}
		l.flush(t)
	}
	io.cmd.DPTR1, io.cmd.DPTR2 = uint64(prp1), uint64(prp2)
	return kernel.BLK_STS_OK
}

// freeLists gives the lists of an ordinary request back to their pools.
func (d *Driver) freeLists(t *kernel.Task, io *iod) {
	for _, b := range io.lists {
		b.pool.put(t, b, b.addr)
	}
	io.lists = io.lists[:0]
	d.spare.put(t, io)
}
