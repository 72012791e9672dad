//go:build !linux

package uapi

import (
	"strconv"
	"syscall"
)

// ErrnoName is the number of an errno: the names of this system are not Linux's.
func ErrnoName(e syscall.Errno) string { return "errno " + strconv.Itoa(int(e)) }
