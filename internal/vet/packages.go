package vet

import (
	"cmp"
	"fmt"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// Finding is something that was found.
type Finding struct {
	Pos     token.Position
	Message string
}

// Packages looks at the packages that the patterns name, as the go command understands them
// in the directory; empty is the current one. Findings are in order of their places. An error
// says which package cannot be loaded.
func Packages(dir string, patterns ...string) ([]Finding, error) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax | packages.NeedModule, Dir: dir}, patterns...)
	if err != nil {
		return nil, err
	}
	if len(pkgs) == 0 {
		return nil, fmt.Errorf("no package matches %s", strings.Join(patterns, " "))
	}
	for _, p := range pkgs {
		for _, e := range p.Errors {
			return nil, fmt.Errorf("package %s cannot be loaded: %w", p.PkgPath, e)
		}
	}
	g, err := checker.Analyze([]*analysis.Analyzer{Analyzer}, pkgs, nil)
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, root := range g.Roots {
		if root.Err != nil {
			return nil, root.Err
		}
		for _, d := range root.Diagnostics {
			out = append(out, Finding{root.Package.Fset.Position(d.Pos), d.Message})
		}
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Pos.Filename, b.Pos.Filename), cmp.Compare(a.Pos.Offset, b.Pos.Offset))
	})
	return out, nil
}

// In is the finding in a line, with its place as seen from the directory.
func (f Finding) In(dir string) string {
	name := f.Pos.Filename
	if rel, err := filepath.Rel(dir, name); err == nil {
		name = rel
	}
	return fmt.Sprintf("%s:%d:%d: %s", name, f.Pos.Line, f.Pos.Column, f.Message)
}
