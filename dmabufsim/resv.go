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

// UsageRW is dma_resv_usage_rw: what a new reader or writer waits for.
func UsageRW(write bool) Usage {
	if write {
		return UsageRead
	}
	return UsageWrite
}

// Resv is struct dma_resv (drivers/dma-buf/dma-resv.c).
type Resv struct {
	// Strict takes whoever is the first to publish a fence to be on its signalling path as
	// long as the lock is held: from AddFence on to Unlock nothing must be done that the
	// contract forbids there. It is for drivers that submit the work after AddFence. Others
	// have submitted it before, and of them it would be a false alarm.
	Strict bool

	lock kernel.WWMutex
	list sim.Object // the pointer, and what is in the list

	fences *resvList // nil until the first reserve
	// reserved is how many slots the holder of the lock has been promised and has not filled,
	// for ReserveMore. The kernel does not count them.
	reserved int //dmasim:private guarded by lock

	system *fenceCore
	buf    *DmaBuf // of which it is, nil for one by itself
	opened bool    // a signalling section of the holder, see Strict
	cookie bool
}

func resvClass(t *kernel.Task) *kernel.WWClass {
	return t.WWClass("reservation_ww_class", kernel.WaitDie)
}

// Init is dma_resv_init.
func (r *Resv) Init(t *kernel.Task, name string) {
	r.lock.Init(t, nil, resvClass(t), name)
	t.Own(&r.list, "dma_resv list", name+".fences")
	r.system = fenceSystem(t)
	r.system.resvs = append(r.system.resvs, r)
}

// Lock is dma_resv_lock: OK without a context, otherwise also EALREADY or EDEADLK.
func (r *Resv) Lock(t *kernel.Task, ctx *kernel.AcquireCtx) kernel.Errno { return r.lock.Lock(t, ctx) }

// LockSlow is dma_resv_lock_slow: after EDEADLK, with nothing of the context locked.
func (r *Resv) LockSlow(t *kernel.Task, ctx *kernel.AcquireCtx) { r.lock.LockSlow(t, ctx) }

// LockInterruptible is dma_resv_lock_interruptible: also EINTR.
func (r *Resv) LockInterruptible(t *kernel.Task, ctx *kernel.AcquireCtx) kernel.Errno {
	return r.lock.LockInterruptible(t, ctx)
}

// LockSlowInterruptible is dma_resv_lock_slow_interruptible: OK or EINTR.
func (r *Resv) LockSlowInterruptible(t *kernel.Task, ctx *kernel.AcquireCtx) kernel.Errno {
	return r.lock.LockSlowInterruptible(t, ctx)
}

// LockingCtx is dma_resv_locking_ctx: the context that the lock was taken with, nil without
// one.
func (r *Resv) LockingCtx(t *kernel.Task) *kernel.AcquireCtx { return r.lock.LockingCtx(t) }

// Trylock is dma_resv_trylock: without a context.
func (r *Resv) Trylock(t *kernel.Task) bool { return r.lock.Trylock(t) }

// Unlock is dma_resv_unlock. As with CONFIG_DEBUG_MUTEXES, it throws slots away that
// were reserved and not used.
func (r *Resv) Unlock(t *kernel.Task) {
	if r.fences != nil && r.lock.Held(t) {
		r.fences.max.Set(t, len(r.fences.entries))
	}
	r.reserved = 0
	if r.opened {
		r.opened = false
		EndSignalling(t, r.cookie)
	}
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

// fini is dma_resv_fini: drops all references.
func (r *Resv) fini(t *kernel.Task) {
	if r.lock.Locked() {
		t.Warn("dma_resv_fini: the lock is held")
	}
	r.fences.free(t)
	r.fences = nil
	for i, u := range r.system.resvs {
		if u == r {
			r.system.resvs = append(r.system.resvs[:i:i], r.system.resvs[i+1:]...)
			break
		}
	}
}
