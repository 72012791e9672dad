package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer finds plain fields of shared structs.
var Analyzer = &analysis.Analyzer{
	Name: "plainfields",
	Doc:  "find mutable fields of shared structs that are neither kernel.Field nor kernel.Shared",
	Run:  run,
}

const (
	simPath    = "dmasim/sim"
	kernelPath = "dmasim/sim/kernel"
	directive  = "//dmasim:private"
)

// primitives are the types of package kernel that make a struct shared.
var primitives = map[string]bool{
	"Mem": true, "Mutex": true, "WWMutex": true, "Spinlock": true, "Refcount": true, "Kref": true,
	"PercpuRef": true, "RCU": true, "RCUHead": true, "Completion": true, "WaitQueue": true,
	"Work": true, "DelayedWork": true, "RCUWork": true, "TimerList": true, "Shared": true, "Field": true,
}

func run(pass *analysis.Pass) (any, error) {
	c := &search{pass: pass, plain: map[*types.Var]*plainField{}}
	for _, file := range pass.Files {
		ast.Inspect(file, c.declarations)
	}
	for _, file := range pass.Files {
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				c.function(fn)
			}
		}
	}
	c.report()
	return nil, nil
}

// plainField is a plain field of a shared struct.
type plainField struct {
	owner, name string
	why         string // the struct is shared
	pos         token.Pos
	writers     []string
}

type search struct {
	pass  *analysis.Pass
	plain map[*types.Var]*plainField
}

// declarations notes the plain fields of the shared structs.
func (c *search) declarations(n ast.Node) bool {
	decl, ok := n.(*ast.GenDecl)
	if !ok {
		return true
	}
	for _, spec := range decl.Specs {
		ts, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		st, ok := ts.Type.(*ast.StructType)
		if !ok {
			continue
		}
		s, ok := c.pass.TypesInfo.Defs[ts.Name].Type().Underlying().(*types.Struct)
		if !ok || hasObject(s) {
			continue
		}
		why := shared(s, nil)
		if why == "" || c.exempt(decl.Doc, ts.Doc, ts.Comment) {
			continue
		}
		for _, f := range st.Fields.List {
			if c.exempt(f.Doc, f.Comment) {
				continue
			}
			for _, name := range f.Names {
				if v, ok := c.pass.TypesInfo.Defs[name].(*types.Var); ok && !managed(v.Type()) {
					c.plain[v] = &plainField{owner: ts.Name.Name, name: name.Name, why: why, pos: name.Pos()}
				}
			}
		}
	}
	return true
}

// exempt tells whether one of the comments says that a field, or all of them, are private. It
// has to say why.
func (c *search) exempt(groups ...*ast.CommentGroup) bool {
	for _, g := range groups {
		if g == nil {
			continue
		}
		for _, line := range g.List {
			reason, ok := strings.CutPrefix(line.Text, directive)
			if !ok {
				continue
			}
			if strings.TrimSpace(reason) == "" {
				c.pass.Reportf(line.Pos(), "%s without a reason: say who else could change the field, and why nobody does", directive)
			}
			return true
		}
	}
	return false
}

// hasObject tells whether a struct is a primitive itself.
func hasObject(s *types.Struct) bool {
	for f := range s.Fields() {
		if isType(f.Type(), simPath, func(name string) bool { return name == "Object" }) {
			return true
		}
	}
	return false
}

// shared says what makes a struct shared, with what it contains by value; empty if nothing.
func shared(s *types.Struct, seen []*types.Struct) string {
	if slices.Contains(seen, s) {
		return ""
	}
	seen = append(seen, s)
	for f := range s.Fields() {
		t := elem(f.Type())
		if isType(t, kernelPath, func(name string) bool { return primitives[name] }) {
			return "kernel." + types.Unalias(t).(*types.Named).Obj().Name()
		}
		if in, ok := t.Underlying().(*types.Struct); ok && f.Embedded() {
			if why := shared(in, seen); why != "" {
				return why
			}
		}
	}
	return ""
}

// managed tells whether changes of a field of the type are not the field's own: it is a
// primitive, or contains some.
func managed(t types.Type) bool {
	t = elem(t)
	if isType(t, kernelPath, func(name string) bool { return primitives[name] }) || isType(t, simPath, func(string) bool { return true }) {
		return true
	}
	s, ok := t.Underlying().(*types.Struct)
	return ok && (hasObject(s) || shared(s, nil) != "")
}

// elem is the type of an array's elements, or the type itself.
func elem(t types.Type) types.Type {
	if a, ok := t.Underlying().(*types.Array); ok {
		return elem(a.Elem())
	}
	return t
}

