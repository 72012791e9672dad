package nvmesim

import "dmasim/sim/kernel"

// smallDescriptors is how many SGL descriptors a small block has room for.
const smallDescriptors = smallBlock / descriptorSize

// useSGL is nvme_pci_use_sgls: whether a request of n segments is to have an SGL. Small
// segments are better off with PRPs.
func (d *Driver) useSGL(t *kernel.Task, io *iod, n int) bool {
	if !d.ctrl.SGL {
		return false
	}
	if t.K.Profile != kernel.V6_12 && gaps(io) {
		return true
	}
	average := (io.bytes + n - 1) / n
	return d.SGLThreshold > 0 && average >= d.SGLThreshold
}

// gaps tells whether PRPs cannot describe the segments.
func gaps(io *iod) bool {
	for i, s := range io.segs {
		if i > 0 && s.Addr%CtrlPageSize != 0 || i < len(io.segs)-1 && (int(s.Addr%CtrlPageSize)+s.Len)%CtrlPageSize != 0 {
			return true
		}
	}
	return false
}

// setupSGL is nvme_pci_setup_sgls: one segment is a data block in the command, several are a
// last segment of as many descriptors.
func (d *Driver) setupSGL(t *kernel.Task, io *iod) kernel.BlkStatus {
	n := len(io.segs)
	io.cmd.Flags = psdtSGL
	if n == 1 {
		io.cmd.DPTR1, io.cmd.DPTR2 = uint64(io.segs[0].Addr), descriptor(sglData, io.segs[0].Len)
		return kernel.BLK_STS_OK
	}
	io.small = n <= smallDescriptors
	b := d.list(t, io, io.small)
	if b == nil {
		return kernel.BLK_STS_RESOURCE
	}
	io.cmd.DPTR1, io.cmd.DPTR2 = uint64(b.addr), descriptor(sglLastSegment, n*descriptorSize)
	words := d.entries.page()[:0]
	for _, s := range io.segs {
		words = append(words, uint64(s.Addr), descriptor(sglData, s.Len))
	}
	b.store(t, 0, words...)
	return kernel.BLK_STS_OK
}
