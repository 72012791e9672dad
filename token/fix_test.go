package token

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFixNamesParseAndPrint(t *testing.T) {
	seen := map[Fix]bool{}
	for _, i := range Fixes() {
		f, err := ParseFix(i.Name)
		require.NoError(t, err)
		require.Equal(t, i.Fix, f)
		require.Equal(t, i.Name, f.String())
		require.False(t, seen[f], "one bit each")
		require.Zero(t, f&(f-1))
		require.NotZero(t, f)
		seen[f] = true
		require.NotEmpty(t, i.Steps)
		require.NotEmpty(t, i.Doc)
		require.NotContains(t, i.Name, "+", "names are joined with it")
	}
	require.Empty(t, Fix(0).String())
	require.Len(t, AllFixes().Names(), len(Fixes()))
}

// A set prints as its members' names, in order of declaration, which parse one by one.
func TestFixSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Fix(rapid.Uint64Range(0, uint64(AllFixes())).Draw(t, "set"))
		var again Fix
		for _, n := range f.Names() {
			g, err := ParseFix(n)
			require.NoError(t, err)
			require.True(t, f.Has(g))
			require.False(t, again.Has(g))
			again |= g
		}
		require.Equal(t, f, again)
	})
}

func TestUnknownFixNamesAll(t *testing.T) {
	for _, name := range []string{"", "publish", "PUT-QUEUE"} {
		f, err := ParseFix(name)
		require.Zero(t, f)
		require.ErrorContains(t, err, `there is no fix "`+name+`"`)
		for _, i := range Fixes() {
			require.ErrorContains(t, err, i.Name)
		}
	}
}

// The list is a copy: nobody can change what another one reads.
func TestFixesIsACopy(t *testing.T) {
	Fixes()[0].Name = "changed"
	require.NotEqual(t, "changed", Fixes()[0].Name)
}

func TestMapString(t *testing.T) {
	require.Equal(t, "NULL", (*Map)(nil).String())
	require.Equal(t, "map#3", (&Map{Gen: 3}).String())
}
