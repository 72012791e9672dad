package kernel

import "strings"

// GFP says what an allocation may do to find memory: gfp_t (include/linux/gfp_types.h).
type GFP uint16

// The modifiers; in the kernel two underscores are in front of them.
const (
	GFP_DIRECT_RECLAIM GFP = 1 << iota // may enter reclaim, and so sleep
	GFP_KSWAPD_RECLAIM                 // wakes kswapd
	GFP_IO                             // reclaim may start I/O
	GFP_FS                             // reclaim may call file systems, and shrinkers
	GFP_HIGH                           // may take from the reserves
	GFP_NOWARN                         // a failure is not reported
	GFP_NORETRY                        // gives up early
	GFP_RETRY_MAYFAIL                  // tries hard, and may fail
	GFP_NOFAIL                         // tries for ever
	GFP_ZERO
)

const (
	GFP_RECLAIM = GFP_DIRECT_RECLAIM | GFP_KSWAPD_RECLAIM
	GFP_KERNEL  = GFP_RECLAIM | GFP_IO | GFP_FS
	GFP_NOFS    = GFP_RECLAIM | GFP_IO
	GFP_NOIO    = GFP_RECLAIM
	GFP_NOWAIT  = GFP_KSWAPD_RECLAIM | GFP_NOWARN
	GFP_ATOMIC  = GFP_KSWAPD_RECLAIM | GFP_HIGH
)

// maySleep is gfpflags_allow_blocking.
func (g GFP) maySleep() bool { return g&GFP_DIRECT_RECLAIM != 0 }

var gfpNames = []struct {
	mask GFP
	name string
}{
	{GFP_KERNEL, "GFP_KERNEL"}, {GFP_NOFS, "GFP_NOFS"}, {GFP_NOIO, "GFP_NOIO"}, {GFP_ATOMIC, "GFP_ATOMIC"}, {GFP_NOWAIT, "GFP_NOWAIT"},
	{GFP_DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM"}, {GFP_KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM"},
	{GFP_IO, "__GFP_IO"}, {GFP_FS, "__GFP_FS"}, {GFP_HIGH, "__GFP_HIGH"},
	{GFP_NOWARN, "__GFP_NOWARN"}, {GFP_NORETRY, "__GFP_NORETRY"}, {GFP_RETRY_MAYFAIL, "__GFP_RETRY_MAYFAIL"},
	{GFP_NOFAIL, "__GFP_NOFAIL"}, {GFP_ZERO, "__GFP_ZERO"},
}

// String is the mask as the kernel prints it: "GFP_NOIO|__GFP_NORETRY".
func (g GFP) String() string {
	if g == 0 {
		return "0"
	}
	var out []string
	for _, n := range gfpNames {
		if g&n.mask == n.mask {
			out = append(out, n.name)
			g &^= n.mask
		}
	}
	return strings.Join(out, "|")
}

// scope is what a task has taken from all of its allocations: the PF_MEMALLOC flags of
// task_struct.
type scope uint8

const (
	memallocNoio scope = 1 << iota
	memallocNofs
	memalloc
)

// Scope is what a memalloc_*_save returns: the flags as they were.
type Scope struct{ flag, was scope }

// MemallocNoioSave is memalloc_noio_save: until the restore no allocation of the task, its
// callees' included, starts I/O or calls file systems. Scopes nest.
func (t *Task) MemallocNoioSave() Scope { return t.enter(memallocNoio) }

// MemallocNoioRestore is memalloc_noio_restore.
func (t *Task) MemallocNoioRestore(s Scope) { t.leave(memallocNoio, s) }

// MemallocNofsSave is memalloc_nofs_save: no allocation calls file systems.
func (t *Task) MemallocNofsSave() Scope { return t.enter(memallocNofs) }

// MemallocNofsRestore is memalloc_nofs_restore.
func (t *Task) MemallocNofsRestore(s Scope) { t.leave(memallocNofs, s) }

// MemallocNoreclaimSave is memalloc_noreclaim_save: the task is one that helps to free
// memory (PF_MEMALLOC), and so does not enter reclaim.
func (t *Task) MemallocNoreclaimSave() Scope { return t.enter(memalloc) }

// MemallocNoreclaimRestore is memalloc_noreclaim_restore.
func (t *Task) MemallocNoreclaimRestore(s Scope) { t.leave(memalloc, s) }

func (t *Task) enter(f scope) Scope {
	s := Scope{f, t.alloc.scope & f}
	t.alloc.scope |= f
	return s
}

func (t *Task) leave(f scope, s Scope) {
	if s.flag != f {
		t.misuse("a memalloc scope is restored with what another kind of scope saved")
	}
	t.alloc.scope = t.alloc.scope&^f | s.was
}

// inScope is the mask as the scopes of the task leave it: current_gfp_context.
func (t *Task) inScope(g GFP) GFP {
	switch s := t.alloc.scope; {
	case s&memallocNoio != 0:
		g &^= GFP_IO | GFP_FS
	case s&memallocNofs != 0:
		g &^= GFP_FS
	}
	return g
}
