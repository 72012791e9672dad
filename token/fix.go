package token

import (
	"fmt"
	"sort"
	"strings"
)

// Fix is one repair of the posted design: a bit in a set.
type Fix uint32

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
	// FixReserveEarly reserves the fence slot of REM-2 when the map is created,
	// under the reservation lock of CREATE-4, and again after each use, so that
	// move_notify has nothing to allocate and cannot fail.
	FixReserveEarly
	// FixPutQueue drops, at the last TOKEN-PUT, the queue reference that TOK-5 took.
	FixPutQueue
)

// FixInfo describes a repair for people.
type FixInfo struct {
	Fix  Fix
	Name string
	// Steps are the steps of the specification that it changes.
	Steps string
	Doc   string
}

// Fixes lists every repair, in order of declaration.
var fixes = []FixInfo{
	{FixPublishUnderResv, "publish-under-resv", "CREATE-7, CREATE-9, CREATE-10",
		"publish the map, with the caller's reference taken, before the reservation lock is dropped"},
	{FixAllocError, "alloc-error", "CREATE-3",
		"return the error of a failed map allocation as an error pointer instead of NULL"},
	{FixReserveEarly, "reserve-early", "REM-2, CREATE-6",
		"have the fence slot reserved before the map can be published, so that move_notify cannot fail"},
	{FixPutQueue, "put-queue", "TOKEN-PUT",
		"drop the queue reference of the registration when the token goes"},
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
