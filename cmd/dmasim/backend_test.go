package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/uringsim/realhw"
)

// needReal skips where there is no real path, naming what is missing.
func needReal(t *testing.T) {
	t.Helper()
	b, err := realhw.Open(realhw.Options{})
	if err != nil {
		t.Skip(err)
	}
	require.NoError(t, b.Close())
}

// dmasim runs the command and returns its status and what it printed.
func dmasim(args ...string) (int, string, string) {
	var out, errs bytes.Buffer
	status := run(args, &out, &errs, false)
	return status, out.String(), errs.String()
}

// stringOf finds a replay string, which may go on in further lines.
var stringOf = regexp.MustCompile(`(?s)replay --backend real ('s1\..*?[^\\])\n`)

// The real bytes give the verdicts and strings that the model gives, and say more.
func TestBackendReal(t *testing.T) {
	needReal(t)
	status, out, errs := dmasim("check", "publish-after-unlock", "--design", "rfc-v2", "--backend", "real")
	require.Equal(t, []any{exitOK, ""}, []any{status, errs})
	require.Regexp(t, `(?s)^FAIL publish-after-unlock  design=rfc-v2  strategy=dfs  execution \d+
stale-dma: .*; really: byte 0\s+of\s+the\s+page\s+is 0x.*evicted\)\n.*
real bytes: READ_FIXED and WRITE_FIXED on a file with O_DIRECT .*, memfds .*, Linux \S+; \d+ runs, \d+\s+requests`, out)
	recorded := strings.NewReplacer("\\\n", "", "'", "").Replace(stringOf.FindStringSubmatch(out)[1])
	_, model, _ := dmasim("check", "publish-after-unlock", "--design", "rfc-v2")
	require.Contains(t, model, "'"+recorded+"'")
	for _, backend := range []string{"model", "real"} {
		status, out, errs = dmasim("replay", recorded, "--backend", backend)
		require.Equal(t, []any{exitOK, ""}, []any{status, errs})
		require.Contains(t, out, "replayed: same trace, same outcome\n")
		require.Equal(t, backend == "real", strings.Contains(out, "; really: byte 0"))
		require.Equal(t, backend == "real", strings.Contains(out, "\nreal bytes: "))
	}

	status, out, _ = dmasim("check", "publish-after-unlock", "--backend", "real", "--json")
	require.Equal(t, exitOK, status)
	require.Equal(t, len(scenarios.Designs()), strings.Count(out, `"backend":"real"`))
	require.Equal(t, len(scenarios.Designs()), strings.Count(out, "\n"))
}

// What was found with transfers that overlap has no string.
func TestBackendRealOverlapped(t *testing.T) {
	needReal(t)
	status, out, errs := dmasim("check", "publish-after-unlock", "--design", "rfc-v2", "--backend", "real-overlapped")
	require.Equal(t, []any{exitOK, ""}, []any{status, errs})
	require.Contains(t, out, "\nnot replayable: the time that transfers took is part of the run\n")
	require.NotContains(t, out, "s1.")
	_, out, _ = dmasim("check", "publish-after-unlock", "--backend", "real-overlapped")
	require.Contains(t, out, "expected failures; not replayable: ")
	require.NotContains(t, out, "s1.")
}

func TestBackendErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "--backend", "rael"}, `dmasim check: there is no backend "rael"; did you mean "real"?`},
		{[]string{"check", "--backend", "real", "--backend", "model"}, `it was given before, as "real"`},
		{[]string{"check", "--drive", "/dev/null"}, "--drive /dev/null: the model needs no drive"},
		{[]string{"check", "--drive", "/dev/null", "--backend", "real"}, "the real path"},
		{[]string{"replay", "s1.fd07.publish-after-unlock.rfc-v2#00000000", "--backend", "real-overlapped"}, "is not replayable"},
	} {
		status, out, errs := dmasim(c.args...)
		require.Equal(t, []any{exitUnusable, ""}, []any{status, out})
		require.Contains(t, errs, c.want)
	}
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	status, out, errs := dmasim("check", "publish-after-unlock", "--backend", "real")
	require.Equal(t, []any{exitUnusable, ""}, []any{status, out})
	require.Regexp(t, `^dmasim check: the real path .*\n$`, errs)
}
