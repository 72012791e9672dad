package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// resvList is struct dma_resv_list: an array of fences that readers walk in an RCU
// section.
type resvList struct {
	kernel.Mem
	entries []resvFence //dmasim:private num_fences; part of what Resv.list stands for
	// max is max_fences. Readers do not look at it.
	max kernel.Field[int]
}

type resvFence struct {
	fence *Fence
	usage Usage
}

const (
	listHeader = 24 // bytes before the table
	listSlot   = 8
)

// kmallocRoundup is kmalloc_size_roundup: slabs, and pages, come in powers of two, and two
// sizes in between.
func kmallocRoundup(size int) int {
	fits := 8
	for fits < size {
		fits *= 2
	}
	for _, s := range [...]int{96, 192} {
		if size <= s && s < fits {
			return s
		}
	}
	return fits
}

// newList is dma_resv_list_alloc: room for n fences at least, as many as fit into what is
// allocated anyway. Nil if there is no memory.
func newList(t *kernel.Task, n int) *resvList {
	l := &resvList{}
	if t.Alloc(kernel.GFP_KERNEL, &l.Mem, "dma_resv_list") != kernel.OK {
		return nil
	}
	l.max.Init(t, &l.Mem, "dma_resv_list.max_fences", (kmallocRoundup(listHeader+listSlot*n)-listHeader)/listSlot)
	return l
}

// free is dma_resv_list_free: drops the references, and frees the array after a grace
// period.
func (l *resvList) free(t *kernel.Task) {
	if l == nil {
		return
	}
	for _, e := range l.entries {
		e.fence.Put(t)
	}
	t.FreeRCU(&l.Mem)
}

func (l *resvList) count() int {
	if l == nil {
		return 0
	}
	return len(l.entries)
}

// ReserveFences is dma_resv_reserve_fences: room for n more fences, good until the
// lock is dropped. ENOMEM leaves the object as it was. Reservations do not add up.
// Fences that have signalled go when the list has to grow, and not before.
func (r *Resv) ReserveFences(t *kernel.Task, n int) kernel.Errno {
	r.AssertHeld(t, "dma_resv_reserve_fences")
	if n == 0 {
		t.Warn("dma_resv_reserve_fences: no slots asked for")
		return kernel.EINVAL
	}
	promised := max(r.reserved, n)
	old := r.fences
	room := 4
	if old != nil && old.max.Get(t) > 0 {
		if len(old.entries)+n <= old.max.Get(t) {
			r.reserved = promised
			return kernel.OK
		}
		room = max(len(old.entries)+n, 2*old.max.Get(t))
	} else {
		for room < n {
			room *= 2
		}
	}
	grown := newList(t, room)
	if grown == nil {
		return kernel.ENOMEM
	}
	var gone []*Fence
	if old != nil {
		for _, e := range old.entries {
			if e.fence.isSignaled(t) {
				gone = append(gone, e.fence)
			} else {
				grown.entries = append(grown.entries, e)
			}
		}
	}
	r.publish(t, grown)
	r.reserved = promised
	if old == nil {
		return kernel.OK
	}
	for _, f := range gone {
		f.Put(t)
	}
	t.FreeRCU(&old.Mem)
	return kernel.OK
}

// ReserveMore is ReserveFences for slots beyond those that whoever holds the lock was promised and
// has not filled. The kernel has no such function: it is what a repair would add to it.
func (r *Resv) ReserveMore(t *kernel.Task, n int) kernel.Errno {
	return r.ReserveFences(t, r.reserved+n)
}

// publish makes the list the object's. For readers nothing changes if both lists are
// empty, and then it is part of the operation that was granted last.
func (r *Resv) publish(t *kernel.Task, l *resvList) {
	if r.fences.count() > 0 || l.count() > 0 {
		t.Step(sim.Op{Verb: "rcu_assign_pointer", Obj: &r.list})
	}
	t.Touch(&r.list, sim.Write)
	t.Publish(&r.list)
	r.fences = l
}

// AddFence is dma_resv_add_fence: needs the lock and a reserved slot, and takes a
// reference. From here on others can see the fence. An older fence of the same
// context with the same or a weaker usage is replaced, and so is a signalled one.
func (r *Resv) AddFence(t *kernel.Task, f *Fence, u Usage) {
	r.AssertHeld(t, "dma_resv_add_fence")
	if f.IsContainer() {
		t.Warn("dma_resv_add_fence: %s is a container", f)
	}
	t.Step(sim.Op{Verb: "dma_resv_add_fence", Obj: &r.list})
	t.Publish(&r.list)
	f.Get(t)
	r.publisher(t, f)
	l := r.fences
	if l == nil {
		t.BUG("dma_resv_add_fence: NULL pointer dereference: no slot was ever reserved")
	}
	for i, old := range l.entries {
		same := old.fence.Context == f.Context && old.usage >= u && (old.fence == f || f.later(old.fence))
		if same || old.fence.isSignaled(t) {
			l.entries[i] = resvFence{f, u}
			old.fence.Put(t)
			return
		}
	}
	if len(l.entries) >= l.max.Get(t) {
		t.BUG("dma_resv_add_fence: no slot was reserved (%d fences, room for %d)", len(l.entries), l.max.Get(t))
	}
	l.entries = append(l.entries, resvFence{f, u})
	r.reserved = max(r.reserved-1, 0)
}

// publisher begins the signalling section of a strict object.
func (r *Resv) publisher(t *kernel.Task, f *Fence) {
	first := !f.published
	f.published = true
	if first {
		f.isPublished(t, r)
	}
	if r.Strict && first && !f.signaled && !r.opened {
		r.opened, r.cookie = true, BeginSignalling(t)
	}
}

// ReplaceFences is dma_resv_replace_fences: every fence of the context, whatever its usage
// and its number, becomes the given one. It needs no slot.
func (r *Resv) ReplaceFences(t *kernel.Task, context uint64, f *Fence, u Usage) {
	r.AssertHeld(t, "dma_resv_replace_fences")
	if r.fences == nil {
		return
	}
	t.Step(sim.Op{Verb: "dma_resv_replace_fences", Obj: &r.list})
	t.Publish(&r.list)
	for i, old := range r.fences.entries {
		if old.fence.Context != context {
			continue
		}
		r.fences.entries[i] = resvFence{f.Get(t), u}
		r.publisher(t, f)
		old.fence.Put(t)
	}
}

// CopyFences is dma_resv_copy_fences: the object, which is locked, gets the unsignalled
// fences of src, which is not, in place of its own. ENOMEM leaves it as it was.
func (r *Resv) CopyFences(t *kernel.Task, src *Resv) kernel.Errno {
	r.AssertHeld(t, "dma_resv_copy_fences")
	var copied *resvList
	it := src.Iter(UsageBookkeep)
	for f := it.Next(t); f != nil; f = it.Next(t) {
		if it.Restarted() {
			copied.free(t)
			if copied = newList(t, it.num); copied == nil {
				it.End(t)
				return kernel.ENOMEM
			}
		}
		copied.entries = append(copied.entries, resvFence{f.Get(t), it.Usage()})
	}
	it.End(t)
	old := r.fences
	r.publish(t, copied)
	old.free(t)
	return kernel.OK
}
