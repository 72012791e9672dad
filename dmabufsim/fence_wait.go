package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// The calls that wait return what the kernel's do: what is left of the timeout, 0 if it is
// over, or a negative error.
const restart = -kernel.Jiffies(kernel.ERESTARTSYS)

// Wait is dma_fence_wait, uninterruptible. The caller has a reference.
func (f *Fence) Wait(t *kernel.Task) {
	f.wait(t, "dma_fence_wait", false, kernel.MaxScheduleTimeout)
}

// WaitInterruptible is dma_fence_wait: ERESTARTSYS if a signal ended it.
func (f *Fence) WaitInterruptible(t *kernel.Task) kernel.Errno {
	if left := f.wait(t, "dma_fence_wait", true, kernel.MaxScheduleTimeout); left < 0 {
		return kernel.Errno(-left)
	}
	return kernel.OK
}

// WaitTimeout is dma_fence_wait_timeout: the remaining ticks if the fence signalled (1 if
// none were given), 0 if they are over, or the negative ERESTARTSYS.
func (f *Fence) WaitTimeout(t *kernel.Task, intr bool, timeout kernel.Jiffies) kernel.Jiffies {
	return f.wait(t, "dma_fence_wait_timeout", intr, timeout)
}

func (f *Fence) wait(t *kernel.Task, verb string, intr bool, timeout kernel.Jiffies) kernel.Jiffies {
	if timeout < 0 {
		t.Warn("%s: the timeout is negative", verb)
		return -kernel.Jiffies(kernel.EINVAL)
	}
	t.MightSleep(verb, "")
	t.Check(f.mem)
	mightWait(t)
	f.EnableSwSignaling(t)
	if f.ops.Wait != nil {
		return f.ops.Wait(t, f, intr, timeout)
	}
	if !intr && timeout == kernel.MaxScheduleTimeout && f.lock.ext == nil {
		f.sleepers++
		t.Step(sim.Op{Verb: verb, Obj: &f.obj, Class: sim.Read, Guard: f})
		t.Check(f.mem)
		t.Acquire(&f.obj)
		f.sleepers--
		return timeout
	}
	return f.defaultWait(t, verb, intr, timeout)
}

// DefaultWait is dma_fence_default_wait, for a driver's own wait.
func (f *Fence) DefaultWait(t *kernel.Task, intr bool, timeout kernel.Jiffies) kernel.Jiffies {
	return f.defaultWait(t, "dma_fence_default_wait", intr, timeout)
}

// defaultWait looks first, and sleeps then, so that what happens before the sleep and what
// ends it are different things.
func (f *Fence) defaultWait(t *kernel.Task, verb string, intr bool, timeout kernel.Jiffies) kernel.Jiffies {
	state := kernel.Uninterruptible
	if intr {
		state = kernel.Interruptible
	}
	f.enter(t, verb, sim.Read)
	signaled, pending := f.signaled, t.SignalPendingState(state)
	if !signaled && !pending && timeout > 0 {
		f.sleepers++
	}
	f.leave(t)
	switch {
	case signaled:
		return max(timeout, 1)
	case pending:
		return restart
	case timeout == 0:
		return 0
	}
	s := t.Sleep(sim.Op{Verb: verb, Obj: &f.obj, Class: sim.Read, Guard: f}, state, timeout)
	if f.lock.ext != nil || f.lock.owner != nil { // what ended the sleep was not the signal, or not yet
		f.enter(t, "spin_lock_irqsave", sim.Read)
		f.leave(t)
	}
	t.Check(f.mem)
	t.Acquire(&f.obj)
	f.sleepers--
	switch {
	case s.Expired:
		return 0
	case s.Signal:
		return restart
	}
	return s.Left
}

// Ready tells whether a waiter that sleeps would go on: it takes the lock before it
// returns, and so does not come before the callbacks have run.
func (f *Fence) Ready(*sim.Task) bool { return f.signaled && f.lock.owner == nil }

// Owners is who holds the lock, if the fence has signalled.
func (f *Fence) Owners(*sim.Task) []*sim.Task {
	if f.signaled && f.lock.owner != nil {
		return []*sim.Task{f.lock.owner.Task}
	}
	return nil
}

// anyWait is a task that waits for one of several fences. It is woken by callbacks, as the
// kernel's is, and takes no lock when it has been.
type anyWait struct {
	obj   sim.Object
	woken bool
	cbs   []FenceCB
}

func (w *anyWait) Ready(*sim.Task) bool { return w.woken }

func (w *anyWait) wake(t *kernel.Task, _ *Fence, _ *FenceCB) {
	t.Touch(&w.obj, sim.Write)
	t.Release(&w.obj)
	w.woken = true
}

// WaitAnyTimeout is dma_fence_wait_any_timeout: as WaitTimeout, for the first of the fences.
// If the result is positive, the index is the lowest that was found signalled.
func WaitAnyTimeout(t *kernel.Task, all []*Fence, intr bool, timeout kernel.Jiffies) (left kernel.Jiffies, index int) {
	if len(all) == 0 || timeout < 0 {
		t.Warn("dma_fence_wait_any_timeout: no fences, or a negative timeout")
		return -kernel.Jiffies(kernel.EINVAL), 0
	}
	if timeout == 0 {
		for i, f := range all {
			if f.IsSignaled(t) {
				return 1, i
			}
		}
		return 0, 0
	}
	if err := t.MayFail(kernel.GFP_KERNEL, "dma_fence_wait_any"); err != kernel.OK {
		return -kernel.Jiffies(err), 0
	}
	w := &anyWait{cbs: make([]FenceCB, len(all))}
	t.Own(&w.obj, "waiter", t.Name)
	left = timeout
	added := 0
	for i, f := range all {
		if f.AddCallback(t, &w.cbs[i], w.wake) != kernel.OK {
			index = i
			break
		}
		added++
	}
	if added == len(all) {
		left, index = w.sleep(t, all, intr, timeout)
	}
	for i := added - 1; i >= 0; i-- {
		all[i].RemoveCallback(t, &w.cbs[i])
	}
	return left, index
}

func (w *anyWait) sleep(t *kernel.Task, all []*Fence, intr bool, left kernel.Jiffies) (kernel.Jiffies, int) {
	const verb = "dma_fence_wait_any_timeout"
	state := kernel.Uninterruptible
	if intr {
		state = kernel.Interruptible
	}
	t.MightSleep(verb, "")
	for left > 0 {
		t.Step(sim.Op{Verb: verb, Obj: &w.obj, Class: sim.Read})
		for i, f := range all {
			t.Touch(&f.obj, sim.Read)
			if f.signaled {
				return left, i
			}
		}
		s := t.Sleep(sim.Op{Verb: verb, Obj: &w.obj, Guard: w}, state, left)
		t.Acquire(&w.obj)
		w.woken = false
		left = s.Left
		if !s.Expired && s.Signal {
			left = restart
		}
	}
	return left, 0
}
