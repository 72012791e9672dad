package iter

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// FaultInReadable is fault_in_iov_iter_readable: makes n bytes of user memory present, so
// that a copy that must not fault can follow. It returns how many are not, those
// that the iterator does not have among them. Of the other types all are.
func (i *Iter) FaultInReadable(t *kernel.Task, n uint64) uint64 {
	return i.faultIn(t, access{"fault_in_iov_iter_readable", PROT_READ, true}, n)
}

// FaultInWriteable is fault_in_iov_iter_writeable, see FaultInReadable.
func (i *Iter) FaultInWriteable(t *kernel.Task, n uint64) uint64 {
	return i.faultIn(t, access{"fault_in_iov_iter_writeable", PROT_WRITE, true}, n)
}

func (i *Iter) faultIn(t *kernel.Task, a access, n uint64) uint64 {
	if !i.UserBacked() {
		return 0
	}
	if n == 0 || i.Count == 0 {
		return n
	}
	t.MightSleep("might_fault", a.call)
	i.step(t, a.call)
	there := *i // the position stays
	return n - there.walk(t, a, min(n, i.Count), func([]*hw.Page, int, int, int) {})
}
