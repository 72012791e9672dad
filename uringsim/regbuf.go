package uringsim

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// node is struct io_rsrc_node with its io_mapped_ubuf and io_regbuf_dma. refs is
// changed under uring_lock: one from the table, one per request.
type node struct {
	kernel.Mem
	refs   int
	length uint64
	token  token.Token
	target *iter.File
	dmabuf *dmabufsim.DmaBuf
}

// RegisterDmaBuf updates a slot of the table with a dma-buf (REG-2 to REG-7): the
// buffer can then be used for direct I/O on the target file.
func (r *Ring) RegisterDmaBuf(t *kernel.Task, slot int, target *iter.File, buf *dmabufsim.DmaBuf) kernel.Errno {
	r.uringLock.Lock(t)
	defer r.uringLock.Unlock(t)
	if slot < 0 || slot >= len(r.table) {
		return kernel.EINVAL
	}
	n := &node{refs: 1, target: target, dmabuf: buf, length: buf.Size}
	if err := t.Alloc(kernel.GFP_KERNEL, &n.Mem, "io_rsrc_node"); err != kernel.OK { // REG-2
		return err
	}
	for _, part := range []string{"io_mapped_ubuf", "io_regbuf_dma"} {
		if err := t.MayFail(kernel.GFP_KERNEL, part); err != kernel.OK {
			t.Free(&n.Mem)
			return err
		}
	}
	// REG-3: references of files are not counted.
	buf.Get(t) // REG-4
	err := kernel.EOPNOTSUPP
	if op, ok := target.Ops.(iter.DmaMapper); ok {
		n.token, err = op.DmaMap(t, target, token.Params{DmaBuf: buf, Dir: hw.Bidirectional}) // REG-5
	}
	if err != kernel.OK { // REG-6
		t.Free(&n.Mem)
		buf.Put(t)
		return err
	}
	if old := r.table[slot]; old != nil { // REG-7
		r.putNode(t, old)
	}
	r.table[slot] = n
	return kernel.OK
}

// UnregisterBuffer empties a slot. Requests that use the buffer keep it until they are
// freed; it does not wait for them.
func (r *Ring) UnregisterBuffer(t *kernel.Task, slot int) kernel.Errno {
	r.uringLock.Lock(t)
	defer r.uringLock.Unlock(t)
	if slot < 0 || slot >= len(r.table) || r.table[slot] == nil {
		return kernel.ENXIO
	}
	n := r.table[slot]
	r.table[slot] = nil
	r.putNode(t, n)
	return kernel.OK
}

// putNode drops a reference; the last one is RELEASE-IMU. uring_lock is held.
func (r *Ring) putNode(t *kernel.Task, n *node) {
	t.Use(&n.Mem)
	n.refs--
	if n.refs > 0 {
		return
	}
	n.token.Unregister(t)
	n.dmabuf.Put(t)
	t.Free(&n.Mem)
}
