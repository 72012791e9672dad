package token

import (
	"fmt"
	"sort"
	"strings"
)

// Fix is one repair of the posted design: a bit in a set.
type Fix uint64

// The repairs. Each is asked for at one place in the code. A machine is given a
// set of them; there is no package variable to turn one on.
const (
	// FixPublishUnderResv does CREATE-9 and CREATE-10 before CREATE-7: the map gets
	// its caller's reference and becomes visible while the reservation lock is
	// still held, so that no REMOVE can run between the mapping and its
	// publication.
	FixPublishUnderResv Fix = 1 << iota
	// FixAllocError lets CREATE-3 hand the error of ALLOC on as an error pointer,
	// instead of NULL, which ASG-3 takes for a map.
	FixAllocError
	// FixFreeRequest frees the request when ASSIGN fails in SUB-3, instead of going to
	// the exit label with the request, its tag and its queue reference in hand.
	FixFreeRequest
	// FixDrainOnReserveFailure goes on when REM-2 finds no memory for a fence slot: it
	// unpublishes and kills the map all the same, and waits for the map's fence in
	// place, since nobody else can be told to.
	FixDrainOnReserveFailure
	// FixFreeInBatch drops a request's map reference also when it is freed in a batch
	// (CMP-3a), as CMP-3 does when it is freed singly.
	FixFreeInBatch
	// FixUndoMap frees, when the driver cannot map the buffer, what ALLOC made, instead
	// of leaving it behind (CREATE-8).
	FixUndoMap
	// FixUndoRegister drops the dma-buf reference of TOK-3 when registration fails
	// later (TOK-5, TOK-6).
	FixUndoRegister
	// FixPutQueue drops, at the last TOKEN-PUT, the queue reference that TOK-5 took.
	FixPutQueue
	// FixWaitAfterMap waits for the KERNEL fences once more after the driver has mapped the
	// buffer (CREATE-6): the map may have moved it.
	FixWaitAfterMap
	// FixCountSegments counts the segments of the part that BIO-4 has cut, after it was
	// rounded, and with its last page.
	FixCountSegments
	// FixLimitSegments looks at max_segments in BIO-4 also where a bio is too long.
	FixLimitSegments
	// FixCheckLength lays the mask of the device's alignment on the length of the bio in
	// BIO-4, and not on a variable that is still 0.
	FixCheckLength
	// FixFreeList frees a PRP list that could not be completed (PRE-3) by the addresses that
	// the driver knows, and not by the command's, which PRE-4 has not written yet.
	FixFreeList
	// FixSyncRange syncs the bytes of the transfer in PRE-1 and CMP-1, and not its pages.
	FixSyncRange
	// FixSpareSlot has REM-2 reserve a slot beyond those that are reserved already. In the kernel
	// reservations do not add up, and the exporter may have made its own before it called
	// move_notify.
	FixSpareSlot
	// FixInitImu initialises what REG-7 leaves as it was in a buffer from the cache: the number of
	// pinned pages, and the vectors.
	FixInitImu
	// FixRefuseVectored has the vectored opcodes fail on a dma-buf (IMP-4), as IMP-2 does for
	// all others.
	FixRefuseVectored
	// FixCheckLayout has the driver's dma_map refuse segments that are not pages of the
	// controller, or more of them than the buffer has (CREATE-6).
	FixCheckLayout
	// FixNoPolling takes REQ_POLLED from token bios (BIO-1): a fence must not depend on somebody
	// who polls.
	FixNoPolling
	// FixReclaimQueue queues free_work on a workqueue with WQ_MEM_RECLAIM (MAP-REL).
	FixReclaimQueue
	// FixRefuseBuffered has the block device refuse a token where the file is not O_DIRECT at the time
	// of the issue (IMP-6).
	FixRefuseBuffered
	// FixMapBeforeTag gives the request back if there is no map for it, makes the map, and begins
	// anew (SUB-1, SUB-3), so that nobody waits for a reservation lock or a fence with a tag in
	// hand.
	FixMapBeforeTag
	// FixSkipUnmapSync has exporters unmap with DMA_ATTR_SKIP_CPU_SYNC: WRK-2 comes when the pages may
	// be somebody else's already.
	FixSkipUnmapSync
	// FixUnmapApart leaves WRK-2 and WRK-3 to a work of their own, on a workqueue of its own: no work
	// that waits for a reservation lock then stands before one that signals a fence.
	FixUnmapApart
	// FixSkipIntegrity has SUB-4 leave a token bio to the drive, which makes and checks protection
	// information itself when it is given none (PRACT).
	FixSkipIntegrity
	// FixNoVectors has REG-7 say that the buffer of a dma-buf has no vectors, so that REG-8 reads none.
	FixNoVectors
	// FixKeepErrno has ASG-3 and SUB-3 end the bio with the error that CREATE returned.
	FixKeepErrno
	// FixWideOffset computes in PRE-1, PRE-2 and CMP-1 with the offset as it is in the bio: without a
	// sign.
	FixWideOffset
	// FixCheckSize has the registration refuse a dma-buf whose size does not fit into the length of a
	// buffer (REG-7).
	FixCheckSize
	// FixReserveLists keeps a set of PRP lists for one request in reserve (PRE-3).
	FixReserveLists
	// FixDetachOnUnbind has the driver take all mappings away, and detach, when it is unbound from the
	// device.
	FixDetachOnUnbind
	// FixResetScope has the driver's reset_work allocate without entering reclaim: fences wait for the
	// requests that it issues again.
	FixResetScope
	// FixRetryBusy has a direct write of a token, whose pages were made dirty in the cache again, write and
	// drop them again until they stay clean (BIO-0), instead of going through the cache, which cannot copy from a token.
	FixRetryBusy
	// FixSetBiosAside has SUB-3 set the task's list of bios aside while a map is made, so that what the exporter
	// submits for that is issued, and not kept until the submission is over that waits for it.
	FixSetBiosAside
	// FixWaitThroughStops has CREATE-5 go on waiting after a signal that neither kills the task nor cancels the
	// request: a stop, or the freezer.
	FixWaitThroughStops
	// FixCountDone has an update of buffers that cannot read an entry say how many it has done, as for any
	// other failure (REG-1).
	FixCountDone
)

