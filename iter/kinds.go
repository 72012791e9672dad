package iter

import "dmasim/sim"

// Kinds of failure of I/O.
const (
	// DoubleCompletion: an I/O was completed twice.
	DoubleCompletion sim.Kind = "double-completion"
	// LostCompletion: an I/O was never completed.
	LostCompletion sim.Kind = "lost-completion"
	// WrongErrno: an I/O or a call ended with another result than it must.
	WrongErrno sim.Kind = "wrong-errno"
)
