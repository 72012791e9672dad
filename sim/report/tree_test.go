package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTree(t *testing.T) {
	leaf := &Node{Text: "a leaf", Notes: []string{"with a note"}}
	root := &Node{Text: "the root", Notes: []string{"noted"}, From: []*Node{
		{Text: "a twig", From: []*Node{leaf}},
		{Text: strings.Repeat("long ", 40)},
	}}
	var b strings.Builder
	require.NoError(t, Tree(&b, root))
	require.Equal(t, `the root
| * noted
|- a twig
|  `+"`"+`- a leaf
|       * with a note
`+"`"+`- long long long long long long long long long long long long long long long long long long long
   long long long long long long long long long long long long long long long long long long long
   long long
`, b.String())

	deep := &Node{Text: "bottom"}
	for range 100 {
		deep = &Node{Text: "above", From: []*Node{deep}}
	}
	b.Reset()
	require.NoError(t, Tree(&b, deep))
	for _, l := range strings.Split(b.String(), "\n") {
		require.LessOrEqual(t, width(l), Width)
	}
}
