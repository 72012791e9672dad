package kernel

import (
	"fmt"
	"slices"

	"dmasim/sim"
)

// MayFail is an allocation of something whose life is not tracked, such as a part of an
// object that is. It fails with ENOMEM where fault injection says so, or where memory is
// short, see Pressure.
func (t *Task) MayFail(gfp GFP, site string) Errno {
	if gfp&GFP_DIRECT_RECLAIM != 0 {
		t.MightAlloc(gfp, site)
	} else if gfp&GFP_NOFAIL != 0 {
		t.Warn("__GFP_NOFAIL allocation of %s that may not sleep (%s)", site, gfp)
	}
	if !t.K.short {
		return OK
	}
	return t.allocate(gfp, site)
}

// MightAlloc is might_alloc: the checks of an allocation, without one. The site is for the
// message.
func (t *Task) MightAlloc(gfp GFP, site string) {
	if !gfp.maySleep() {
		return
	}
	if g := t.inScope(gfp); t.mayReclaim(g) {
		t.note(Note{Kind: NoteAlloc, Name: site, GFP: g})
	}
	if len(t.held) > 0 && !t.K.Lockdep.Off {
		t.leaveReclaim(t.enterReclaim(gfp))
	}
	t.MightSleep("allocation", site)
}

// Fault names allocations that fail: the N-th, counted from 1, of each task of a name or ID.
// Each task counts for itself, so that which one it is does not depend on what other tasks
// do meanwhile.
type Fault struct {
	Task string
	N    int
}

// Faults is fault injection as data (mm/failslab.c).
type Faults struct {
	Fail []Fault
	// Sites are those whose allocations are counted, and can fail; nil: all.
	Sites []string
	// IgnoreGFPWait spares allocations that may sleep. In the kernel this is the default.
	IgnoreGFPWait bool
}

// faultPlan is one call of InjectFaults or DrawFaults; tasks know it by its number.
type faultPlan struct {
	Faults
	n int
}

func (f *Faults) counts(gfp GFP, site string) bool {
	return !(f.IgnoreGFPWait && gfp.maySleep()) && (f.Sites == nil || slices.Contains(f.Sites, site))
}

// InjectFaults makes allocations fail from now on. An allocation with __GFP_NOFAIL is
// never among them.
func (k *Kernel) InjectFaults(f Faults) { k.plan(f) }

func (k *Kernel) plan(f Faults) *faultPlan {
	k.short = true
	p := &faultPlan{f, len(k.plans)}
	k.plans = append(k.plans, p)
	return p
}

// DrawFaults draws, when the explored phase begins, which allocations fail: none, or up to
// budget of the first maxN of each of the named tasks. Every possibility is explored. Those
// that f lists fail as well.
func (t *Task) DrawFaults(f Faults, budget, maxN int, tasks ...string) {
	f.Fail = slices.Clone(f.Fail)
	p := t.K.plan(f)
	t.Draw(func() {
		var all []Fault
		for _, name := range tasks {
			for n := 1; n <= maxN; n++ {
				all = append(all, Fault{name, n})
			}
		}
		for range budget {
			v := t.Choose(len(all)+1, "failing allocation")
			if v == 0 {
				break
			}
			t.Sayf("", "allocation %d of %s is to fail", all[v-1].N, all[v-1].Task)
			p.Fail = append(p.Fail, all[v-1])
			all = all[v:] // one set of faults is drawn in one order only
		}
	})
}

// siteFault is FailAlloc for a site.
type siteFault struct {
	site string
	left int // allocations up to and with the one that fails
}

// FailAlloc makes the n-th allocation at a call site, counted from now and from 1, fail,
// whoever makes it.
func (k *Kernel) FailAlloc(site string, n int) {
	k.short = true
	for i := range k.faults {
		if k.faults[i].site == site {
			k.faults[i].left = n
			return
		}
	}
	k.faults = append(k.faults, siteFault{site, n})
}

// allocate is an allocation where something may go wrong.
func (t *Task) allocate(gfp GFP, site string) Errno {
	if gfp&GFP_NOFAIL == 0 && t.injected(gfp, site) {
		t.Stressf("", "allocation of %s fails (injected)", site)
		return ENOMEM
	}
	return t.pressed(t.inScope(gfp), site)
}

// injected tells whether fault injection lets the allocation fail, and counts it.
func (t *Task) injected(gfp GFP, site string) bool {
	k, fail := t.K, false
	for i := range k.faults {
		f := &k.faults[i]
		if f.site != site {
			continue
		}
		t.Touch(&k.injection, sim.Write) // whose allocation is the n-th depends on the order
		f.left--
		fail = fail || f.left == 0
	}
	for _, p := range k.plans {
		if !p.counts(gfp, site) {
			continue
		}
		for len(t.alloc.counted) <= p.n {
			t.alloc.counted = append(t.alloc.counted, 0)
		}
		t.alloc.counted[p.n]++
		for _, f := range p.Fail {
			if f.N == t.alloc.counted[p.n] && (f.Task == t.Name || f.Task == t.ID()) {
				fail = true
			}
		}
	}
	return fail
}

// allocState is what the allocator knows of a task.
type allocState struct {
	scope   scope
	counted []int // allocations, by fault plan
	// reclaims and failures are those that memory pressure has caused.
	reclaims, failures int
}

func (f Fault) String() string { return fmt.Sprintf("%s/%d", f.Task, f.N) }
