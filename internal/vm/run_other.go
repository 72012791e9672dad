//go:build !linux

package vm

import (
	"context"
	"errors"
)

// Run is for Linux hosts.
func Run(context.Context, Options) (*Outcome, error) {
	return nil, errors.New("the virtual machine runs on Linux hosts only")
}
