package nvmesim

import (
	"slices"

	"dmasim/sim/kernel"
	"dmasim/token"
)

// registrations is what a driver that can be unbound knows of the tokens that it has attached for.
// As posted it knows of none.
type registrations struct {
	lock kernel.Mutex
	list []*token.Reg //dmasim:private guarded by lock
	gone bool         //dmasim:private guarded by lock
	// maps is how many mappings the device has, which DMA-API debugging looks at.
	maps kernel.Shared[int]
}

func (r *registrations) init(t *kernel.Task, name string) {
	r.lock.Init(t, nil, name+" tokens")
	r.maps.Init(t, nil, name+" mappings", 0)
}

// tracks tells whether the driver keeps a list of its tokens.
func (d *Driver) tracks(t *kernel.Task) bool {
	return d.recovers && token.Repaired(t, token.FixDetachOnUnbind)
}

func (d *Driver) mapped(t *kernel.Task, by int) {
	if d.recovers {
		d.regs.maps.Update(t, func(n int) int { return n + by })
	}
}

// Unbind is what happens when the driver is taken from the device (device_driver_detach): nvme_remove,
// and then what a kernel with CONFIG_DMA_API_DEBUG asks of a device that has no driver any more. The
// driver is one that recovers. Files of the drive may still be open.
func (d *Driver) Unbind(t *kernel.Task) {
	d.Remove(t)
	if d.tracks(t) {
		d.detachAll(t)
	}
	if n := d.regs.maps.Load(t); n > 0 {
		t.Fail(kernel.Leak, "DMA-API: %s: device driver has pending DMA allocations while released from device: %d mapping(s) of dma-bufs (%s)", d.ctrl.Name, n, t.Task)
	}
}

// detachAll takes all mappings away, waits until the last one has gone, and detaches. It waits without the
// lock: a work that unmaps one may also drop the last reference of another token, which detaches under
// the lock, and there may be no second worker.
func (d *Driver) detachAll(t *kernel.Task) {
	d.regs.lock.Lock(t)
	d.regs.gone = true
	for _, r := range d.regs.list {
		resv := &r.DmaBuf.Resv
		resv.Lock(t, nil)
		r.Gone = true
		r.Token.Invalidate(t)
		resv.Unlock(t)
	}
	d.regs.lock.Unlock(t)
	d.regs.maps.Await(t, "wait for unmaps", func(n int) bool { return n == 0 })
	d.regs.lock.Lock(t)
	defer d.regs.lock.Unlock(t)
	for _, r := range d.regs.list {
		r.DmaBuf.Detach(t, r.Private)
		r.Private = nil
	}
	d.regs.list = nil
}

// attached notes a token that the driver has attached for, unless it has let go of all of them.
func (d *Driver) attached(t *kernel.Task, r *token.Reg) bool {
	if !d.tracks(t) {
		return true
	}
	d.regs.lock.Lock(t)
	defer d.regs.lock.Unlock(t)
	if !d.regs.gone {
		d.regs.list = append(d.regs.list, r)
	}
	return !d.regs.gone
}

// detach undoes what was attached for a token, unless that is done.
func (d *Driver) detach(t *kernel.Task, r *token.Reg) {
	if d.tracks(t) {
		d.regs.lock.Lock(t)
		defer d.regs.lock.Unlock(t)
		if r.Private == nil {
			return
		}
		d.regs.list = slices.DeleteFunc(d.regs.list, func(o *token.Reg) bool { return o == r })
	}
	r.DmaBuf.Detach(t, r.Private)
}
