//go:build linux

package simpath

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/uringsim/realpath"
	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// real is the real path, and the simulated one that is made like it.
type real struct {
	dir     string
	release string
	// exact tells whether the version of the kernel was compared in what versions differ in.
	exact bool
	o     Options
}

// realOrSkip finds out what the real path is like, or says what is missing.
func realOrSkip(t *testing.T) *real {
	t.Helper()
	r := &real{dir: t.TempDir()}
	m, err := realpath.NewMachine(&workload.Workload{Buffers: 1, Size: 4096, File: 8192}, realpath.Options{Dir: r.dir})
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.ENOMEM} {
		if errors.Is(err, missing) {
			t.Skip("no real path: ", err)
		}
	}
	require.NoError(t, err)
	r.o.Traits, r.o.MemAlign, r.o.MayBlock = m.Traits(), m.Store.MemAlign, true
	for _, note := range m.Notes() {
		t.Log(note)
	}
	if strings.Contains(os.Getenv("DMASIM_DRIVE"), "nvme") {
		r.o.NVMe, r.o.Tags = true, 32
	}
	takes, err := m.Ring.TakesDmaBufs()
	require.NoError(t, err)
	if takes {
		t.Log("this kernel takes dma-bufs as registered buffers, which is not made use of yet")
	}
	require.NoError(t, m.Close())
	var u unix.Utsname
	require.NoError(t, unix.Uname(&u))
	r.release = unix.ByteSliceToString(u.Release[:])
	major, minor := 0, 0
	fmt.Sscanf(r.release, "%d.%d", &major, &minor)
	switch {
	case major < 6 || major == 6 && minor <= 12:
		r.o.Profile = kernel.V6_12
	case major < 7:
		r.o.Profile = kernel.RFCBase
	default:
		r.o.Profile = kernel.V7_3
	}
	r.exact = major == 6 && (minor == 12 || minor == 18) || major == 7 && minor == 3
	t.Logf("Linux %s, NVMe: %v, addresses in units of %d, %+v", r.release, r.o.NVMe, r.o.MemAlign, r.o.Traits)
	return r
}

// inParallel lets a test run beside others, unless there is one drive for all.
func inParallel(t *testing.T) {
	if os.Getenv("DMASIM_DRIVE") == "" {
		t.Parallel()
	}
}

// run executes a workload on the kernel.
func (r *real) run(t *rapid.T, w *workload.Workload) *workload.Outcome {
	out, traits, err := realpath.Run(w, realpath.Options{Dir: r.dir})
	if err != nil {
		t.Fatalf("on the kernel: %v\n%s", err, w)
	}
	if err := workload.Check(w, traits, out); err != nil {
		t.Fatalf("on the kernel: %v", err)
	}
	return out
}

// TestDifferential draws workloads, runs each on the kernel and on the simulated path, and wants
// the same results and bytes. Where a cancel races with what it cancels some schedule has to
// give what the kernel gave.
//
// DMASIM_CHECKS multiplies the number of workloads, which is 1,000.
func TestDifferential(t *testing.T) {
	inParallel(t)
	re := realOrSkip(t)
	var runs, races, versions atomic.Int64
	t.Run("", func(t *testing.T) {
		for range 2 { // which mostly wait for the disk
			t.Run("", func(t *testing.T) {
				inParallel(t)
				m := sim.NewMachine()
				defer m.Close()
				check(t, 5, func(r *rapid.T) {
					racy, odd := re.compare(r, m)
					runs.Add(1)
					races.Add(racy)
					versions.Add(odd)
				})
			})
		}
	})
	t.Logf("%d workloads; in %d a race was decided in another schedule, in %d the version decides", runs.Load(), races.Load(), versions.Load())
}

// compare draws a workload and compares it. It says whether a race had to be decided in another
// schedule, and whether a difference was let pass as one of versions.
func (re *real) compare(r *rapid.T, m *sim.Machine) (races, versions int64) {
	w := draw.Workload(re.o.Traits).Draw(r, "workload")
	s := strategy(r)
	if re.o.NVMe && re.o.Profile > kernel.V6_12 && !fitsNVMe(w) {
		return 0, 0 // QEMU's drive takes what the kernel lets through
	}
	want := re.run(r, w)
	diff := func(s sim.Strategy) string {
		out, err := Run(m, s, w, re.o)
		if err != nil {
			r.Fatalf("simulated: %v\n%s", err, w)
		}
		if err := workload.Check(w, re.o.Traits, out); err != nil {
			r.Fatalf("simulated: %v", err)
		}
		return difference(w, "kernel", want, "simulated", out)
	}
	d := diff(s)
	racy, odd := open(w, re.o.Traits, want)
	if d != "" && racy {
		races = 1
		d = search(diff)
	}
	if d != "" && odd && !re.exact {
		d, versions = "", 1
	}
	if d != "" {
		r.Fatalf("the simulated path differs from Linux %s:\n%s", re.release, d)
	}
	return races, versions
}

// TestTokensDifferential holds dma-bufs that move, of every design that must be right, against
// ordinary buffers on the kernel: no kernel has dma-bufs as registered buffers, and if this one
// has, it says so.
func TestTokensDifferential(t *testing.T) {
	inParallel(t)
	re := realOrSkip(t)
	m := sim.NewMachine()
	defer m.Close()
	runs := 0
	property := func(r *rapid.T) {
		w := ForTokens(draw.Workload(re.o.Traits).Draw(r, "workload"), re.o.Traits)
		want := re.run(r, w)
		if _, odd := open(w, re.o.Traits, want); odd && re.o.Profile != kernel.RFCBase {
			return // the series is made for one version
		}
		for _, d := range right() {
			agree(r, m, strategy(r), w, withTokens(r, d, w, re.o.Traits), "kernel", want)
		}
		runs++
	}
	check(t, 1, property)
	t.Logf("%d workloads, with dma-bufs of each design as without on the kernel", runs)
}

// The kernel answers what the table of errnos says, and so does the simulated path.
func TestErrnosOnTheKernel(t *testing.T) {
	re := realOrSkip(t)
	if !re.o.Traits.Strict {
		t.Skip("the folder's file system takes any offset and length")
	}
	for _, e := range errnos {
		t.Run(e.line, func(t *testing.T) {
			if e.dmabufs && !re.o.Traits.DmaBufs {
				t.Skip("this host has no udmabufs")
			}
			out, _, err := realpath.Run(parse(t, e.text), realpath.Options{Dir: re.dir})
			require.NoError(t, err)
			if re.exact || e.newer == "" {
				require.Equal(t, e.on(&re.o), results(out))
			}
		})
	}
}
