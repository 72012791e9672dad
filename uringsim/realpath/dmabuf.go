//go:build linux

package realpath

import "dmasim/uringsim/realring"

// RegisterDmaBuf makes the dma-buf of a buffer the fixed buffer of its number, for the
// store, in place of its memory. RegisterAll comes before. From then on transfers name
// offsets in the dma-buf.
func (p *Path) RegisterDmaBuf(buf int) error {
	_, err := p.Ring.UpdateDmaBufs(buf, []realring.DmaBuf{{Target: int32(p.Store.fd), DmaBuf: int32(p.Buffers[buf].DmaBuf.Fd())}})
	if err == nil {
		p.dmabufs[buf] = true
	}
	return err
}

// base is the address of the first byte of a registered buffer.
func (p *Path) base(buf int) uint64 {
	if p.dmabufs[buf] {
		return 0
	}
	return p.Buffers[buf].IO.Addr()
}
