package litmus

import (
	"fmt"
	"slices"
	"strings"
)

// Program is a table of operations. Two programs are equal if they do the same
// operations in the same columns; the rows that an operation stands in are not kept.
//
// A program is run by one goroutine at a time.
type Program struct {
	// Initial are the initial values that are given.
	Initial []Initial
	// Tasks are the columns.
	Tasks [][]Op
	// Condition is over the final states; nil if there is none.
	Condition *Condition

	last *memory // of the last Body
}

// Initial is the initial value of a variable.
type Initial struct {
	Name  string
	Value int64
}

// OpKind says what an operation does.
type OpKind uint8

const (
	// Write stores Args[0] in the variable Name.
	Write OpKind = iota
	// Read loads the variable Name into Register.
	Read
	// Compute stores Args[0] in Register. It is no event.
	Compute
	// FetchAdd adds Args[0] to the variable Name; Register gets the old value.
	FetchAdd
	// CompareAndSwap stores Args[1] in the variable Name if that is Args[0]; Register
	// gets the old value.
	CompareAndSwap
	// Lock waits for the mutex Name and takes it.
	Lock
	// Unlock gives the mutex Name back.
	Unlock
	// TryLock takes the mutex Name if it is free; Register tells whether.
	TryLock
)

// Op is an operation: a cell of the table.
type Op struct {
	Kind OpKind
	// Name is the variable or mutex; empty for Compute.
	Name string
	// Register is the register that is assigned; 0 for operations that assign none.
	Register int
	Args     []Sum
}

// assigns tells whether the operation assigns a register.
func (o Op) assigns() bool {
	return o.Kind != Write && o.Kind != Lock && o.Kind != Unlock
}

// onMutex tells whether Name is a mutex.
func (o Op) onMutex() bool {
	return o.Kind == Lock || o.Kind == Unlock || o.Kind == TryLock
}

// Sum is a sum of registers and constants. That of a FetchAdd or CompareAndSwap has
// one term, which is not negated.
type Sum []Term

// Term is a part of a sum.
type Term struct {
	// IsRegister tells whether N is the number of a register, or else a constant.
	IsRegister bool
	// Negated is set for a register that is subtracted; a constant has its own sign.
	Negated bool
	N       int64
}

// Variables lists the shared variables, sorted.
func (p *Program) Variables() []string {
	set := map[string]bool{}
	for _, i := range p.Initial {
		set[i.Name] = true
	}
	p.each(func(_ int, o Op) {
		if o.Kind != Compute && !o.onMutex() {
			set[o.Name] = true
		}
	})
	return sorted(set)
}

// Mutexes lists the mutexes, sorted.
func (p *Program) Mutexes() []string {
	set := map[string]bool{}
	p.each(func(_ int, o Op) {
		if o.onMutex() {
			set[o.Name] = true
		}
	})
	return sorted(set)
}

// Keys names the values of a final state, sorted: "0:r1" is register r1 of task 0,
// and every other one is a variable.
func (p *Program) Keys() []string {
	set := map[string]bool{}
	for _, v := range p.Variables() {
		set[v] = true
	}
	p.each(func(task int, o Op) {
		if o.assigns() {
			set[registerKey(task, o.Register)] = true
		}
	})
	return sorted(set)
}

func registerKey(task, register int) string { return fmt.Sprintf("%d:r%d", task, register) }

func (p *Program) each(f func(task int, o Op)) {
	for task, ops := range p.Tasks {
		for _, o := range ops {
			f(task, o)
		}
	}
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
