package simpath

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/uringsim/workload"
)

// open says which operations of a workload have more than one right result, cancels and what
// they cancel, and others.
func open(w *workload.Workload, t workload.Traits, out *workload.Outcome) (races, versions bool) {
	m := workload.NewModel(w, t)
	for i := range w.Ops {
		o := &w.Ops[i]
		if len(m.Allowed(o)) > 1 {
			races = races || o.Kind == workload.Cancel
			versions = versions || o.Kind != workload.Cancel
		}
		m.Step(i, o, out.Results[i].Res)
	}
	return races, versions
}

// difference shows two outcomes side by side, "" if they are the same.
func difference(w *workload.Workload, left string, one *workload.Outcome, right string, other *workload.Outcome) string {
	var b strings.Builder
	differ := false
	line := func(what, a, c string) {
		mark := " "
		if a != c {
			mark, differ = "!", true
		}
		fmt.Fprintf(&b, "%s %-52s %-24s %s\n", mark, what, a, c)
	}
	fmt.Fprintf(&b, "  %-52s %-24s %s\n", strings.SplitN(w.String(), "\n", 2)[0], left, right)
	for i := range w.Ops {
		a, c := one.Results[i], other.Results[i]
		words := [2]string{a.String(), c.String()}
		if at := firstByte(a.Data, c.Data); at >= 0 {
			words = [2]string{fmt.Sprintf("byte %d: %#x", at, a.Data[at]), fmt.Sprintf("%#x", c.Data[at])}
		}
		line(w.Ops[i].String(), words[0], words[1])
	}
	final := func(what string, a, c []byte) {
		if at := firstByte(a, c); at >= 0 {
			line(fmt.Sprintf("byte %d of %s at the end", at, what), fmt.Sprintf("%#x", a[at]), fmt.Sprintf("%#x", c[at]))
		}
	}
	for i := range one.Buffers {
		final(fmt.Sprintf("buffer %d", i), one.Buffers[i], other.Buffers[i])
	}
	final("the file", one.File, other.File)
	if !differ {
		return ""
	}
	return b.String()
}

// firstByte is the first byte that differs, -1 if none does.
func firstByte(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b)) - 1
}

// tries is how many schedules are looked through for one that has the outcome of the kernel,
// where a race decides which it is.
const tries = 300

// search looks for a schedule in which there is no difference. PCT is good at keeping a worker
// from running for a long time, and the walk at everything else.
func search(diff func(sim.Strategy) string) (d string) {
	pct, walk := explore.NewPCT(1, 3), explore.NewRandom(1)
	for i := range tries {
		s := []sim.Strategy{pct, walk}[i%2]
		if d = diff(s); d == "" {
			break
		}
	}
	return d
}

// check draws n times what rapid draws, which is 100 workloads and 20 in -short, where n is
// smaller too. DMASIM_CHECKS multiplies.
func check(t *testing.T, n int, property func(*rapid.T)) {
	if testing.Short() {
		n = max(1, n/5)
	}
	for range n * scale() {
		if rapid.Check(t, property); t.Failed() {
			break
		}
	}
}
