package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a text fit for one line: nothing in it moves the cursor.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "?")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
}

func width(s string) int { return utf8.RuneCountInString(s) }

// fit cuts s to n characters.
func fit(s string, n int) string {
	if width(s) <= n {
		return s
	}
	r := []rune(s)
	if n < 3 {
		return string(r[:max(n, 0)])
	}
	return string(r[:n-2]) + ".."
}

// pad fills s up to n characters.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-width(s)))
}

// wrap breaks s into lines of at most n characters, between words where it can.
// What does not fit in most lines is cut.
func wrap(s string, n, most int) []string {
	s = clean(s)
	n = max(n, 1)
	var lines []string
	for width(s) > n {
		if len(lines) == most-1 {
			return append(lines, fit(s, n))
		}
		head := []rune(s)[:n+1]
		cut := strings.LastIndexByte(string(head), ' ')
		if cut <= 0 {
			cut = len(string(head[:n]))
		}
		lines = append(lines, strings.TrimRight(s[:cut], " "))
		s = strings.TrimLeft(s[cut:], " ")
	}
	return append(lines, s)
}

// Wrap breaks a paragraph into lines of at most n characters.
func Wrap(s string, n int) []string { return wrap(strings.Join(strings.Fields(s), " "), n, 1<<20) }

// hang wraps s to the width of a report, with a prefix for the first line and one
// for the others, which is the longer one.
func hang(first, other, s string, most int) []string {
	lines := wrap(s, Width-width(other), most)
	for i := range lines {
		lead := other
		if i == 0 {
			lead = first
		}
		lines[i] = strings.TrimRight(lead+lines[i], " ")
	}
	return lines
}
