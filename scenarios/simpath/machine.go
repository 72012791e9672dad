package simpath

import (
	"fmt"
	"math"

	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
	"dmasim/uringsim/workload"
)

// machine runs a workload. Its methods are called by one task.
type machine struct {
	t       *kernel.Task
	o       *Options
	size    int64
	bus     *dmabufsim.Bus
	mm      *iter.Mm
	ring    *uringsim.Ring
	store   *store
	dmaFile *iter.File // the first dma-buf, as a target
	buffers []buffer

	calls    int // of the program, for those who move buffers
	progress sim.Object
}

func newMachine(t *kernel.Task, w *workload.Workload, o *Options) *machine {
	m := &machine{o: o, size: w.Size, bus: dmabufsim.NewBus(t), mm: iter.NewMm(t, "user")}
	t.Own(&m.progress, "counter", "calls of the program")
	m.store = newStore(t, w.File, o, m.bus.Memory)
	m.dmaFile = &iter.File{Name: "dmabuf", Mode: iter.FMODE_READ | iter.FMODE_WRITE}
	ring, err := uringsim.Setup(t, uringsim.Params{Entries: 64, Mm: m.mm, Flags: o.Flags})
	if err != kernel.OK {
		t.BUG("io_uring_setup: %v", err)
	}
	m.ring = ring
	for i := range w.Buffers {
		m.buffers = append(m.buffers, m.newBuffer(t, i))
	}
	if q := m.store.queue; q != nil {
		t.Machine().Audit(func() *sim.Failure { return left(q.Tags.InUse(), "tag(s) still in use") })
		t.Machine().Audit(func() *sim.Failure { return left(m.store.mapped(), "page(s) still mapped for the drive") })
	}
	t.Machine().Audit(func() *sim.Failure { return left(ring.InFlight(), "request(s) never completed") })
	return m
}

func left(n int, what string) *sim.Failure {
	if n == 0 {
		return nil
	}
	return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("%d %s", n, what)}
}

// Traits is part of workload.Machine, as are the methods that follow.
func (m *machine) Traits() workload.Traits { return m.o.Traits }

func (m *machine) Register(bufs []workload.Region) (int64, error) {
	m.called()
	entries := m.entries(bufs)
	if m.o.Design != nil {
		return m.registerTokens(entries), nil
	}
	return iter.Neg(m.ring.RegisterBuffers(m.t, entries)), nil
}

func (m *machine) Update(first int, bufs []workload.Region) (int64, error) {
	m.called()
	flags := uint32(0)
	if m.o.Design != nil {
		flags = uringsim.IORING_RSRC_F_EXTENDED_UPDATE
	}
	n, err := m.ring.UpdateBuffers(m.t, uint32(first), flags, m.entries(bufs))
	if err != kernel.OK {
		return iter.Neg(err), nil
	}
	return int64(n), nil
}

func (m *machine) Unregister() (int64, error) { return iter.Neg(m.ring.UnregisterBuffers(m.t)), nil }

// entries are those of a registration; never nil, which is another error.
func (m *machine) entries(regions []workload.Region) []uringsim.RegBuffer {
	out := []uringsim.RegBuffer{}
	for _, r := range regions {
		e := uringsim.RegBuffer{Iovec: &iter.Iovec{Len: uint64(r.Len)}}
		switch {
		case m.o.Design != nil && r.View == workload.Plain:
			e.Target, e.DmaBuf = m.store.file, m.buffers[r.Buf].dmabuf
			if r.At == 0 && r.Len == m.size {
				e.Iovec.Len = 0
			} else { // which REG-1 refuses
				e.Iovec.Base = m.addr(r)
			}
		case r.View != workload.Empty && r.View != workload.Null:
			e.Iovec.Base = m.addr(r)
		}
		for range max(1, r.Times) {
			out = append(out, e)
		}
	}
	return out
}

// views are the mappings of a buffer, in the order of their addresses.
var views = []workload.View{workload.Plain, workload.ReadOnly, workload.DmaBuf}

// viewAt is where a mapping begins. What is next to one is not mapped.
func viewAt(buf int, v workload.View) uint64 {
	for k := range views {
		if views[k] == v {
			return uint64(1+buf*len(views)+k) << 36
		}
	}
	return 0
}

func (m *machine) addr(r workload.Region) uint64 { return viewAt(r.Buf, r.View) + uint64(r.At) }

func (m *machine) Submit(number int, o *workload.Op) error {
	m.called()
	e := uringsim.SQE{UserData: uint64(number)}
	switch o.Kind {
	case workload.Nop:
	case workload.Cancel:
		e.Opcode, e.Addr = uringsim.IORING_OP_ASYNC_CANCEL, uint64(o.Of-1)
	default:
		e.Opcode = map[workload.Kind]uringsim.Opcode{
			workload.ReadFixed: uringsim.IORING_OP_READ_FIXED, workload.WriteFixed: uringsim.IORING_OP_WRITE_FIXED,
			workload.Read: uringsim.IORING_OP_READ, workload.Write: uringsim.IORING_OP_WRITE,
		}[o.Kind]
		e.File, e.BufIndex, e.Addr, e.Len, e.Off = m.target(o), o.Slot, m.addr(o.Mem), uint64(o.Mem.Len), o.Off
		if m.o.Design != nil && o.Fixed() {
			e.Addr -= m.slotBase(o.Slot)
		}
	}
	if o.Async {
		e.Flags |= uringsim.IOSQE_ASYNC
	}
	m.ring.Submit(m.t, e)
	return nil
}

func (m *machine) target(o *workload.Op) *iter.File {
	switch o.To {
	case workload.Closed:
		return nil
	case workload.ReadOnlyFile:
		return m.store.readOnly
	case workload.ADmaBuf:
		return m.dmaFile
	}
	return m.store.file
}

func (m *machine) Complete() (int, int64, error) {
	c := m.ring.WaitCQE(m.t)
	return int(c.UserData), c.Res, nil
}

// Bytes looks at everything from outside the run.
func (m *machine) Bytes() (buffers [][]byte, file []byte, err error) {
	for i := range m.buffers {
		b, err := m.store.render(hw.Peek(m.buffers[i].pages(), 0, int(m.size)))
		if err != nil {
			return nil, nil, err
		}
		buffers = append(buffers, b)
	}
	file, err = m.store.render(m.store.bytes())
	return buffers, file, err
}

// close ends the program: its last references of everything go.
func (m *machine) close(t *kernel.Task) {
	m.called()
	m.calls = math.MaxInt // as part of that operation
	m.ring.TaskExit(t)
	m.ring.Close(t)
}

func (m *machine) teardown(t *kernel.Task) {
	for i := range m.buffers {
		m.buffers[i].close(t, m.bus)
	}
}
