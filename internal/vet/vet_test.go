package vet

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"
)

func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), Analyzer, "protocol")
}

// The rooms are as they ask users to be.
func TestRooms(t *testing.T) {
	if testing.Short() {
		t.Skip("loads the whole module")
	}
	found, err := Packages("../..", "./...")
	require.NoError(t, err)
	for _, f := range found {
		t.Error(f.In("../.."))
	}
}

func TestPackagesThatCannotBeLoaded(t *testing.T) {
	_, err := Packages("", "./no/such/directory")
	require.ErrorContains(t, err, "no/such/directory")
}
