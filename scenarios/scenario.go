package scenarios

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/token"
)

// Scenario is a named race, or the absence of one: a small program on the whole
// path, what it checks, and what is expected of each design.
type Scenario struct {
	// Name is what it is called on the command line and in replay strings.
	Name string
	// Story tells in one paragraph, in kernel terms, who does what.
	Story string
	// Params are what can be varied.
	Params []Param
	// Quick and Full are the coverages that a pass promises at the two levels.
	Quick, Full explore.Coverage
	// FullOf has the full level of designs that have too many interleavings for Full, by name.
	FullOf map[string]explore.Coverage
	// Defects lists, by name of the design, what is wrong with it that this
	// scenario shows. A design that is not a key passes.
	Defects map[string][]Defect
	// Unfenced says that no fence of a design is published, so that what is wrong with them
	// does not show.
	Unfenced bool

	body     func(c Case) func(*sim.Task)
	workload *Workload // if it is one, see Drawn
}

// Param is something about a scenario that can be varied.
type Param struct {
	Name    string
	Doc     string
	Default int
	// Min and Max bound the value.
	Min, Max int
	// Size is set if a smaller value makes a smaller program of the same kind: fewer
	// operations or tasks. A failure is looked for in smaller programs before it is shown.
	Size bool
}

// Defect is a flaw that a scenario shows in a design, as long as its repair is off.
type Defect struct {
	Kind sim.Kind
	// Fix is the repair that removes it, 0 if there is none.
	Fix token.Fix
}

// Case is one scenario with one design: what is explored.
type Case struct {
	Scenario *Scenario
	Design   *Design
	// Fixes are the repairs that are on, beyond those of the design.
	Fixes token.Fix
	// Params has a value for each of the scenario's parameters.
	Params map[string]int
	// Without names the detectors that are off, see kernel.Detectors. They change what is
	// said of a run, and not the run.
	Without []string
	// Real, if not nil, is what the program runs on instead of the model's memory alone.
	Real Backend
}

// Backend makes a program run on something real, as realhw.Backend does.
type Backend interface {
	Program(body func(*sim.Task)) func(*sim.Task)
	// Replayable tells whether a run is all in its schedule.
	Replayable() bool
}

// Design is a way to handle the mapping's references, by name.
type Design struct {
	// Name is what it is called on the command line and in replay strings.
	Name string
	Doc  string
	// Base is the name under which scenarios list its defects.
	Base string
	// Fixes are the repairs that are on in it; Repairable tells whether others can
	// be turned on.
	Fixes      token.Fix
	Repairable bool
	// Rules lists what is wrong with its fences in whatever scenario publishes one.
	Rules []Defect

	maker token.Design
	// tokenSite is where its token is allocated, for fault injection.
	tokenSite string
	// mapSites are those of its allocations that go with a map, beside that of the map.
	mapSites []string
}

// Maker is the design as the layers know it; its repairs are turned on in the machine.
func (d *Design) Maker() token.Design { return d.maker }

// All lists the scenarios in the order of the documentation.
func All() []*Scenario { return append([]*Scenario(nil), all...) }

// Designs lists the designs in the order of the documentation.
func Designs() []*Design { return append([]*Design(nil), designs...) }

// Expected tells what is expected of the case: nil kinds for a pass, otherwise the
// kinds of which the first failure is to be one.
func (c Case) Expected() []sim.Kind {
	kinds := c.left(c.Scenario.Defects[c.Design.Base])
	if len(kinds) == 0 { // what breaks a rule is told where nothing is worse
		kinds = c.rules()
	}
	return kinds
}

// rules are the kinds of what is wrong with the design's fences.
func (c Case) rules() []sim.Kind {
	if c.Scenario.Unfenced || slices.Contains(c.Without, "fence-rules") {
		return nil
	}
	return c.left(c.Design.Rules)
}

// left lists the kinds of those defects that are not repaired.
func (c Case) left(ds []Defect) (kinds []sim.Kind) {
	on := c.Fixes | c.Design.Fixes
	for _, d := range ds {
		if d.Fix == 0 || !on.Has(d.Fix) {
			kinds = append(kinds, d.Kind)
		}
	}
	return kinds
}

// Repairs lists the repairs, each by itself, of what shows as the kind; none for a kind that is
// not expected.
func (c Case) Repairs(kind sim.Kind) (fixes []token.Fix) {
	on := c.Fixes | c.Design.Fixes
	for _, d := range slices.Concat(c.Scenario.Defects[c.Design.Base], c.Design.Rules) {
		if d.Kind == kind && (d.Fix == 0 || !on.Has(d.Fix)) {
			fixes = append(fixes, d.Fix)
		}
	}
	return fixes
}

// Program is the program of the case, for sim/explore.
func (c Case) Program() func(*sim.Task) {
	if c.Real != nil {
		return c.Real.Program(c.Scenario.body(c))
	}
	return c.Scenario.body(c)
}
