package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Usage is enum dma_resv_usage. A query for a usage finds the fences of that usage
// and of all before it.
type Usage uint8

const (
	UsageKernel   Usage = iota // memory management; everybody waits for these
	UsageWrite                 // implicit writers
	UsageRead                  // implicit readers
	UsageBookkeep              // no implicit synchronisation
)

var usageNames = [...]string{"KERNEL", "WRITE", "READ", "BOOKKEEP"}

func (u Usage) String() string { return usageNames[u] }

// Resv is struct dma_resv (drivers/dma-buf/dma-resv.c).
type Resv struct {
	lock   kernel.WWMutex
	list   sim.Object
	fences []resvFence
	max    int
}

type resvFence struct {
	fence *Fence
	usage Usage
}

// Init is dma_resv_init.
func (r *Resv) Init(t *kernel.Task, name string) {
	r.lock.Init(t, nil, name)
	t.Own(&r.list, "dma_resv list", name+".fences")
}

// Lock is dma_resv_lock: OK without a context, otherwise also EALREADY or EDEADLK.
func (r *Resv) Lock(t *kernel.Task, ctx *kernel.AcquireCtx) kernel.Errno { return r.lock.Lock(t, ctx) }

// Trylock is dma_resv_trylock.
func (r *Resv) Trylock(t *kernel.Task) bool { return r.lock.Trylock(t) }

// Unlock is dma_resv_unlock. As with CONFIG_DEBUG_MUTEXES, it throws slots away that
// were reserved and not used.
func (r *Resv) Unlock(t *kernel.Task) {
	r.max = len(r.fences)
	r.lock.Unlock(t)
}

// Held is dma_resv_held.
func (r *Resv) Held(t *kernel.Task) bool { return r.lock.Held(t) }

// AssertHeld is dma_resv_assert_held.
func (r *Resv) AssertHeld(t *kernel.Task, who string) {
	if !r.lock.Held(t) {
		t.Fail(sim.Misuse, "%s without the reservation lock (%s)", who, t.Task)
	}
}

// ReserveFences is dma_resv_reserve_fences: room for n more fences, good until the
// lock is dropped. ENOMEM leaves the object as it was. Reservations do not add up.
func (r *Resv) ReserveFences(t *kernel.Task, n int) kernel.Errno {
	r.AssertHeld(t, "dma_resv_reserve_fences")
	if n == 0 {
		t.Warn("dma_resv_reserve_fences: no slots asked for")
		return kernel.EINVAL
	}
	if r.max > 0 && len(r.fences)+n <= r.max {
		return kernel.OK
	}
	if err := t.MayFail(kernel.GFP_KERNEL, "dma_resv_list"); err != kernel.OK {
		return err
	}
	grown := max(len(r.fences)+n, 2*r.max, 4)
	kept := r.fences[:0:0]
	t.Touch(&r.list, sim.Write)
	for _, f := range r.fences {
		t.Touch(&f.fence.obj, sim.Read)
		if f.fence.signaled {
			f.fence.Put(t)
		} else {
			kept = append(kept, f)
		}
	}
	r.fences, r.max = kept, grown
	return kernel.OK
}

// AddFence is dma_resv_add_fence: needs the lock and a reserved slot, and takes a
// reference. From here on others can see the fence. An older fence of the same
// context with the same or a weaker usage is replaced, and so is a signalled one.
func (r *Resv) AddFence(t *kernel.Task, f *Fence, u Usage) {
	r.AssertHeld(t, "dma_resv_add_fence")
	t.Step(sim.Op{Verb: "dma_resv_add_fence", Obj: &r.list})
	f.Get(t)
	for i, old := range r.fences {
		same := old.fence.Context == f.Context && old.usage >= u && (old.fence == f || f.later(old.fence))
		t.Touch(&old.fence.obj, sim.Read)
		if same || old.fence.signaled {
			r.fences[i] = resvFence{f, u}
			old.fence.Put(t)
			return
		}
	}
	if len(r.fences) >= r.max {
		t.BUG("dma_resv_add_fence: no slot was reserved (%d fences, room for %d)", len(r.fences), r.max)
	}
	r.fences = append(r.fences, resvFence{f, u})
}

// Wait is dma_resv_wait_timeout without a timeout, uninterruptible, as the holder of
// the lock calls it: it returns when every fence of the usage, and of all stronger
// ones, has signalled.
func (r *Resv) Wait(t *kernel.Task, u Usage) {
	t.MightSleep("dma_resv_wait_timeout", "")
	t.Touch(&r.list, sim.Read)
	for _, e := range append([]resvFence(nil), r.fences...) {
		if e.usage > u {
			continue
		}
		t.Touch(&e.fence.obj, sim.Read)
		if e.fence.signaled {
			continue
		}
		f := e.fence.Get(t)
		f.Wait(t)
		f.Put(t)
	}
}

// fencesOf is dma_resv_get_fences as the holder of the lock calls it: the unsignalled
// fences of the usage and of all stronger ones, with a reference of each.
func (r *Resv) fencesOf(t *kernel.Task, u Usage) []*Fence {
	t.Touch(&r.list, sim.Read)
	var out []*Fence
	for _, e := range r.fences {
		if e.usage > u {
			continue
		}
		t.Touch(&e.fence.obj, sim.Read)
		if !e.fence.signaled {
			out = append(out, e.fence.Get(t))
		}
	}
	return out
}

// TestSignaled is dma_resv_test_signaled.
func (r *Resv) TestSignaled(t *kernel.Task, u Usage) bool {
	t.Step(sim.Op{Verb: "dma_resv_test_signaled", Obj: &r.list, Class: sim.Read})
	for _, e := range r.fences {
		t.Touch(&e.fence.obj, sim.Read)
		if e.usage <= u && !e.fence.signaled {
			return false
		}
	}
	return true
}

// fini is dma_resv_fini: drops all references.
func (r *Resv) fini(t *kernel.Task) {
	for _, e := range r.fences {
		e.fence.Put(t)
	}
	r.fences = nil
}
