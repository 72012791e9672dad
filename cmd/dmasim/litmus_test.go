package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/litmus"
)

// TestLitmusInDocs runs the examples of the documentation.
func TestLitmusInDocs(t *testing.T) {
	t.Chdir("../..")
	doc, err := os.ReadFile("docs/usage.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```\n\\$ go run ./cmd/dmasim litmus ([^\n]*)\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	require.Len(t, examples, 3)
	for _, e := range examples {
		out, stderr, status := call(append([]string{"litmus"}, strings.Fields(e[1])...)...)
		require.Equal(t, exitOK, status, stderr)
		require.Equal(t, e[2], out, e[1])
	}
	// The program that it begins with is the one that it runs.
	sb, err := os.ReadFile("sim/litmus/testdata/sb.litmus")
	require.NoError(t, err)
	require.Contains(t, string(doc), "```\n"+string(sb)+"```")
}

// TestLitmusStrategies checks that every strategy that there is takes a program, and
// that the exhaustive ones agree on its states.
func TestLitmusStrategies(t *testing.T) {
	p, err := litmus.Parse("x = 1 | r0 = x\ny = 1 | r1 = y\n")
	require.NoError(t, err)
	var want []litmus.State
	for name, doc := range strategyDocs {
		s, err := newLitmusStrategy(name, 1)
		if err != nil {
			continue // it is described, and to come
		}
		opt, err := litmusOptions(name, "200", doc.sampler)
		require.NoError(t, err)
		r := litmus.Explore(t.Context(), p, s, opt)
		require.Equal(t, !doc.sampler, r.Complete, name)
		var got []litmus.State
		for _, c := range r.States {
			got = append(got, c.State)
		}
		require.Len(t, got, 4, name)
		if want == nil {
			want = got
		}
		require.Equal(t, want, got, name)
	}
}
