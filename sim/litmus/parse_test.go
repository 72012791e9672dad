package litmus

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawProgram draws a program that can be written, of so many tasks and operations
// at most.
func drawProgram(t *rapid.T, tasks, ops int) *Program {
	p := &Program{}
	for _, name := range []string{"x", "y_1", "A"} {
		if rapid.Bool().Draw(t, "given") {
			p.Initial = append(p.Initial, Initial{name, drawValue(t)})
		}
	}
	for range rapid.IntRange(1, tasks).Draw(t, "tasks") {
		var list []Op
		for range rapid.IntRange(0, ops).Draw(t, "operations") {
			list = append(list, drawOp(t))
		}
		p.Tasks = append(p.Tasks, list)
	}
	if len(p.Tasks) == 1 && len(p.Tasks[0]) == 0 {
		p.Tasks[0] = []Op{drawOp(t)}
	}
	if keys := p.Keys(); len(keys) > 0 && rapid.Bool().Draw(t, "condition") {
		q := rapid.SampledFrom([]Quantifier{Exists, NotExists, ForAll}).Draw(t, "quantifier")
		p.Condition = &Condition{q, drawProposition(t, keys, 4)}
	}
	return p
}

func drawOp(t *rapid.T) Op {
	kind := rapid.SampledFrom([]OpKind{Write, Write, Read, Read, Compute, FetchAdd, CompareAndSwap, Lock, Unlock, TryLock}).Draw(t, "kind")
	o := Op{Kind: kind}
	if kind != Compute {
		o.Name = rapid.SampledFrom([]string{"x", "y_1", "A"}).Draw(t, "variable")
	}
	if o.onMutex() {
		o.Name = rapid.SampledFrom([]string{"m", "m2"}).Draw(t, "mutex")
	}
	if o.assigns() {
		o.Register = rapid.IntRange(0, 2).Draw(t, "register")
	}
	switch kind {
	case Write, Compute:
		var s Sum
		for range rapid.IntRange(1, 3).Draw(t, "terms") {
			term := drawTerm(t)
			term.Negated = term.IsRegister && rapid.Bool().Draw(t, "negated")
			s = append(s, term)
		}
		o.Args = []Sum{s}
	case FetchAdd:
		o.Args = []Sum{{drawTerm(t)}}
	case CompareAndSwap:
		o.Args = []Sum{{drawTerm(t)}, {drawTerm(t)}}
	}
	return o
}

func drawTerm(t *rapid.T) Term {
	if rapid.Bool().Draw(t, "constant") {
		return Term{N: drawValue(t)}
	}
	return Term{IsRegister: true, N: int64(rapid.IntRange(0, 2).Draw(t, "register"))}
}

func drawValue(t *rapid.T) int64 {
	return rapid.OneOf(rapid.Int64Range(0, 1), rapid.Int64()).Draw(t, "value")
}

func drawProposition(t *rapid.T, keys []string, depth int) Proposition {
	parts := func() (out []Proposition) {
		for range rapid.IntRange(2, 3).Draw(t, "parts") {
			out = append(out, drawProposition(t, keys, depth-1))
		}
		return out
	}
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "form") {
		case 0:
			return And(parts())
		case 1:
			return Or(parts())
		case 2:
			return Not{drawProposition(t, keys, depth-1)}
		}
	}
	return Atom{rapid.SampledFrom(keys).Draw(t, "key"), rapid.Bool().Draw(t, "differs"), drawValue(t)}
}

func TestPrintIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t, 4, 5)
		require.Equal(t, p, parse(t, p.String()), "%s", p)
	})
}

func TestPrint(t *testing.T) {
	for in, want := range map[string]string{
		"x=1;\ty = -2 ;\r\n x=1|r07=x # one\n\n |  r1 = 2 - -3-r0--r2\nexists((x=1))": "" +
			"x = 1; y = -2;\n" +
			"x = 1 | r7 = x\n" +
			"      | r1 = 2 + 3 - r0 + r2\n" +
			"exists (x = 1)\n",
		"x=1|\n|\nforall [x]=1 /\\ (x=1 /\\ ~(x=2) \\/ ~~x!=3)": "" +
			"x = 1 |\n" +
			"forall (x = 1 /\\ (x = 1 /\\ ~x = 2 \\/ ~~x != 3))\n",
		"|x=1\nx=2\n": "x = 2 | x = 1\n",
	} {
		require.Equal(t, want, parse(t, in).String())
	}
}