func isType(t types.Type, path string, named func(string) bool) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == path && named(n.Obj().Name())
}

// function looks for changes.
func (c *search) function(fn *ast.FuncDecl) {
	name := fn.Name.Name
	for _, p := range []string{"init", "new", "setup"} {
		if rest, ok := strings.CutPrefix(strings.ToLower(name[:min(len(name), len(p))])+name[min(len(name), len(p)):], p); ok && (rest == "" || !lower(rest[0])) {
			return
		}
	}
	c.body(name, fn.Body)
}

func lower(b byte) bool { return 'a' <= b && b <= 'z' }

// body looks for changes in a function, or in a closure: what a closure gets from outside is
// not its own, since it may run later.
func (c *search) body(name string, body *ast.BlockStmt) {
	fresh := map[types.Object]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			c.body(name, n.Body)
			return false
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				c.change(name, l, fresh)
			}
			c.made(n, fresh)
		case *ast.DeclStmt:
			c.declared(n, fresh)
		case *ast.IncDecStmt:
			c.change(name, n.X, fresh)
		case *ast.CallExpr:
			if b, ok := c.builtin(n); ok && (b == "delete" || b == "clear") {
				c.change(name, n.Args[0], fresh)
			}
		}
		return true
	})
}

func (c *search) builtin(call *ast.CallExpr) (string, bool) {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok {
		return "", false
	}
	b, ok := c.pass.TypesInfo.Uses[id].(*types.Builtin)
	if !ok {
		return "", false
	}
	return b.Name(), true
}

// made notes the variables that are given a struct that was just made.
func (c *search) made(n *ast.AssignStmt, fresh map[types.Object]bool) {
	if n.Tok != token.DEFINE || len(n.Lhs) != len(n.Rhs) {
		return
	}
	for i, l := range n.Lhs {
		id, ok := l.(*ast.Ident)
		if ok && c.makes(n.Rhs[i]) {
			fresh[c.pass.TypesInfo.Defs[id]] = true
		}
	}
}

func (c *search) makes(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.CompositeLit:
		return true
	case *ast.UnaryExpr:
		return e.Op == token.AND && c.makes(e.X)
	case *ast.CallExpr:
		b, ok := c.builtin(e)
		return ok && b == "new"
	}
	return false
}

func (c *search) declared(n *ast.DeclStmt, fresh map[types.Object]bool) {
	d, ok := n.Decl.(*ast.GenDecl)
	if !ok || d.Tok != token.VAR {
		return
	}
	for _, s := range d.Specs {
		v := s.(*ast.ValueSpec)
		for i, id := range v.Names {
			o := c.pass.TypesInfo.Defs[id]
			if _, pointer := o.Type().Underlying().(*types.Pointer); len(v.Values) == 0 && !pointer || i < len(v.Values) && c.makes(v.Values[i]) {
				fresh[o] = true
			}
		}
	}
}

// change notes that the expression is changed: the field that it is, or is part of.
func (c *search) change(fn string, e ast.Expr, fresh map[types.Object]bool) {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.IndexExpr:
			e = x.X
			continue
		case *ast.SelectorExpr:
			sel := c.pass.TypesInfo.Selections[x]
			if sel == nil || sel.Kind() != types.FieldVal {
				return
			}
			if f := c.plain[sel.Obj().(*types.Var)]; f != nil {
				if !c.own(x.X, fresh) && !slices.Contains(f.writers, fn) {
					f.writers = append(f.writers, fn)
				}
				return
			}
			if _, pointer := c.pass.TypesInfo.TypeOf(x.X).Underlying().(*types.Pointer); pointer {
				return // what is changed is not part of this one
			}
			e = x.X
			continue
		}
		return
	}
}

// own tells whether the struct is one that the function has made.
func (c *search) own(e ast.Expr, fresh map[types.Object]bool) bool {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.SelectorExpr:
			if _, pointer := c.pass.TypesInfo.TypeOf(x).Underlying().(*types.Pointer); pointer {
				return false
			}
			e = x.X
			continue
		case *ast.StarExpr:
			e = x.X
			continue
		case *ast.Ident:
			return fresh[c.pass.TypesInfo.Uses[x]]
		}
		return false
	}
}

func (c *search) report() {
	var all []*plainField
	for _, f := range c.plain {
		if len(f.writers) > 0 {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *plainField) int { return int(a.pos - b.pos) })
	for _, f := range all {
		c.pass.Reportf(f.pos, "plain field %s of %s, which tasks share (it has a %s), is changed by %s: make it a kernel.Field or a kernel.Shared, or say why not: %s REASON",
			f.name, f.owner, f.why, strings.Join(f.writers, ", "), directive)
	}
}
