package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Job is one submission to the device that uses a buffer.
type Job struct {
	// Write has it write the buffer, and its fence be a WRITE one; else it reads.
	Write bool
	// Hangs has it never end by itself. The driver kills it after the policy's Timeout.
	Hangs bool
	// Run is what it does with the buffer; nil is nothing that anybody could see.
	Run func(t *kernel.Task, pages []*hw.Page)
}

// Submit is a command submission with implicit synchronisation: the job runs once those have
// finished that a reader or writer waits for, and whoever comes later finds its fence.
func (b *BufferObject) Submit(t *kernel.Task, j Job) kernel.Errno { return b.submit(t, j, nil) }

// SubmitAt is Submit of a job that needs the buffer in a place: slots for the job's fence and for
// that of the copy are reserved together, and the buffer is moved then (amdgpu_cs_ioctl).
func (b *BufferObject) SubmitAt(t *kernel.Task, j Job, to Placement) kernel.Errno {
	return b.submit(t, j, &to)
}

func (b *BufferObject) submit(t *kernel.Task, j Job, to *Placement) kernel.Errno {
	f, err := b.newFence(t, "job fence")
	if err != kernel.OK {
		return err
	}
	t.At("", "submit: dma_resv_lock()")
	ctx := b.lock(t)
	slots := 1
	if to != nil {
		slots = 2
	}
	err = b.Buf.Resv.ReserveFences(t, slots)
	if err == kernel.OK && to != nil {
		err = b.Validate(t, *to)
	}
	if err != kernel.OK {
		b.unlock(t, ctx)
		f.Put(t)
		return err
	}
	after := b.Buf.Resv.fencesOf(t, UsageRW(j.Write))
	usage := UsageRead
	if j.Write {
		usage = UsageWrite
	}
	t.Atf("", "add job fence, %s", usage)
	b.Buf.Resv.AddFence(t, &f.Fence, usage)
	b.own = append(b.own, f.Get(t))
	pages := b.pages
	t.Device(b.gpu.Name, sim.Op{Verb: "job"}, func(t *kernel.Task) {
		waitAll(t, after)
		if j.Hangs {
			return
		}
		if j.Run != nil {
			t.Step(sim.Op{Verb: "gpu access"})
			j.Run(t, pages)
			b.gpu.check(t, b, pages)
		}
		t.At("", "signal job fence")
		f.Signal(t)
		f.Put(t)
	})
	if j.Hangs && b.gpu.Timeout > 0 {
		b.gpu.watch(t, f)
	}
	b.unlock(t, ctx)
	return kernel.OK
}

// newFence is the next fence of the buffer's timeline.
func (b *BufferObject) newFence(t *kernel.Task, what string) (*gpuFence, kernel.Errno) {
	f := &gpuFence{}
	if err := t.Alloc(kernel.GFP_KERNEL, &f.Mem, what); err != kernel.OK {
		return nil, err
	}
	b.jobs++
	f.Init(t, &f.Mem, b.gpu.Name, FenceContextAlloc(t, 1), b.jobs)
	return f, kernel.OK
}

// check fails the run if the device has used pages that are not the buffer's any more.
func (g *GPU) check(t *kernel.Task, b *BufferObject, pages []*hw.Page) {
	for _, p := range pages {
		if p.Owner != b.Buf.Name {
			t.Fail(hw.StaleDMA, "%s used page %#x of %q, which belongs to %q now (%s)", g.Name, p.PFN, b.Buf.Name, p.Owner, t.Task)
		}
	}
}

// watch kills a job that hangs: drm_sched_job_timedout.
func (g *GPU) watch(t *kernel.Task, f *gpuFence) {
	w := &kernel.DelayedWork{}
	w.Init(t, nil, "drm_sched_job_timedout", func(t *kernel.Task) {
		t.Stress("", "the job has timed out: reset")
		f.SetError(t, kernel.ETIME)
		f.Signal(t)
		f.Put(t)
	})
	g.queue(t).QueueDelayed(t, w, g.Timeout)
}

// busy is what a move waits for: the fences of the class, and those of the driver's own jobs,
// of which it knows by itself; with a reference of each. The reservation lock is held.
func (b *BufferObject) busy(t *kernel.Task) []*Fence {
	out := b.Buf.Resv.fencesOf(t, b.gpu.WaitFor)
	own := b.own[:0]
	for _, f := range b.own {
		if f.isSignaled(t) {
			f.Put(t)
			continue
		}
		own = append(own, f)
		known := false
		for _, g := range out {
			known = known || f == g
		}
		if !known {
			out = append(out, f.Get(t))
		}
	}
	b.own = own
	return out
}

// forget drops what is left of the driver's own fences.
func (b *BufferObject) forget(t *kernel.Task) {
	for _, f := range b.own {
		f.Put(t)
	}
	b.own = nil
}
