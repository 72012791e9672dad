//go:build linux

package realpath

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/uringsim/realring"
	"dmasim/uringsim/workload"
)

// needRing skips where there is no io_uring, saying why.
func needRing(t testing.TB) {
	t.Helper()
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); limit.Cur < 1<<20 && os.Geteuid() != 0 {
		t.Skipf("RLIMIT_MEMLOCK is %d bytes, too few for rings and their buffers", limit.Cur)
	}
	r, err := realring.Setup(realring.Options{Entries: 1})
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES} {
		if errors.Is(err, missing) {
			t.Skip(err)
		}
	}
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

// scale is DMASIM_REAL, or 1: how many times as many workloads run.
func scale(t testing.TB) int {
	t.Helper()
	s := os.Getenv("DMASIM_REAL")
	if s == "" {
		return 1
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "DMASIM_REAL is the number of times as many workloads")
	return n
}

// lowMemlock tells whether a limit of locked memory may be in the way.
func lowMemlock(t testing.TB) bool {
	t.Helper()
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit))
	return limit.Cur < 64<<20
}

// runText runs a workload that is written down, and checks it.
func runText(t *testing.T, text string) (*workload.Outcome, error) {
	t.Helper()
	w, err := workload.Parse(text)
	require.NoError(t, err)
	require.Equal(t, strings.Count(text, "\n"), strings.Count(w.String(), "\n"))
	out, traits, err := Run(w, Options{Dir: t.TempDir()})
	if err != nil {
		return nil, err
	}
	return out, workload.Check(w, traits, out)
}
