package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Move takes the buffer to fresh pages of the given place.
func (b *BufferObject) Move(t *kernel.Task, to Placement) kernel.Errno {
	t.At("", "dma_resv_lock()")
	ctx := b.lock(t)
	if b.gpu.Wait == BackingOff {
		b.settle(t)
	}
	err := b.moveTo(t, to)
	t.At("", "dma_resv_unlock()")
	b.unlock(t, ctx)
	return err
}

// Validate moves the buffer only if it is elsewhere: ttm_bo_validate. The reservation lock is
// held. ENOSPC says that somebody else has to make room.
func (b *BufferObject) Validate(t *kernel.Task, to Placement) kernel.Errno {
	b.Buf.Resv.AssertHeld(t, "ttm_bo_validate")
	if b.place == to {
		return kernel.OK
	}
	return b.moveTo(t, to)
}

// lock takes the reservation lock as the policy says. Who drops it to wait takes it anew, and
// has no transaction that could go on.
func (b *BufferObject) lock(t *kernel.Task) *kernel.AcquireCtx {
	if !b.gpu.Context || b.gpu.Wait == BackingOff {
		b.Buf.Resv.Lock(t, nil)
		return nil
	}
	ctx := resvClass(t).AcquireInit(t)
	if b.Buf.Resv.Lock(t, ctx) == kernel.EDEADLK {
		b.Buf.Resv.LockSlow(t, ctx)
	}
	ctx.Done(t)
	return ctx
}

func (b *BufferObject) unlock(t *kernel.Task, ctx *kernel.AcquireCtx) {
	b.Buf.Resv.Unlock(t)
	if ctx != nil {
		ctx.Fini(t)
	}
}

// settle tells the importers and lets go of the lock to wait, until there is nothing to wait
// for. The lock is held before and after.
func (b *BufferObject) settle(t *kernel.Task) {
	for {
		t.Say("", "dma_buf_move_notify()")
		b.Buf.MoveNotify(t)
		busy := b.busy(t)
		if len(busy) == 0 {
			return
		}
		t.At("", "dma_resv_unlock()")
		b.Buf.Resv.Unlock(t)
		t.At("", "wait without the lock")
		waitAll(t, busy)
		t.At("", "dma_resv_lock()")
		b.Buf.Resv.Lock(t, nil)
	}
}

// moveTo is ttm_bo_handle_move_mem: takes the buffer elsewhere, with the lock held.
func (b *BufferObject) moveTo(t *kernel.Task, to Placement) kernel.Errno {
	g := b.gpu
	if b.pins > 0 {
		return kernel.EBUSY
	}
	if err := b.swapIn(t); err != kernel.OK {
		return err
	}
	if g.ReserveFirst {
		if err := b.Buf.Resv.ReserveFences(t, 1); err != kernel.OK {
			return err
		}
	}
	old := b.pages
	fresh, err := g.alloc(t, b.Buf.Name, len(old), to)
	if err != kernel.OK {
		return err
	}
	t.Say("", "dma_buf_move_notify()")
	b.Buf.MoveNotify(t)
	// Without a slot for the fence of the copy it waits, as drivers do where they cannot use the
	// copy engine.
	if g.Wait == Pipelined && (g.ReserveFirst || b.Buf.Resv.ReserveFences(t, 1) == kernel.OK) {
		return b.pipeline(t, fresh, to)
	}
	t.At("", "dma_resv_wait_timeout("+g.WaitFor.String()+")")
	waitAll(t, b.busy(t))
	// From here on the importers have promised not to touch the old pages.
	hw.Fence(t.Task, old)
	b.copy(t, "move: copy", fresh, old)
	b.settled(t, to, fresh)
	b.contents = fresh
	g.leave(t, old)
	return kernel.OK
}

// settled notes where the buffer is from now on, which the manager looks at without the
// reservation lock.
func (b *BufferObject) settled(t *kernel.Task, to Placement, pages []*hw.Page) {
	if b.place != to {
		t.Touch(&b.gpu.lock, sim.Write)
	}
	b.place, b.pages = to, pages
}

// copy copies the contents. No queue of the device's own may be running on the old pages.
func (b *BufferObject) copy(t *kernel.Task, what string, fresh, old []*hw.Page) {
	t.Atf("", what+" %s -> %s", hw.Span(old), hw.Span(fresh))
	hw.Copy(t.Task, fresh, old)
	for _, q := range b.queues {
		t.Touch(&q.obj, sim.Read)
		if q.running {
			t.Fail(hw.StaleDMA, "pages %s of %q are moved while a queue of %s runs on them (%s)", hw.Span(old), b.Buf.Name, b.gpu.Name, t.Task)
		}
	}
}

// gpuFence is a fence of the device.
type gpuFence struct {
	kernel.Mem
	Fence
}

// pipeline leaves the copy to the device. A slot for its fence is reserved.
func (b *BufferObject) pipeline(t *kernel.Task, fresh []*hw.Page, to Placement) kernel.Errno {
	g, old := b.gpu, b.pages
	f := &gpuFence{}
	// The device cannot do without its fence, which comes from a pool of its own.
	t.Alloc(kernel.GFP_KERNEL|kernel.GFP_NOFAIL, &f.Mem, "copy fence")
	after := b.busy(t)
	b.seqno++
	f.Init(t, &f.Mem, "gpu", b.context, b.seqno)
	t.At("", "add copy fence, KERNEL")
	b.Buf.Resv.AddFence(t, &f.Fence, UsageKernel)
	b.settled(t, to, fresh)
	t.Kthread("gpu copy", sim.Op{Verb: "job"}, func(t *kernel.Task) {
		waitAll(t, after)
		hw.Fence(t.Task, old)
		b.copy(t, "copy", fresh, old)
		b.contents = fresh
		g.leave(t, old)
		t.At("", "signal copy fence")
		f.Signal(t)
		f.Put(t)
	})
	return kernel.OK
}
