//go:build linux

package realpath

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
	"dmasim/uringsim/realring"
	"dmasim/uringsim/workload"
)

// Machine runs workloads on the real path.
type Machine struct {
	*Path
	// readOnly are the read-only mappings of the buffers, made when needed.
	readOnly map[int]*udmabuf.Mapping
}

// NewMachine makes what a workload runs on, as it is at the beginning.
func NewMachine(w *workload.Workload, o Options) (*Machine, error) {
	o.Store = workload.Filled(workload.FilePattern, w.File)
	o.Buffers, o.Size = w.Buffers, int(w.Size)
	p, err := Open(o)
	if err != nil {
		return nil, err
	}
	m := &Machine{Path: p, readOnly: map[int]*udmabuf.Mapping{}}
	for i, b := range p.Buffers {
		if err := b.Write(0, workload.Filled(byte(i), w.Size)); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// Run executes a workload on a machine of its own.
func Run(w *workload.Workload, o Options) (*workload.Outcome, workload.Traits, error) {
	m, err := NewMachine(w, o)
	if err != nil {
		return nil, workload.Traits{}, err
	}
	out, err := workload.Run(m, w)
	return out, m.Traits(), errors.Join(err, m.Close())
}

// Traits is part of workload.Machine, as are the methods that follow.
func (m *Machine) Traits() workload.Traits {
	s := m.Store
	return workload.Traits{
		Direct: s.Direct, Block: s.Block, Mem: s.Mem, Strict: s.Strict, ZeroTail: s.ZeroTail,
		DmaBufs: m.device != nil, Page: int64(os.Getpagesize()),
	}
}

func errnoOf(res int32) syscall.Errno { return syscall.Errno(-res) }

// result makes a result of what a call answered; what is no errno breaks the run.
func result(n int, err error) (int64, error) {
	var e *uapi.Error
	if errors.As(err, &e) {
		return -int64(e.Errno), nil
	}
	return int64(n), err
}

func (m *Machine) Register(bufs []workload.Region) (int64, error) {
	vecs, err := m.vecs(bufs)
	if err != nil {
		return 0, err
	}
	return result(0, m.Ring.RegisterBuffers(vecs))
}

func (m *Machine) Update(first int, bufs []workload.Region) (int64, error) {
	vecs, err := m.vecs(bufs)
	if err != nil {
		return 0, err
	}
	return result(m.Ring.UpdateBuffers(first, vecs))
}

func (m *Machine) Unregister() (int64, error) { return result(0, m.Ring.UnregisterBuffers()) }

func (m *Machine) vecs(regions []workload.Region) ([]uapi.Iovec, error) {
	out := []uapi.Iovec{} // never nil: that is another error
	for _, r := range regions {
		v := uapi.Iovec{Len: uint64(r.Len)}
		if r.View != workload.Empty && r.View != workload.Null {
			addr, err := m.addr(r)
			if err != nil {
				return nil, err
			}
			v.Base = addr
		}
		for range max(1, r.Times) {
			out = append(out, v)
		}
	}
	return out, nil
}

// addr is the address of a region.
func (m *Machine) addr(r workload.Region) (uint64, error) {
	b := m.Buffers[r.Buf]
	view := b.IO
	switch r.View {
	case workload.DmaBuf:
		view = b.CPU
	case workload.ReadOnly:
		if m.readOnly[r.Buf] == nil {
			ro, err := b.Memfd.Map(unix.PROT_READ)
			if err != nil {
				return 0, err
			}
			m.readOnly[r.Buf] = ro
		}
		view = m.readOnly[r.Buf]
	}
	return view.Addr() + uint64(r.At), nil
}

// notOpen is a descriptor beyond every limit.
const notOpen = 1<<30 - 1

func (m *Machine) Submit(number int, o *workload.Op) error {
	var e uapi.IoUringSqe
	data := uint64(number)
	switch {
	case o.Kind == workload.Nop:
		e = realring.Nop(data)
	case o.Kind == workload.Cancel:
		e = realring.Cancel(uint64(o.Of-1), data)
	default:
		addr, err := m.addr(o.Mem)
		if err != nil {
			return err
		}
		fd, n, off, slot := m.target(o), uint32(o.Mem.Len), uint64(o.Off), uint16(o.Slot)
		switch o.Kind {
		case workload.ReadFixed:
			e = realring.ReadFixed(fd, addr, n, off, slot, data)
		case workload.WriteFixed:
			e = realring.WriteFixed(fd, addr, n, off, slot, data)
		case workload.Read:
			e = realring.Read(fd, addr, n, off, data)
		case workload.Write:
			e = realring.Write(fd, addr, n, off, data)
		default:
			return fmt.Errorf("%s is no request", o.Kind)
		}
	}
	if o.Async {
		e.Flags |= uapi.IOSQE_ASYNC
	}
	if err := m.Ring.Prepare(e); err != nil {
		return err
	}
	_, err := m.Ring.Submit()
	return err
}

func (m *Machine) target(o *workload.Op) int {
	switch o.To {
	case workload.Closed:
		return notOpen
	case workload.ReadOnlyFile:
		return m.Store.readOnly
	case workload.ADmaBuf:
		return m.Buffers[0].DmaBuf.Fd()
	}
	return m.Store.fd
}

func (m *Machine) Complete() (int, int64, error) {
	c, err := m.next()
	return int(c.UserData), int64(c.Res), err
}

func (m *Machine) CPUWrite(buf int, at int64, data []byte) error {
	return m.Buffers[buf].Write(int(at), data)
}

func (m *Machine) CPURead(buf int, at int64, data []byte) error {
	return m.Buffers[buf].Read(data, int(at))
}

// Bytes also compares both views of a buffer: they are the same pages.
func (m *Machine) Bytes() (buffers [][]byte, file []byte, err error) {
	for i, b := range m.Buffers {
		got := make([]byte, len(b.IO.Bytes))
		if err := b.Read(got, 0); err != nil {
			return nil, nil, err
		}
		if !bytes.Equal(got, b.IO.Bytes) {
			return nil, nil, fmt.Errorf("the memfd and the dma-buf of buffer %d hold different bytes", i)
		}
		buffers = append(buffers, got)
	}
	file, err = m.Store.Bytes()
	return buffers, file, err
}

// Close ends the machine.
func (m *Machine) Close() error {
	err := m.Path.Close()
	for _, ro := range m.readOnly {
		err = errors.Join(err, ro.Close())
	}
	return err
}
