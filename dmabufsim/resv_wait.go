package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Wait is dma_resv_wait_timeout without a timeout, uninterruptible: it returns when every
// fence of the usage, and of all stronger ones, has signalled.
func (r *Resv) Wait(t *kernel.Task, u Usage) {
	r.waitTimeout(t, u, func(f *Fence, left kernel.Jiffies) kernel.Jiffies {
		f.Wait(t)
		return left
	}, kernel.MaxScheduleTimeout)
}

// WaitTimeout is dma_resv_wait_timeout: what is left of the timeout (1 if none was given)
// once all fences of the usage, and of all stronger ones, have signalled; 0 if it is over;
// or the negative ERESTARTSYS. Who does not hold the lock may wait for longer, for fences
// that are added meanwhile.
func (r *Resv) WaitTimeout(t *kernel.Task, u Usage, intr bool, timeout kernel.Jiffies) kernel.Jiffies {
	return r.waitTimeout(t, u, func(f *Fence, left kernel.Jiffies) kernel.Jiffies {
		return f.WaitTimeout(t, intr, left)
	}, timeout)
}

func (r *Resv) waitTimeout(t *kernel.Task, u Usage, wait func(f *Fence, left kernel.Jiffies) kernel.Jiffies, timeout kernel.Jiffies) kernel.Jiffies {
	left := timeout
	if timeout == 0 {
		left = 1
	}
	r.each(t, u, func(f *Fence) bool {
		left = wait(f, timeout)
		if timeout != 0 {
			timeout = left
		}
		return left > 0
	})
	return left
}

// TestSignaled is dma_resv_test_signaled: it never sleeps, and asks no driver to signal.
func (r *Resv) TestSignaled(t *kernel.Task, u Usage) bool {
	if r.Held(t) {
		t.Step(sim.Op{Verb: "dma_resv_test_signaled", Obj: &r.list, Class: sim.Read})
	}
	none := true
	r.each(t, u, func(*Fence) bool {
		none = false
		return false
	})
	return none
}

// SetDeadline is dma_resv_set_deadline.
func (r *Resv) SetDeadline(t *kernel.Task, u Usage, deadline Ktime) {
	r.each(t, u, func(f *Fence) bool {
		f.SetDeadline(t, deadline)
		return true
	})
}

// each calls fn for the unsignalled fences, with a reference of each, until it says no. For
// the holder of the lock, who need not look out for changes, the walk is part of the
// operation that was granted last.
func (r *Resv) each(t *kernel.Task, u Usage, fn func(f *Fence) bool) {
	if r.Held(t) {
		for f := range r.Fences(t, u) {
			if f.isSignaled(t) {
				continue
			}
			f.Get(t)
			more := fn(f)
			f.Put(t)
			if !more {
				return
			}
		}
		return
	}
	it := r.Iter(u)
	for f := it.Next(t); f != nil && fn(f); f = it.Next(t) {
	}
	it.End(t)
}
