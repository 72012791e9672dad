package conformance

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is a line of the index.
type entry struct {
	number, from, pkg, status, text, reason string
}

var number = regexp.MustCompile(`^C-([A-Z]+)-[0-9]{2}$`)

// readIndex parses testdata/index.txt.
func readIndex(t *testing.T) []entry {
	t.Helper()
	f, err := os.Open("testdata/index.txt")
	require.NoError(t, err)
	defer f.Close()
	var out []entry
	for line := bufio.NewScanner(f); line.Scan(); {
		s := line.Text()
		if strings.HasPrefix(s, "#") || s == "" {
			continue
		}
		if reason, ok := strings.CutPrefix(s, "    "); ok {
			out[len(out)-1].reason += strings.TrimSpace(reason)
			continue
		}
		w := strings.Fields(s)
		require.GreaterOrEqual(t, len(w), 5, "want number, version, package, status and sentence: %q", s)
		out = append(out, entry{w[0], w[1], w[2], w[3], strings.Join(w[4:], " "), ""})
	}
	return out
}

func (e entry) area() string { return number.FindStringSubmatch(e.number)[1] }

// primitives are the areas that sim/kernel and the fences of dmabufsim answer for.
var primitives = []string{
	"CTX", "FENCE", "ANN", "RESV", "WW", "MTX", "SPIN", "REF", "KREF", "COMP", "WAITQ", "PREF", "RCU", "WQ", "TW", "MEM",
}

// leftOut bounds the cases of the primitives that may be left out on purpose.
const leftOut = 10

func TestIndex(t *testing.T) {
	index := readIndex(t)
	require.Len(t, index, 316)
	seen := map[string]bool{}
	cases, out := 0, 0
	for _, e := range index {
		require.Regexp(t, number, e.number)
		require.False(t, seen[e.number], "%s is listed twice", e.number)
		seen[e.number] = true
		require.Contains(t, []string{"6.12+", "7.3"}, e.from, e.number)
		require.Contains(t, []string{"tested", "open", "not-modelled"}, e.status, e.number)
		require.Equal(t, e.status == "not-modelled", e.reason != "", "%s: a reason belongs to a case that is left out, and to no other", e.number)
		if slices.Contains(primitives, e.area()) {
			cases++
			if e.status == "not-modelled" {
				out++
			}
			require.NotEqual(t, "open", e.status, "%s is about a primitive", e.number)
		}
	}
	require.Equal(t, 171, cases)
	require.LessOrEqual(t, out, leftOut)
}

// TestAgreement compares the index with the names of the tests.
func TestAgreement(t *testing.T) {
	tests := testedCases(t, "../..")
	for _, e := range readIndex(t) {
		where := tests[e.number]
		delete(tests, e.number)
		if e.status != "tested" {
			require.Empty(t, where, "%s is listed as %s, and has a test", e.number, e.status)
			continue
		}
		require.Equal(t, []string{e.pkg}, where, "%s: the packages with a test of that name", e.number)
	}
	require.Empty(t, tests, "tests of cases that are not in the index")
}

// testedCases finds, below root, the packages in whose tests a case's number names a test,
// once for each time.
func testedCases(t *testing.T, root string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && number.MatchString(s) {
					out[s] = append(out[s], filepath.ToSlash(rel))
				}
			}
			return true
		})
		return nil
	}))
	return out
}
