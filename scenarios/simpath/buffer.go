package simpath

import (
	"fmt"

	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/uringsim/workload"
)

// buffer is one buffer of a workload: a memfd, with a udmabuf over it if there are any, or with
// a design one of a driver that moves it.
type buffer struct {
	memfd  *dmabufsim.Memfd
	dmabuf *dmabufsim.DmaBuf
	moving *dmabufsim.Moving
	fds    []int
}

func (m *machine) newBuffer(t *kernel.Task, i int) (b buffer) {
	n := int(m.size / hw.PageSize)
	if m.o.Design != nil {
		b.moving = dmabufsim.NewMoving(t, m.bus, origin(byte(i)), n)
		b.dmabuf = b.moving.Buf
		return b
	}
	b.memfd = m.bus.NewMemfd(t, origin(byte(i)), n, dmabufsim.F_SEAL_SHRINK)
	m.mm.Mmap(t, viewAt(i, workload.Plain), b.memfd.Pages(), iter.PROT_READ|iter.PROT_WRITE)
	m.mm.Mmap(t, viewAt(i, workload.ReadOnly), b.memfd.Pages(), iter.PROT_READ)
	if !m.o.Traits.DmaBufs {
		return b
	}
	m.mm.MmapPFN(t, viewAt(i, workload.DmaBuf), b.memfd.Pages(), iter.PROT_READ|iter.PROT_WRITE)
	must := func(err kernel.Errno) {
		if err != kernel.OK {
			t.BUG("udmabuf of buffer %d: %v", i, err)
		}
	}
	fd, err := m.bus.FDs.Install(t, b.memfd)
	must(err)
	dmafd, err := m.bus.UdmabufIoctl(t, "UDMABUF_CREATE", []dmabufsim.UdmabufItem{{FD: fd, Size: uint64(m.size)}})
	must(err)
	b.dmabuf, err = m.bus.GetFD(t, dmafd)
	must(err)
	b.fds = []int{fd, dmafd}
	return b
}

// pages are where the contents are.
func (b *buffer) pages() []*hw.Page {
	if b.moving != nil {
		return b.moving.Backing()
	}
	return b.memfd.Pages()
}

func (b *buffer) close(t *kernel.Task, bus *dmabufsim.Bus) {
	if b.dmabuf != nil {
		b.dmabuf.Put(t)
	}
	for _, fd := range b.fds {
		bus.FDs.Close(t, fd)
	}
}

// CPUWrite goes through the dma-buf, if there is one.
func (m *machine) CPUWrite(buf int, at int64, data []byte) error {
	d, err := written(data)
	if err != nil {
		return err
	}
	return m.access(buf, dmabufsim.DMA_BUF_SYNC_WRITE, "store", func(pages []*hw.Page) { hw.Store(m.t.Task, pages, int(at), d) })
}

func (m *machine) CPURead(buf int, at int64, data []byte) error {
	var got hw.Data
	if err := m.access(buf, dmabufsim.DMA_BUF_SYNC_READ, "load", func(pages []*hw.Page) { got = hw.Load(m.t.Task, pages, int(at), len(data)) }); err != nil {
		return err
	}
	b, err := m.store.render(got)
	copy(data, b)
	return err
}

// access has the CPU do something with a buffer, as one operation. One that moves is found by a
// page fault, which keeps it where it is meanwhile and waits for a copy that is under way, as
// those of drivers do.
func (m *machine) access(buf int, dir dmabufsim.SyncFlags, verb string, fn func(pages []*hw.Page)) error {
	m.called()
	b, t := &m.buffers[buf], m.t
	if b.dmabuf != nil {
		err := b.dmabuf.Sync(t, dmabufsim.DMA_BUF_SYNC_START|dir)
		for err == kernel.ERESTARTSYS { // by task work: the call is made again
			t.RunTaskWork()
			err = b.dmabuf.Sync(t, dmabufsim.DMA_BUF_SYNC_START|dir)
		}
		if err != kernel.OK {
			return fmt.Errorf("DMA_BUF_IOCTL_SYNC of buffer %d: %w", buf, err)
		}
		defer b.dmabuf.Sync(t, dmabufsim.DMA_BUF_SYNC_END|dir)
	}
	if b.moving != nil {
		b.dmabuf.Resv.Lock(t, nil)
		defer b.dmabuf.Resv.Unlock(t)
		b.dmabuf.Resv.Wait(t, dmabufsim.UsageKernel)
	}
	t.Step(sim.Op{Verb: verb})
	fn(b.pages())
	return nil
}

// written names the bytes of cpu_write, which are a pattern from its first byte on.
func written(data []byte) (hw.Data, error) {
	for seed := range 256 {
		n := 0
		for n < len(data) && data[n] == workload.Pattern(byte(seed), int64(n)) {
			n++
		}
		if n == len(data) {
			return pattern(byte(seed), n), nil
		}
	}
	return nil, fmt.Errorf("the bytes are no pattern of the language: % x", data[:min(16, len(data))])
}
