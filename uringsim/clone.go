package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Flags of IORING_REGISTER_CLONE_BUFFERS.
const IORING_REGISTER_DST_REPLACE = 1 << 1

// CloneArgs is struct io_uring_clone_buffers.
type CloneArgs struct {
	Src                *Ring
	Flags              uint32
	SrcOff, DstOff, Nr uint32 // Nr 0: all
}

// CloneBuffers is IORING_REGISTER_CLONE_BUFFERS: slots of the other ring's table are here as
// well, with nodes of their own, and the same buffers (REG-8).
func (r *Ring) CloneBuffers(t *kernel.Task, a CloneArgs) kernel.Errno {
	src := a.Src
	if a.Flags&^IORING_REGISTER_DST_REPLACE != 0 {
		return kernel.EINVAL
	}
	replace := a.Flags&IORING_REGISTER_DST_REPLACE != 0
	if t.K.Profile == kernel.V6_12 && (replace || a.SrcOff|a.DstOff|a.Nr != 0) {
		return kernel.EINVAL
	}
	if src == r && !replace { // the table is there
		return kernel.EBUSY
	}
	r.lockBoth(t, src)
	defer r.unlockBoth(t, src)
	if err := r.mayRegister(t); err != kernel.OK {
		return err
	}
	if r.buffers.exists() && !replace {
		return kernel.EBUSY
	}
	if r.User != src.User || r.Mm != src.Mm {
		return kernel.EINVAL
	}
	if !src.buffers.exists() {
		return kernel.ENXIO
	}
	n := uint32(len(src.buffers.nodes))
	nr := a.Nr
	if nr == 0 {
		nr = n
	}
	switch {
	case nr > n:
		return kernel.EINVAL
	case a.Nr > maxBuffers:
		return kernel.EINVAL
	case nr+a.SrcOff < nr:
		return kernel.EOVERFLOW
	case nr+a.SrcOff > n:
		return kernel.EINVAL
	case nr+a.DstOff < nr:
		return kernel.EOVERFLOW
	case nr+a.DstOff > maxBuffers:
		return kernel.EINVAL
	}
	nodes := make([]*node, max(int(nr+a.DstOff), len(r.buffers.nodes)))
	put := func(list []*node) {
		for i := len(list) - 1; i >= 0; i-- {
			if list[i] != nil {
				r.putNode(t, list[i])
			}
		}
	}
	for i := range nr {
		from := src.buffers.nodes[a.SrcOff+i]
		if from == nil {
			continue
		}
		c, err := r.newNode(t)
		if err != kernel.OK {
			put(nodes)
			return err
		}
		t.Mark("REG-8 clones")
		c.imu = from.imu
		t.Touch(&c.imu.obj, sim.Write)
		c.imu.refs++
		nodes[a.DstOff+i] = c
	}
	for i, old := range r.buffers.nodes { // what is not replaced stays
		if nodes[i] == nil && (uint32(i) < a.DstOff || uint32(i) >= a.DstOff+nr) {
			nodes[i], r.buffers.nodes[i] = old, nil
		}
	}
	r.dropTable(t, &r.buffers)
	r.buffers.nodes = nodes
	return kernel.OK
}

// lockBoth is lock_two_rings.
func (r *Ring) lockBoth(t *kernel.Task, o *Ring) {
	first, second := r, o
	if o.number < r.number {
		first, second = o, r
	}
	first.uringLock.Lock(t)
	if second != first {
		second.uringLock.LockNested(t, 1)
	}
}

func (r *Ring) unlockBoth(t *kernel.Task, o *Ring) {
	if o != r {
		o.unlock(t)
	}
	r.unlock(t)
}
