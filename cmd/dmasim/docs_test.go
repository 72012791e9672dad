package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "paste what the command prints now into the documents")

// block is a command with what it prints, as the documents show it.
var block = regexp.MustCompile("(?m)^```\n\\$ go run ./cmd/dmasim (.*)\n((?:.*\n)*?)```$")

// writtenString is what ages in a document whenever a model changes.
var writtenString = regexp.MustCompile(`s1\.([0-9a-f]{4})\.([^.\s']+)\.([^.\s'@?#]+)([^\s'#]*)#[0-9a-f]{8}`)

// TestDocuments runs every command that a document shows and compares. A "..." line at
// the end, or at the beginning, of a block stands for what was left out.
func TestDocuments(t *testing.T) {
	if testing.Short() && !*rewrite {
		t.Skip("half a minute, and minutes under the race detector, which other tests of the command are for")
	}
	t.Chdir("../..")
	printed := map[string]string{} // by command: some are shown twice
	for _, name := range []string{"README.md", "docs/usage.md", "docs/findings-rfc-v2.md"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		blocks := 0
		now := block.ReplaceAllStringFunc(string(text), func(b string) string {
			blocks++
			m := block.FindStringSubmatch(b)
			cmd, body := m[1], m[2]
			if *rewrite {
				cmd = writtenString.ReplaceAllStringFunc(cmd, current)
			}
			if _, ok := printed[cmd]; !ok {
				var out, errs bytes.Buffer
				run(words(cmd), &out, &errs, false)
				printed[cmd] = out.String() + errs.String()
			}
			got := printed[cmd]
			head, tail := strings.HasSuffix(body, "\n...\n"), strings.HasPrefix(body, "...\n")
			lines := strings.SplitAfter(got, "\n")
			n := strings.Count(body, "\n") - 1
			switch {
			case head && n < len(lines):
				got = strings.Join(lines[:n], "") + "...\n"
			case tail && n < len(lines):
				got = "...\n" + strings.Join(lines[from(lines, body):], "")
			}
			if !*rewrite {
				require.Equal(t, ageless(body), ageless(got), "%s: dmasim %s\ngo test ./cmd/dmasim -run Documents -rewrite makes it so", name, cmd)
			}
			if ageless(body) == ageless(got) {
				got = body // with the times that it has
			}
			return "```\n$ go run ./cmd/dmasim " + cmd + "\n" + got + "```"
		})
		require.NotZero(t, blocks, name)
		if *rewrite {
			require.NoError(t, os.WriteFile(name, []byte(now), 0o644))
		}
	}
}

// from is where a block goes on after its "...": at the line that alone begins with the word that the
// block's next line has, so that a table that has grown is not cut at its top; or else as many lines from
// the end as the block has.
func from(lines []string, body string) int {
	word := func(line string) string {
		first, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
		return first
	}
	shown := strings.SplitAfter(body, "\n")[1:]
	var at []int
	for i, line := range lines {
		if word(line) == word(shown[0]) {
			at = append(at, i)
		}
	}
	if len(at) == 1 {
		return at[0]
	}
	return len(lines) - len(shown)
}

// ageless takes out what differs from run to run.
func ageless(s string) string {
	s = regexp.MustCompile(`\d+\.\d+s`).ReplaceAllString(s, "N.Ns")
	return regexp.MustCompile(`"seconds":[0-9.e-]+`).ReplaceAllString(s, `"seconds":N`)
}

// words splits a command as a shell does with single quotes.
func words(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// current is the string of today's run for the case of an old one. A fingerprint of
// 0000 is meant to be wrong.
func current(old string) string {
	m := writtenString.FindStringSubmatch(old)
	var out bytes.Buffer
	args := []string{"check", m[2], "--design", strings.Split(m[3], "+")[0]}
	if fixes := strings.Split(m[3], "+")[1:]; len(fixes) > 0 {
		args = append(args, "--fix", strings.Join(fixes, ","))
	}
	run(args, &out, &out, false)
	s := writtenString.FindString(out.String())
	if m[1] == "0000" && s != "" {
		s = "s1.0000" + s[len("s1.0000"):]
	}
	return s
}
