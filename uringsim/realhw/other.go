//go:build !linux

package realhw

import (
	"errors"

	"dmasim/sim"
)

// Options are those of Linux.
type Options struct {
	Dir     string
	Drive   string
	Overlap bool
	Failed  func(error)
}

// Backend needs Linux.
type Backend struct{}

var errLinux = errors.New("the real path needs Linux")

// Open says that there is no real path.
func Open(Options) (*Backend, error) { return nil, errLinux }

// Program is body.
func (*Backend) Program(body func(*sim.Task)) func(*sim.Task) { return body }

// Err says that there is no real path.
func (*Backend) Err() error { return errLinux }

// Note says nothing.
func (*Backend) Note() string { return "" }

// Moved counts nothing.
func (*Backend) Moved() Moved { return Moved{} }

// Replayable is true of nothing.
func (*Backend) Replayable() bool { return false }

// Close has nothing to close.
func (*Backend) Close() error { return nil }
