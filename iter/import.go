package iter

import (
	"math"
	"slices"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// UIO_MAXIOV is how many vectors a user may pass.
const UIO_MAXIOV = 1024

// ImportUbuf is import_ubuf: an iterator for what a user asks for.
func ImportUbuf(t *kernel.Task, dir hw.Direction, mm *Mm, addr, n uint64) (Iter, kernel.Errno) {
	n = min(n, MaxRWCount)
	if !accessOK(addr, n) {
		return Iter{}, kernel.EFAULT
	}
	return Ubuf(t, dir, mm, addr, n), kernel.OK
}

// ImportIovec is import_iovec: an iterator for the vectors of a user. A single one makes an
// UBUF. What is more than MaxRWCount together is cut off, vector by vector.
func ImportIovec(t *kernel.Task, dir hw.Direction, mm *Mm, v []Iovec) (Iter, kernel.Errno) {
	if len(v) > UIO_MAXIOV || slices.ContainsFunc(v, func(v Iovec) bool { return v.Len > math.MaxInt64 }) {
		return Iter{}, kernel.EINVAL
	}
	if len(v) == 1 {
		return ImportUbuf(t, dir, mm, v[0].Base, v[0].Len)
	}
	v = slices.Clone(v)
	total := uint64(0)
	for k := range v {
		if !accessOK(v[k].Base, v[k].Len) {
			return Iter{}, kernel.EFAULT
		}
		v[k].Len = min(v[k].Len, MaxRWCount-total)
		total += v[k].Len
	}
	return Iovecs(t, dir, mm, v, total), kernel.OK
}

// taskSize is TASK_SIZE: where user addresses end.
const taskSize = 0x7fff_ffff_f000

// accessOK is access_ok: the range is one of user addresses, mapped or not.
func accessOK(addr, n uint64) bool { return addr+n >= addr && addr+n <= taskSize }
