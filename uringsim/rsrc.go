package uringsim

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
)

// node is struct io_rsrc_node: a slot of a table, and everybody who uses what is in it. refs
// is changed under uring_lock: one from the table, one per request.
type node struct {
	kernel.Mem
	refs kernel.Field[int]
	tag  uint64     //dmasim:private changed under uring_lock, by the registration that makes the node
	imu  *imu       //dmasim:private of the table of buffers; set before the node is in it
	file *iter.File // of the table of files
}

// get takes a reference. uring_lock is held.
func (n *node) get(t *kernel.Task) { n.refs.Set(t, n.refs.Get(t)+1) }

// table is struct io_rsrc_data. It does not exist as long as nothing is registered.
type table struct{ nodes []*node }

func (d *table) exists() bool { return d.nodes != nil }

// lookup is io_rsrc_node_lookup.
func (d *table) lookup(index int) *node {
	if index < 0 || index >= len(d.nodes) {
		return nil
	}
	return d.nodes[index]
}

// What a registration may ask for.
const (
	// maxBuffers is IORING_MAX_REG_BUFFERS, maxFiles IORING_MAX_FIXED_FILES.
	maxBuffers = 1 << 14
	maxFiles   = 1 << 20
	// IORING_RSRC_REGISTER_SPARSE: a table of empty slots.
	IORING_RSRC_REGISTER_SPARSE = 1 << 0
	// IORING_RSRC_F_EXTENDED_UPDATE: entries of an update may be dma-bufs.
	IORING_RSRC_F_EXTENDED_UPDATE = 1 << 0
	// IORING_REGISTER_FILES_SKIP: the slot stays as it is.
	IORING_REGISTER_FILES_SKIP = -2
)

// newNode is io_rsrc_node_alloc: with the table's reference.
func (r *Ring) newNode(t *kernel.Task) (*node, kernel.Errno) {
	n := &node{}
	err := t.Alloc(kernel.GFP_KERNEL, &n.Mem, "io_rsrc_node")
	n.refs.Init(t, &n.Mem, "io_rsrc_node.refs", 1)
	return n, err
}

// putNode drops a reference; the last one frees what the node stands for. The tag is told
// first. uring_lock is held.
func (r *Ring) putNode(t *kernel.Task, n *node) {
	r.assertLocked(t, "io_put_rsrc_node")
	t.Use(&n.Mem)
	if n.refs.Set(t, n.refs.Get(t)-1); n.refs.Get(t) > 0 {
		return
	}
	if t.K.Profile == kernel.V6_12 && r.generations.later(t, n) {
		return
	}
	r.freeNode(t, n)
}

// freeNode is io_free_rsrc_node.
func (r *Ring) freeNode(t *kernel.Task, n *node) {
	if n.tag != 0 {
		r.postCQE(t, CQE{UserData: n.tag})
	}
	if n.imu != nil {
		r.putImu(t, n.imu)
	}
	if n.file != nil {
		n.file.Put(t)
	}
	t.Free(&n.Mem)
}

// reset is io_reset_rsrc_node: empties a slot.
func (r *Ring) reset(t *kernel.Task, d *table, slot int) bool {
	n := d.nodes[slot]
	if n == nil {
		return false
	}
	d.nodes[slot] = nil
	r.removeNode(t, n)
	return true
}

// removeNode drops the table's reference.
func (r *Ring) removeNode(t *kernel.Task, n *node) {
	if t.K.Profile == kernel.V6_12 {
		r.generations.next(t, r, n)
		return
	}
	r.putNode(t, n)
}

// dropTable is io_rsrc_data_free: all slots, the last one first.
func (r *Ring) dropTable(t *kernel.Task, d *table) {
	for i := len(d.nodes) - 1; i >= 0; i-- {
		r.reset(t, d, i)
	}
	d.nodes = nil
}

// mayRegister is what io_uring_register asks before anything else.
func (r *Ring) mayRegister(t *kernel.Task) kernel.Errno {
	switch {
	case r.submitter != nil && r.submitter != t:
		return kernel.EEXIST
	case r.RestrictRegister:
		return kernel.EACCES
	}
	return kernel.OK
}

// updateRange is what the updates of both tables ask first.
func updateRange(t *kernel.Task, d *table, off, n, flags, allowed uint32) kernel.Errno {
	switch {
	case n == 0:
		t.Mark("REG nothing")
		return kernel.EINVAL
	case off+n < off:
		t.Mark("REG overflow")
		return kernel.EOVERFLOW
	case !d.exists():
		t.Mark("REG no table")
		return kernel.ENXIO
	case flags&^allowed != 0:
		t.Mark("REG flags")
		return kernel.EINVAL
	case uint64(off)+uint64(n) > uint64(len(d.nodes)):
		t.Mark("REG range")
		return kernel.EINVAL
	}
	return kernel.OK
}
