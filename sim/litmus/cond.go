package litmus

import "slices"

// Quantifier says of which final states a condition speaks.
type Quantifier uint8

const (
	// Exists: of at least one.
	Exists Quantifier = iota
	// NotExists: of none.
	NotExists
	// ForAll: of each.
	ForAll
)

func (q Quantifier) String() string { return [...]string{"exists", "~exists", "forall"}[q] }

// Condition is a statement about the final states.
type Condition struct {
	Quantifier Quantifier
	Proposition
}

// True tells whether the condition, as it is written, is true of these states.
func (c *Condition) True(states []State) bool {
	holds := func(s State) bool { return c.Holds(s) }
	switch c.Quantifier {
	case NotExists:
		return !slices.ContainsFunc(states, holds)
	case ForAll:
		return !slices.ContainsFunc(states, func(s State) bool { return !c.Holds(s) })
	}
	return slices.ContainsFunc(states, holds)
}

// Proposition holds in a state or not. It is an And, an Or, a Not or an Atom.
type Proposition interface {
	Holds(State) bool
}

// And holds if all of its parts do; there are at least two.
type And []Proposition

// Or holds if one of its parts does; there are at least two.
type Or []Proposition

// Not holds if its part does not.
type Not struct{ Proposition }

// Atom compares a value of the state with a constant.
type Atom struct {
	// Key is that of a register or variable, as in Program.Keys.
	Key string
	// Differs tells whether the two have to differ, or else to be equal.
	Differs bool
	Value   int64
}

func (a And) Holds(s State) bool {
	for _, p := range a {
		if !p.Holds(s) {
			return false
		}
	}
	return true
}

func (o Or) Holds(s State) bool {
	for _, p := range o {
		if p.Holds(s) {
			return true
		}
	}
	return false
}

func (n Not) Holds(s State) bool { return !n.Proposition.Holds(s) }

func (a Atom) Holds(s State) bool { return (s.Get(a.Key) == a.Value) != a.Differs }

// State is a final state.
type State struct {
	// Keys are those of the program; they are shared by all of its states.
	Keys   []string
	Values []int64
}

// Get returns a value. What has no key was never assigned and is 0.
func (s State) Get(key string) int64 {
	if i, ok := slices.BinarySearch(s.Keys, key); ok {
		return s.Values[i]
	}
	return 0
}
