package scenarios

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"dmasim/token"
)

// Find returns the scenario of that name. "workload:" and the text of a [Workload] is one, too.
func Find(name string) (*Scenario, error) {
	if s, is, err := findDrawn(name); is {
		return s, err
	}
	var known []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return nil, unknown("scenario", name, known)
}

// FindDesign returns the design of that name.
func FindDesign(name string) (*Design, error) {
	var known []string
	for _, d := range designs {
		if d.Name == name {
			return d, nil
		}
		known = append(known, d.Name)
	}
	return nil, unknown("design", name, known)
}

// unknown words the error for a name that is not in the list.
func unknown(what, name string, known []string) error {
	return fmt.Errorf("there is no %s %q; %s", what, name, Nearest(name, known))
}

// NewCase returns the case with every parameter at its default.
func NewCase(s *Scenario, d *Design, fixes token.Fix) (Case, error) {
	if fixes != 0 && !d.Repairable {
		return Case{}, fmt.Errorf("design %q takes no fixes; %q does", d.Name, "rfc-v2")
	}
	c := Case{Scenario: s, Design: d, Fixes: fixes, Params: map[string]int{}}
	for _, p := range s.Params {
		c.Params[p.Name] = p.Default
	}
	return c, nil
}

// Names returns the program and the variant of the case, as in its replay strings:
// "read-then-move:reads=2" and "rfc-v2+publish-under-resv".
func (c Case) Names() (program, variant string) {
	program, variant = c.Scenario.Name, c.Design.Name
	sep := ":"
	for _, p := range c.Scenario.Params {
		if v := c.Params[p.Name]; v != p.Default {
			program += sep + p.Name + "=" + strconv.Itoa(v)
			sep = ","
		}
	}
	for _, f := range c.Fixes.Names() {
		variant += "+" + f
	}
	return program, variant
}

// ParseCase reads what Names returned.
func ParseCase(program, variant string) (Case, error) {
	name, params, some := strings.Cut(program, ":")
	if strings.HasPrefix(program, drawn) {
		name, some = program, false
	}
	s, err := Find(name)
	if err != nil {
		return Case{}, err
	}
	parts := strings.Split(variant, "+")
	d, err := FindDesign(parts[0])
	if err != nil {
		return Case{}, err
	}
	var on token.Fix
	for _, f := range parts[1:] {
		x, err := token.ParseFix(f)
		if err != nil {
			return Case{}, err
		}
		on |= x
	}
	c, err := NewCase(s, d, on)
	if err != nil {
		return Case{}, err
	}
	if some {
		for _, kv := range strings.Split(params, ",") {
			if err := c.Set(kv); err != nil {
				return Case{}, err
			}
		}
	}
	return c, nil
}

// Set changes a parameter, given as "name=value".
func (c Case) Set(kv string) error {
	name, val, _ := strings.Cut(kv, "=")
	for _, p := range c.Scenario.Params {
		if p.Name != name {
			continue
		}
		v, err := strconv.Atoi(val)
		if err != nil || v < p.Min || v > p.Max {
			return fmt.Errorf("scenario %q: parameter %q must be a number from %d to %d, not %q", c.Scenario.Name, name, p.Min, p.Max, val)
		}
		c.Params[name] = v
		return nil
	}
	var known []string
	for _, p := range c.Scenario.Params {
		known = append(known, p.Name)
	}
	return unknown("parameter", name, known)
}

// Nearest words a suggestion: the known names that are closest to the given one,
// or all of them if none is close.
func Nearest(name string, known []string) string {
	type scored struct {
		name string
		dist int
	}
	var near []scored
	for _, k := range known {
		d := distance(name, k)
		if strings.Contains(k, name) || strings.Contains(name, k) {
			d = min(d, 1)
		}
		if d <= max(2, len(k)/3) {
			near = append(near, scored{k, d})
		}
	}
	sort.SliceStable(near, func(i, j int) bool { return near[i].dist < near[j].dist })
	if len(known) == 0 {
		return "there are none"
	}
	if len(near) == 0 || name == "" {
		return "there are: " + strings.Join(known, ", ")
	}
	var names []string
	for _, n := range near {
		names = append(names, strconv.Quote(n.name))
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}

// distance is the number of single-character edits between a and b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
