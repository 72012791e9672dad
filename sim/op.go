package sim

// Op is a visible operation, announced by a task before it happens.
type Op struct {
	// Verb says what is done, in the words of a report: "lock", "load".
	Verb string
	// Obj is what it is done to; nil for an operation on nothing shared.
	Obj *Object
	// Also is another object that Guard reads, nil for none: what can end a wait besides
	// that which is waited for, such as a signal.
	Also *Object
	// Class says how Obj is accessed. For an operation whose outcome decides (a
	// failed trylock only reads) it is the strongest possibility, and the
	// operation corrects it with Task.Did once it knows.
	Class Class
	// Guard, if not nil, must be ready before the operation can be granted.
	Guard Guard
	// Releases is a promise that can be made of an operation without a guard: just
	// before it, no operation with a guard on Obj alone is ever ready. Unlocking a mutex
	// is one. Exploration is right without it, but may have to try whether a lock
	// could have been taken before an unlock.
	Releases bool
	// Foresee, if not nil, knows for an operation whose outcome decides on its class
	// what that would be if it were granted now. Exploration is right without it, and
	// repeats itself less with it.
	Foresee Foresight
	// Joins is the task whose end the operation waits for, if that is what it does.
	Joins *Task
}

// Guard decides when a blocking operation is enabled.
type Guard interface {
	// Ready tells whether t's announced operation can be granted now. It reads
	// state and changes none.
	Ready(t *Task) bool
}

// Foresight tells the class of an operation beforehand.
type Foresight interface {
	// ClassNow is the class that t's announced operation would have if it were granted
	// in the current state. It reads state and changes none.
	ClassNow(t *Task) Class
}

// Owned is a Guard that knows which tasks would have to act before it becomes
// ready. A deadlock report draws its cycle from it.
type Owned interface {
	Guard
	// Owners lists the tasks that t waits for.
	Owners(t *Task) []*Task
}

// Explained is a Guard without owners that can say in words what keeps it from being
// ready: "all tags are in use".
type Explained interface {
	Guard
	Explain(t *Task) string
}

// Access is one object touched by an event.
type Access struct {
	Obj   *Object
	Class Class
}

// Event is one operation that was granted.
type Event struct {
	Task  *Task
	Verb  string
	Obj   *Object
	Class Class
	// Blocking is set if the operation had a guard.
	Blocking bool
	// Value is what a choice returned; -1 for every other operation.
	Value int32
	// Joins is the task whose end the operation waited for, if any.
	Joins *Task
	// Enabler is the number of the event that ended the wait of the operation, -1 if it did
	// not have to wait.
	Enabler int32
	// Op is the number of the operation, in which those on hidden objects count.
	Op int32
	// touched is the range in Machine.touched of further accesses.
	touched, more int32
}

// IsChoice tells whether the event is a choice.
func (e *Event) IsChoice() bool { return e.Value >= 0 }
