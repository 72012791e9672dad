package kernel

import (
	"slices"

	"dmasim/sim"
)

// Reclaim (mm/vmscan.c) is where an allocation that may sleep waits for others: it calls
// MMU notifiers of what it unmaps, and shrinkers if it may enter file systems; either may
// wait for whatever its owner lets it, such as fences. Lockdep has a map for each.

// FsReclaim is the map that an allocation which may enter file systems waits for, and that
// is held during reclaim.
func (t *Task) FsReclaim() *LockMap { t.reclaimMaps(); return t.K.fsReclaim }

// MmuNotifier is the map that each allocation that may sleep waits for, and that is held
// while notifiers are called.
func (t *Task) MmuNotifier() *LockMap { t.reclaimMaps(); return t.K.mmuNotifier }

func (t *Task) reclaimMaps() {
	if k := t.K; k.fsReclaim == nil {
		k.fsReclaim, k.mmuNotifier = t.LockMap("fs_reclaim"), t.LockMap("mmu_notifier_invalidate_range_start")
		t.Documented(k.fsReclaim, k.mmuNotifier) // as any GFP_KERNEL allocation shows
	}
}

// reclaimer is something that reclaim calls.
type reclaimer struct {
	name string
	scan func(t *Task)
}

// RegisterShrinker adds a shrinker: under memory pressure an allocation that may enter file
// systems calls scan, in its own context.
func (k *Kernel) RegisterShrinker(name string, scan func(t *Task)) {
	k.shrinkers = append(k.shrinkers, reclaimer{name, scan})
}

// RegisterNotifier adds an MMU notifier: under memory pressure any allocation that may
// sleep calls scan.
func (k *Kernel) RegisterNotifier(name string, scan func(t *Task)) {
	k.notifiers = append(k.notifiers, reclaimer{name, scan})
}

// pressure is how short of memory the tasks are.
type pressure struct {
	reclaims, failures int
	tasks              []string
}

// Pressure makes memory short in the explored phase. Each task, or each of the named ones,
// may have to reclaim memory at up to so many of those of its allocations that can, and up
// to so many of those that can fail may do so. Where that happens is explored. The budgets
// are those of a task, so that what one does leaves the others' possibilities alone.
func (k *Kernel) Pressure(reclaims, failures int, tasks ...string) {
	k.short = true
	k.pressure = pressure{reclaims, failures, tasks}
}

// pressed is an allocation while memory is short. The mask is what the scopes left of it.
func (t *Task) pressed(gfp GFP, site string) Errno {
	p := &t.K.pressure
	a := &t.alloc
	if a.reclaims >= p.reclaims && a.failures >= p.failures || p.tasks != nil && !slices.Contains(p.tasks, t.Name) {
		return OK
	}
	const (
		enough = iota
		reclaims
		fails
	)
	ways := []int{enough}
	mayReclaim := a.reclaims < p.reclaims && t.mayReclaim(gfp) && len(t.K.shrinkers)+len(t.K.notifiers) > 0
	if mayReclaim {
		ways = append(ways, reclaims)
	}
	if a.failures < p.failures && gfp&GFP_NOFAIL == 0 {
		ways = append(ways, fails)
	}
	if len(ways) == 1 {
		return OK
	}
	way := ways[t.Choose(len(ways), "memory for "+site)]
	if way != enough && mayReclaim {
		a.reclaims++
		t.reclaim(gfp)
	}
	if way != fails {
		return OK
	}
	a.failures++
	t.Stressf("", "allocation of %s fails (no memory)", site)
	return ENOMEM
}

// mayReclaim tells whether an allocation would enter reclaim: a task that is there to free
// memory does not.
func (t *Task) mayReclaim(gfp GFP) bool { return gfp.maySleep() && t.alloc.scope&memalloc == 0 }

// enterReclaim is fs_reclaim_acquire; what it returns is for leaveReclaim.
func (t *Task) enterReclaim(gfp GFP) (held bool) {
	gfp = t.inScope(gfp)
	if !t.mayReclaim(gfp) {
		return false
	}
	t.reclaimMaps()
	if held = gfp&GFP_FS != 0; held {
		t.K.fsReclaim.Acquire(t, false)
	}
	t.K.mmuNotifier.Wait(t)
	return held
}

// leaveReclaim is fs_reclaim_release.
func (t *Task) leaveReclaim(held bool) {
	if held {
		t.K.fsReclaim.Release(t)
	}
}

// reclaim is direct reclaim.
func (t *Task) reclaim(gfp GFP) {
	k := t.K
	held := t.enterReclaim(gfp)
	defer t.leaveReclaim(held)
	s := t.MemallocNoreclaimSave()
	defer t.MemallocNoreclaimRestore(s)
	for _, n := range k.notifiers {
		t.Sayf("", "reclaim calls MMU notifier %s", n.name)
		k.mmuNotifier.Acquire(t, false)
		n.scan(t)
		k.mmuNotifier.Release(t)
	}
	if gfp&GFP_FS == 0 {
		return
	}
	for _, s := range k.shrinkers {
		t.Sayf("", "reclaim calls shrinker %s", s.name)
		s.scan(t)
	}
}

// WakeKswapd has kswapd reclaim memory once, at any time from now on.
func (t *Task) WakeKswapd() {
	t.spawn(InTask, "kswapd0", sim.Op{Verb: "wake"}, func(t *Task) { t.reclaim(GFP_KERNEL) })
}
