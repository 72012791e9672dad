package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	ruler       = regexp.MustCompile(`^ +-{4,}`)
	preemptions = regexp.MustCompile(`^(\d+) preemptions?, `)
)

// TestFindingsAreSmall holds what is drawn of the findings to what somebody reads: the diagrams have at
// most 25 lines in the median, and no run more than three preemptions.
func TestFindingsAreSmall(t *testing.T) {
	text, err := os.ReadFile("../../docs/findings-rfc-v2.md")
	require.NoError(t, err)
	var drawn []int
	for _, b := range block.FindAllStringSubmatch(string(text), -1) {
		lines, from := 0, -1
		for _, l := range strings.Split(b[2], "\n") {
			if ruler.MatchString(l) {
				from = lines
			} else if m := preemptions.FindStringSubmatch(l); m != nil && from >= 0 {
				n, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				require.LessOrEqual(t, n, 3, b[1])
				drawn = append(drawn, lines-from)
				break
			}
			if strings.TrimSpace(l) != "" && !ruler.MatchString(l) {
				lines++
			}
		}
	}
	require.Greater(t, len(drawn), 20)
	slices.Sort(drawn)
	t.Logf("%d diagrams of %d to %d lines, %d in the median", len(drawn), drawn[0], drawn[len(drawn)-1], drawn[len(drawn)/2])
	require.LessOrEqual(t, drawn[len(drawn)/2], 25)
}