// FixInfo describes a repair for people.
type FixInfo struct {
	Fix  Fix
	Name string
	// Steps are the steps of the specification that it changes.
	Steps string
	// Defect is what it removes, by the title that this has in docs/findings-rfc-v2.md.
	Defect string
	Doc    string
}

// Fixes lists every repair, in order of declaration.
var fixes = []FixInfo{
	{FixPublishUnderResv, "publish-under-resv", "CREATE-7, CREATE-9, CREATE-10",
		"The map is published after the lock is dropped",
		"publish the map, with the caller's reference taken, before the reservation lock is dropped"},
	{FixAllocError, "alloc-error", "CREATE-3",
		"A failed allocation is taken for a map",
		"return the error of a failed map allocation as an error pointer instead of NULL"},
	{FixFreeRequest, "free-request", "SUB-3",
		"A failing ASSIGN forgets the request",
		"free the request, with its tag, when no map can be had for it"},
	{FixDrainOnReserveFailure, "drain-on-reserve-failure", "REM-2",
		"A failing reservation of a fence slot is a silent return",
		"when no fence slot can be reserved, unpublish and kill the map nevertheless and wait for it in place"},
	{FixFreeInBatch, "free-in-batch", "CMP-3a",
		"Requests that are freed in a batch do not put their map",
		"drop the map reference of a request that is freed in a batch"},
	{FixUndoMap, "undo-map", "CREATE-8",
		"A map that cannot be mapped is left behind",
		"free the map, its fence and its reference on the token when the buffer cannot be mapped"},
	{FixUndoRegister, "undo-register", "TOK-5, TOK-6",
		"A registration that fails late keeps the dma-buf",
		"drop the dma-buf reference when the registration fails"},
	{FixPutQueue, "put-queue", "TOKEN-PUT",
		"The queue reference is never dropped",
		"drop the queue reference of the registration when the token goes"},
	{FixWaitAfterMap, "wait-after-map", "CREATE-6",
		"Mapping can bring a fence, and the wait comes before it",
		"wait for the KERNEL fences after the buffer was mapped, since mapping may move it"},
	{FixCountSegments, "count-segments", "BIO-4",
		"The segments of a split bio are counted wrong",
		"count the segments of what was cut off, after rounding, with its last page"},
	{FixLimitSegments, "limit-segments", "BIO-4",
		"max_segments is not looked at where bytes are the limit",
		"obey max_segments also where a bio is cut for its length"},
	{FixCheckLength, "check-length", "BIO-4",
		"The length is not held against dma_alignment",
		"hold the length of the bio, not a variable that is still 0, against dma_alignment"},
	{FixFreeList, "free-list", "PRE-3, PRE-3a",
		"A PRP list that could not be completed is freed at address 0",
		"free a PRP list that could not be completed by its own addresses"},
	{FixSyncRange, "sync-range", "PRE-1, CMP-1",
		"The sync for the CPU covers whole pages",
		"sync the bytes of the transfer instead of whole pages"},
	{FixSpareSlot, "spare-slot", "REM-2",
		"The importer takes a fence slot that the exporter had reserved",
		"reserve a fence slot beyond those that the exporter reserved before it notified; dma_resv must count them"},
	{FixInitImu, "init-imu", "REG-2, REG-7",
		"The buffer of a dma-buf still counts pinned pages",
		"initialise the number of pinned pages and the vectors of a buffer from the cache"},
	{FixRefuseVectored, "refuse-vectored", "IMP-4",
		"Vectored opcodes walk vectors that were never written",
		"refuse a dma-buf in READV_FIXED and WRITEV_FIXED"},
	{FixCheckLayout, "check-layout", "CREATE-6",
		"Segments that are no pages run over the array",
		"refuse a table whose segments are not pages of the controller, or more than the buffer has"},
	{FixNoPolling, "no-polling", "BIO-1",
		"A polled ring makes fences depend on user space",
		"complete token bios by interrupt, also on a ring that polls"},
	{FixReclaimQueue, "reclaim-queue", "MAP-REL",
		"The fence is signalled from a workqueue without a rescuer",
		"queue free_work on a workqueue with a rescuer"},
	{FixRefuseBuffered, "refuse-buffered", "IMP-6",
		"Without O_DIRECT nothing is copied, successfully",
		"refuse a token where the file is not O_DIRECT any more"},
	{FixMapBeforeTag, "map-before-tag", "SUB-1, SUB-3",
		"A tag is held while a reservation lock is waited for",
		"make the map without a tag in hand, and begin anew"},
	{FixSkipUnmapSync, "skip-unmap-sync", "WRK-2",
		"Unmapping after the signal copies bounce pages to a stranger",
		"exporters do not copy bounce pages back when a mapping is unmapped after its fence"},
	{FixUnmapApart, "unmap-apart", "WRK-1, WRK-2",
		"A work that waits for the lock stands before one that signals",
		"unmap in a work and a workqueue of its own, so that nothing that signals waits for a reservation lock"},
	{FixSkipIntegrity, "skip-integrity", "SUB-4",
		"Checksums are made of the token",
		"leave the protection information of a token bio to the drive"},
	{FixNoVectors, "no-vectors", "REG-7, REG-8",
		"A compound page is looked for in vectors that were never written",
		"say that the buffer of a dma-buf has no vectors"},
	{FixKeepErrno, "keep-errno", "ASG-3, SUB-3",
		"Whatever the exporter says, the error is -ENOMEM",
		"end the bio with the error that the mapping failed with"},
	{FixWideOffset, "wide-offset", "PRE-1, PRE-2, CMP-1",
		"An offset of 2 GiB or more is negative",
		"compute with offsets that have no sign"},
	{FixCheckSize, "check-size", "REG-7",
		"The length of a buffer is cut to 32 bits",
		"refuse a dma-buf whose size does not fit into the length of a buffer"},
	{FixReserveLists, "reserve-lists", "PRE-3",
		"A fence waits for memory for a PRP list",
		"keep the PRP lists of one request in reserve, for when there is no memory"},
	{FixDetachOnUnbind, "detach-on-unbind", "TOK-6, REM-4, WRK-2",
		"A mapping outlives the driver of its device",
		"invalidate, unmap and detach when the driver is unbound from the device"},
	{FixResetScope, "reset-scope", "REM-5, CMP-2",
		"The drive's recovery allocates memory, and fences wait for it",
		"allocate in the driver's reset_work without entering reclaim"},
	{FixRetryBusy, "retry-busy", "BIO-0",
		"A direct write that falls back to the page cache writes nothing, successfully",
		"write and drop pages again that were made dirty again, instead of writing a token through the page cache"},
	{FixSetBiosAside, "set-bios-aside", "SUB-3, CREATE-6",
		"A mapping that needs I/O waits for its own submission",
		"issue at once what is submitted while a map is made, with the task's list of bios set aside"},
	{FixWaitThroughStops, "wait-through-stops", "CREATE-5",
		"A stop of the process fails its reads",
		"go on waiting for fences after a signal that neither kills the task nor cancels the request"},
	{FixCountDone, "count-done", "REG-1",
		"An update that cannot read an entry does not say what it has done",
		"say how many entries of an update were done when one cannot be read"},
}

// Fixes lists every repair.
func Fixes() []FixInfo { return append([]FixInfo(nil), fixes...) }

// AllFixes is the set of all repairs.
func AllFixes() Fix {
	var all Fix
	for _, f := range fixes {
		all |= f.Fix
	}
	return all
}

// Has tells whether every repair of g is in f.
func (f Fix) Has(g Fix) bool { return f&g == g }

// Names lists the repairs in the set, in order of declaration.
func (f Fix) Names() []string {
	names := []string{}
	for _, i := range fixes {
		if f.Has(i.Fix) {
			names = append(names, i.Name)
		}
	}
	return names
}

// String joins the names with '+'; the empty set is "".
func (f Fix) String() string { return strings.Join(f.Names(), "+") }

// ParseFix finds a repair by name.
func ParseFix(name string) (Fix, error) {
	var known []string
	for _, i := range fixes {
		if i.Name == name {
			return i.Fix, nil
		}
		known = append(known, i.Name)
	}
	sort.Strings(known)
	return 0, fmt.Errorf("there is no fix %q; there are: %s", name, strings.Join(known, ", "))
}
