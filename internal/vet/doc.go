// Package vet finds the fields of shared structs that a protocol changes behind the back of
// the simulator: plain Go fields are neither scheduling points nor checked for data races, so
// that an exploration says nothing about them.
//
// A struct is shared if it has, by value, a kernel.Mem or a primitive of package kernel: a
// lock, a count, a work, an RCU pointer, a Shared or a Field. A struct that has a sim.Object of
// its own is a primitive itself, whose state its operations declare, and is left alone.
//
// A field of a shared struct is found if it is plain and the package changes it, or what a map
// or slice in it contains, after the struct was made: anywhere but through a variable that the
// same function has made the struct for, and but in functions whose name begins with Init, New
// or Setup. It should be a kernel.Field, if a lock protects it or something else orders its
// accesses, or a kernel.Shared, if nothing does. A field that only one task uses, or that is
// there for reports and tests, says so in a comment on it or on the struct:
//
//	//dmasim:private REASON
//
// # Left out
//
// Variables that closures share, changes by other packages, and those through a pointer to a
// field.
package vet
