package scenarios

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// All words of which a workload's text is made are in the document for users.
func TestWorkloadIsInDocs(t *testing.T) {
	doc, err := os.ReadFile("../docs/usage.md")
	require.NoError(t, err)
	words := append([]string{"io=", "burst="}, Acts()...)
	for _, f := range workloadFields {
		word := f.name
		if _, flag := f.at(&Workload{}).(*bool); !flag {
			word += "="
		}
		words = append(words, word)
	}
	for _, w := range words {
		require.Regexp(t, "(?m)^\\|.*`"+w+"[`0-9]", string(doc), "%s is in no row of the table of fields", w)
	}
}
