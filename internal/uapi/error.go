package uapi

import (
	"fmt"
	"syscall"
)

// Error is a system call that failed: what was attempted, and the errno. errors.Is
// finds the errno.
type Error struct {
	// Call is what was attempted, with its arguments as far as they matter.
	Call  string
	Errno syscall.Errno
	// Why is what is likely to be the reason, if there is more to say than the errno.
	Why string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s (%s)", e.Call, ErrnoName(e.Errno), e.Errno.Error())
	if e.Why != "" {
		s += "; " + e.Why
	}
	return s
}

func (e *Error) Unwrap() error { return e.Errno }

// Fail returns the Error of a call that answered errno, and nil if it is 0.
func Fail(errno syscall.Errno, format string, args ...any) error {
	if errno == 0 {
		return nil
	}
	return &Error{Call: fmt.Sprintf(format, args...), Errno: errno}
}