// TestErrors has every form of error, and where it is.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `1:1: there is no row of operations`},
		{"# nothing\n\n", `1:1: there is no row of operations`},
		{"x = 0; y = 0;\n", `1:14: there is no row of operations`},
		{"x = 1 | y @ 1", `1:11: unexpected '@'`},
		{"x = 1\nexists (x = 1 && x = 1)", `2:15: unexpected '&'; "and" is written /\`},
		{"x = 1\nexists (x = 1 ∨ x = 1)", `2:15: unexpected '∨'; "or" is written \/`},
		{"x = 1\nexists (x = 1 || x = 1)", `2:15: unexpected "|"; "or" is written \/`},
		{"x = 1\nexists x = 1 || x = 1", `2:14: unexpected "|"; "or" is written \/`},
		{"x = 1\nexists !(x = 1)", `2:8: unexpected '!'; "not" is written ~, and "not equal" !=`},
		{"{ x = 0; }", `1:1: unexpected '{'; initial values have no braces`},
		{"x = 1 | \xff", `1:9: the text is not UTF-8`},
		{"é = 1", `1:1: unexpected 'é'`},

		{"x = 0; y = 0\nx = 1", `1:13: expected ";", which ends an initial value, not the end of the line`},
		{"x = 0 y = 0;\nx = 1", `1:7: expected ";", which ends an initial value, not "y"`},
		{"x = 0; x = 1;\nx = 1", `1:8: x has an initial value already`},
		{"r0 = 0;\nx = 1", `1:1: only variables have initial values; registers are 0 at first`},
		{"x = y;\nx = 1", `1:5: an initial value is a constant, not "y"`},
		{"x = -;\nx = 1", `1:6: an initial value is a constant, not ";"`},
		{"x 0;\nx = 1", `1:3: expected "=", not "0"`},
		{"lock m;\n", `1:1: unexpected "lock"; an initial value looks like x = 1;`},
		{"x = 1 | y = 1\nx = 2;", `2:1: initial values stand above the rows; a row does not end in ';'`},
		{"x = 9223372036854775808;\n", `1:5: 9223372036854775808 does not fit into 64 bits`},
		{"m = 0;\nlock m\n", `2:6: m is a variable, by line 1, and cannot be a mutex`},

		{"x = 1 | y = 1;\n", `1:14: a row does not end in ';'; only initial values do`},
		{"x = 1 y = 1", `1:7: unexpected "y" after the operation`},
		{"x", `1:2: expected "=", not the end of the line`},
		{"x == 1", `1:4: expected a register or a constant, not "="`},
		{"x =", `1:4: expected a register or a constant, not the end of the line`},
		{"x = 1 +  # more", `1:10: expected a register or a constant, not the end of the line`},
		{"x = y", `1:5: y is a variable, and to read it is an event of its own; read it into a register in a row above: r0 = y`},
		{"x = r0 + x", `1:10: x is a variable, and to read it is an event of its own; read it into a register in a row above: r0 = x`},
		{"r0 = x + 1", `1:8: r0 = x is a read, and nothing else fits into one event; compute in a row below: r0 = r0 + ...`},
		{"r0 = 1 + x", `1:10: x is a variable, and to read it is an event of its own; read it into a register in a row above: r0 = x`},
		{"r0 = x y", `1:8: unexpected "y" after the operation`},
		{"r70000 = 1", `1:1: registers are numbered up to 65535`},
		{"x = r99999999999999999999", `1:5: registers are numbered up to 65535`},
		{"x = 99999999999999999999", `1:5: 99999999999999999999 does not fit into 64 bits`},
		{"x = 1 - -9223372036854775808", `1:10: 9223372036854775808 does not fit into 64 bits`},
		{"0:r0 = x", `1:1: the column says which task it is; leave 0: out`},
		{"1 = x", `1:1: unexpected "1"; an operation looks like x = 1, r0 = x or lock m`},
		{"x = 1 exists (x = 1)", `1:7: unexpected "exists" after the operation`},
		{"x = 1 | exists (x = 1)", `1:9: a condition stands on a line of its own, below the rows`},

		{"lock", `1:5: expected the name of a mutex, not the end of the line`},
		{"lock r0", `1:6: r0 is a register; a mutex needs another name`},
		{"unlock 1", `1:8: expected the name of a mutex, not "1"`},
		{"lock lock", `1:6: expected the name of a mutex, not "lock"`},
		{"lock m | m = 1", `1:10: m is a mutex, by line 1, and cannot be a variable`},
		{"r0 = x\nr0 = trylock x", `2:14: x is a variable, by line 1, and cannot be a mutex`},
		{"lock m\nr0 = m", `2:6: m is a mutex, by line 1, and cannot be a variable`},
		{"lock m\nr0 = faa m 1", `2:10: m is a mutex, by line 1, and cannot be a variable`},
		{"trylock m", `1:1: trylock needs a register for its result: r0 = trylock m`},
		{"r0 = lock m", `1:6: lock has no result; write lock m, or r0 = trylock m`},
		{"faa x 1", `1:1: faa needs a register for the old value: r0 = faa x ...`},
		{"cas x 0 1", `1:1: cas needs a register for the old value: r0 = cas x ...`},
		{"y = cas x 0 1", `1:5: cas gives its result to a register: r0 = cas ...`},
		{"r0 = faa 1", `1:10: expected the name of a variable, not "1"; faa takes a variable and a value: r0 = faa x 1`},
		{"r0 = faa x", `1:11: expected a register or a constant, not the end of the line; faa takes a variable and a value: r0 = faa x 1`},
		{"r0 = faa x y", `1:12: expected a register or a constant, not "y"; faa takes a variable and a value: r0 = faa x 1`},
		{"r0 = faa x 1 2", `1:14: unexpected "2" after the operation`},
		{"r0 = cas x 1", `1:13: expected a register or a constant, not the end of the line; cas takes a variable, the old value and the new one: r0 = cas x 0 1`},
		{"r0 = cas x 0 -r1", `1:14: a value is a register or a constant; compute -r1 in a row above`},

		{"exists (x = 1)", `1:1: a condition stands below the rows, and there is none above it`},
		{"x = 1\n~ (x = 1)", `2:3: expected "exists", not "("`},
		{"x = 1\nexists", `2:7: unexpected the end of the line; a condition has parts like x = 1 and 0:r0 = 1`},
		{"x = 1\nexists ()", `2:9: unexpected ")"; a condition has parts like x = 1 and 0:r0 = 1`},
		{"x = 1\nexists (x = 1\n", `2:14: expected ")", not the end of the line`},
		{"x = 1\nexists (x = 1 /\\\n)", `3:1: unexpected ")"; a condition has parts like x = 1 and 0:r0 = 1`},
		{"x = 1\nexists (x)", `2:10: expected "=" or "!=", not ")"`},
		{"x = 1\nexists (x = y)", `2:13: a value is compared with a constant, not "y"`},
		{"x = 1\nexists (x = 1) (x = 1)", `2:16: unexpected "(" after the condition, which is the last thing in a program`},
		{"x = 1\nexists (x = 1)\nx = 2", `3:1: unexpected "x" after the condition, which is the last thing in a program`},
		{"x = 1\nexists (z = 1)", `2:9: the program has no variable z`},
		{"lock m\nexists (m = 1)", `2:9: m is a mutex, by line 1, and has no value`},
		{"r0 = 1\nexists (r0 = 1)", `2:9: the register of which task? That of task 0 is 0:r0`},
		{"r0 = 1\nexists (0:r1 = 1)", `2:11: task 0 assigns nothing to r1`},
		{"r0 = 1\nexists (1:r0 = 1)", `2:9: there is no task 1; the last one is 0`},
		{"r0 = 1\nexists (0:x = 1)", `2:11: expected a register, not "x"; a task owns nothing else`},
		{"r0 = 1\nexists (0 = 1)", `2:11: expected ":", not "="`},
		{"x = 1\nexists ([x = 1)", `2:12: expected "]", not "="`},
		{"x = 1\nexists ([1] = 1)", `2:10: expected the name of a variable, not "1"`},
		{"x = 1\nexists " + strings.Repeat("(", 300) + "x = 1", `2:208: the condition is nested more than 200 deep`},
	} {
		p, err := Parse(c.text)
		require.EqualError(t, err, c.want, "%s", c.text)
		require.Nil(t, p)
	}
}

// FuzzParse checks that no text is too much for the parser, that errors point into
// the text, and that what was read is what is printed.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.litmus")
	require.NoError(f, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(text))
	}
	for _, s := range []string{"x = 1 | r0 = faa x -1\n\n|\nexists ~(x != 1 \\/ x = 2)", "r0 = x + 1", "é", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err == nil {
			again, err := Parse(p.String())
			require.NoError(t, err)
			require.Equal(t, p, again)
			return
		}
		require.Nil(t, p)
		var syntax *SyntaxError
		require.True(t, errors.As(err, &syntax))
		require.NotEmpty(t, syntax.Message)
		lines := strings.Split(text, "\n")
		require.Positive(t, syntax.Line)
		require.LessOrEqual(t, syntax.Line, len(lines))
		require.Positive(t, syntax.Column)
		require.LessOrEqual(t, syntax.Column, utf8.RuneCountInString(lines[syntax.Line-1])+1)
	})
}
