package litmus

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says what is wrong with a text, and where.
type SyntaxError struct {
	// Line and Column count from 1; columns are characters.
	Line, Column int
	Message      string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

type tokenKind uint8

const (
	tokenEnd tokenKind = iota // of the text, or of a line
	tokenName
	tokenRegister
	tokenNumber
	tokenWord // reserved
	tokenSign
)

type token struct {
	kind      tokenKind
	text      string
	line, col int
}

func (t token) is(text string) bool {
	return t.text == text && (t.kind == tokenSign || t.kind == tokenWord)
}

// String is how an error names the token.
func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end of the line"
	}
	return fmt.Sprintf("%q", t.text)
}

func (t token) errorf(format string, args ...any) *SyntaxError {
	return &SyntaxError{t.line, t.col, fmt.Sprintf(format, args...)}
}

// words cannot be names.
var words = map[string]bool{"lock": true, "unlock": true, "trylock": true, "faa": true, "cas": true,
	"exists": true, "forall": true}

// signs are tried in this order, so that the longer ones come first.
var signs = []string{"!=", `/\`, `\/`, "=", "+", "-", "~", "(", ")", "[", "]", ";", "|", ":"}

// lex splits the text into lines of tokens. Every line ends in a tokenEnd.
func lex(text string) ([][]token, *SyntaxError) {
	var lines [][]token
	for i, l := range strings.Split(text, "\n") {
		ts, err := lexLine(l, i+1)
		if err != nil {
			return nil, err
		}
		lines = append(lines, ts)
	}
	return lines, nil
}

func lexLine(l string, line int) ([]token, *SyntaxError) {
	var out []token
	col := 1
	for {
		blank := strings.TrimLeft(l, " \t\r")
		col += len(l) - len(blank)
		l = blank
		t := token{line: line, col: col}
		if l == "" || l[0] == '#' {
			return append(out, t), nil
		}
		switch {
		case isDigit(l[0]):
			t.kind, t.text = tokenNumber, prefix(l, isDigit)
		case isLetter(l[0]):
			t.text = prefix(l, func(c byte) bool { return isLetter(c) || isDigit(c) })
			t.kind = kindOfName(t.text)
		default:
			t.kind, t.text = tokenSign, sign(l)
			if t.text == "" {
				return nil, strange(t, l)
			}
		}
		out = append(out, t)
		col += len(t.text) // all of it is ASCII
		l = l[len(t.text):]
	}
}

func kindOfName(s string) tokenKind {
	switch {
	case words[s]:
		return tokenWord
	case len(s) > 1 && s[0] == 'r' && prefix(s[1:], isDigit) == s[1:]:
		return tokenRegister
	}
	return tokenName
}

func sign(l string) string {
	for _, s := range signs {
		if strings.HasPrefix(l, s) {
			return s
		}
	}
	return ""
}

// strange is the error for a character that begins nothing.
func strange(t token, l string) *SyntaxError {
	r, n := utf8.DecodeRuneInString(l)
	switch {
	case r == utf8.RuneError && n == 1:
		return t.errorf("the text is not UTF-8")
	case r == '&' || r == '∧':
		return t.errorf(`unexpected %q; "and" is written /\`, r)
	case r == '∨':
		return t.errorf(`unexpected %q; "or" is written \/`, r)
	case r == '!' || r == '¬':
		return t.errorf(`unexpected %q; "not" is written ~, and "not equal" !=`, r)
	case r == '{' || r == '}':
		return t.errorf("unexpected %q; initial values have no braces", r)
	}
	return t.errorf("unexpected %q", r)
}

func prefix(s string, in func(byte) bool) string {
	for i := range len(s) {
		if !in(s[i]) {
			return s[:i]
		}
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
