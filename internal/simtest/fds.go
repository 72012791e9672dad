package simtest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// OpenFds counts the open descriptors of the process.
func OpenFds(t testing.TB) int {
	t.Helper()
	r, w, err := os.Pipe() // has the Go runtime open its poller, once for all
	require.NoError(t, err)
	r.Close()
	w.Close()
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(names) - 1 // that of the folder
}
