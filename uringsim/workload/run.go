package workload

import (
	"fmt"
	"strings"

	"dmasim/sim/kernel"
)

// Machine is what a workload runs on. Results are those of the kernel's calls: a count,
// 0, or a negative errno. An error is a machine that broke down, and ends the run.
type Machine interface {
	// Traits are what the model has to know.
	Traits() Traits
	Register(bufs []Region) (int64, error)
	Update(first int, bufs []Region) (int64, error)
	Unregister() (int64, error)
	// Submit starts a request. Its result comes with a completion of that number.
	Submit(number int, o *Op) error
	// Complete waits for the next completion.
	Complete() (number int, res int64, err error)
	// CPUWrite and CPURead access a buffer as the CPU sees it.
	CPUWrite(buf int, at int64, data []byte) error
	CPURead(buf int, at int64, data []byte) error
	// Bytes are all bytes of the buffers and of the file, with nothing in flight.
	Bytes() (buffers [][]byte, file []byte, err error)
}

// Traits are what differs between machines.
type Traits struct {
	// Direct is O_DIRECT. Offsets and lengths are then in units of Block, and memory at a
	// multiple of Mem is always right.
	Direct     bool
	Block, Mem int64
	// Strict is that direct I/O at other offsets or of other lengths fails with EINVAL.
	Strict bool
	// ZeroTail is that a read across the end of the file leaves zeroes in the rest of its
	// memory; otherwise that is as it was.
	ZeroTail bool
	// DmaBufs is whether the buffers have any.
	DmaBufs bool
	// Page is the page size.
	Page int64
}

// Result is what an operation answered.
type Result struct {
	Res int64
	// Data is what a cpu_read saw.
	Data []byte
}

func (r Result) String() string {
	switch {
	case r.Data != nil:
		return fmt.Sprintf("%d %x", r.Res, r.Data[:min(16, len(r.Data))])
	case r.Res == -int64(ECANCELED):
		return "-ECANCELED"
	case r.Res < 0:
		return kernel.Errno(-r.Res).String()
	}
	return fmt.Sprint(r.Res)
}

// ECANCELED is the result of a request that was cancelled.
const ECANCELED kernel.Errno = 125

// Outcome is all that a run answered.
type Outcome struct {
	// Results has one for each operation.
	Results []Result
	Buffers [][]byte
	File    []byte
}

// Text is the workload with every result beside its operation.
func (o *Outcome) Text(w *Workload) string {
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(w.String()), "\n") {
		if i == 0 {
			fmt.Fprintf(&b, "%s\n", line)
		} else {
			fmt.Fprintf(&b, "%-60s # %s\n", line, o.Results[i-1])
		}
	}
	return b.String()
}

// Run executes a workload that is valid for the machine. A request that does not hold is
// waited for before the next operation, and all of them at the end.
func Run(m Machine, w *Workload) (*Outcome, error) {
	if err := w.Validate(m.Traits()); err != nil {
		return nil, err
	}
	r := &run{Machine: m, out: &Outcome{Results: make([]Result, len(w.Ops))}, flying: map[int]bool{}}
	for i := range w.Ops {
		if err := r.step(i, &w.Ops[i]); err != nil {
			return nil, fmt.Errorf("operation %d, %s: %w", i+1, &w.Ops[i], err)
		}
	}
	err := r.drain()
	if err == nil {
		r.out.Buffers, r.out.File, err = m.Bytes()
	}
	return r.out, err
}

type run struct {
	Machine
	out *Outcome
	// flying are the operations without a completion.
	flying map[int]bool
}

func (r *run) step(i int, o *Op) (err error) {
	res := &r.out.Results[i]
	switch o.Kind {
	case Register:
		res.Res, err = r.Register(o.Regions)
	case Update:
		res.Res, err = r.Update(o.Slot, o.Regions)
	case Unregister:
		res.Res, err = r.Unregister()
	case Wait:
		err = r.drain()
	case CPUWrite:
		res.Res, err = o.Mem.Len, r.CPUWrite(o.Mem.Buf, o.Mem.At, Filled(o.Fill, o.Mem.Len))
	case CPURead:
		res.Data = make([]byte, o.Mem.Len)
		res.Res, err = o.Mem.Len, r.CPURead(o.Mem.Buf, o.Mem.At, res.Data)
	default:
		if err = r.Submit(i, o); err != nil {
			return err
		}
		r.flying[i] = true
		for err == nil && !o.Hold && r.flying[i] {
			err = r.complete()
		}
	}
	return err
}

func (r *run) drain() error {
	for len(r.flying) > 0 {
		if err := r.complete(); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) complete() error {
	i, res, err := r.Complete()
	if err != nil {
		return err
	}
	if !r.flying[i] {
		return fmt.Errorf("operation %d completed twice, or was never requested", i+1)
	}
	delete(r.flying, i)
	r.out.Results[i].Res = res
	return nil
}
