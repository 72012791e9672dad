package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/report"
	"dmasim/token"
)

func (a *app) list(args []string) (int, error) {
	fs := flags("list")
	asJSON := fs.Bool("json", false, "")
	rest, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	if len(rest) > 0 {
		return 0, fmt.Errorf("it takes no arguments, not %q", rest[0])
	}
	if *asJSON {
		return exitOK, a.listJSON()
	}
	a.listText()
	return exitOK, nil
}

func (a *app) listText() {
	w := a.stdout
	fmt.Fprintln(w, "scenarios:")
	for _, s := range scenarios.All() {
		fmt.Fprintf(w, "  %s\n", s.Name)
		for _, l := range report.Wrap(s.Story, 80) {
			fmt.Fprintf(w, "      %s\n", l)
		}
		for _, p := range s.Params {
			fmt.Fprintf(w, "      parameter %s: %s (%d to %d, by default %d)\n", p.Name, p.Doc, p.Min, p.Max, p.Default)
		}
		fmt.Fprintf(w, "      a pass promises: %s; with --full: %s\n", s.Quick, s.Full)
		for _, d := range scenarios.Designs() {
			if less, ok := s.FullOf[d.Base]; ok {
				fmt.Fprintf(w, "      with --full of %s: %s\n", d.Name, less)
			}
		}
		for _, d := range scenarios.Designs() {
			fmt.Fprintf(w, "      expected of %s: %s\n", d.Name, expectation(scenarios.Case{Scenario: s, Design: d}))
		}
	}
	section := func(title string, rows func(row func(name, doc string))) {
		fmt.Fprintf(w, "\n%s:\n", title)
		var cells [][]string
		rows(func(name, doc string) {
			for i, l := range report.Wrap(doc, 72) {
				if i > 0 {
					name = ""
				}
				cells = append(cells, []string{name, l})
			}
		})
		columns(w, "  ", cells)
	}
	section("designs", func(row func(name, doc string)) {
		for _, d := range scenarios.Designs() {
			row(d.Name, d.Doc)
		}
	})
	section("fixes", func(row func(name, doc string)) {
		for _, f := range token.Fixes() {
			row(f.Name, f.Doc+" ("+f.Steps+")")
		}
	})
	section("strategies", func(row func(name, doc string)) {
		for _, name := range scenarios.Strategies() {
			row(name, strategyDocs[name].doc)
		}
	})
	section("kinds of failure", func(row func(name, doc string)) {
		for _, k := range kinds {
			if !k.reserved {
				row(string(k.kind), k.doc)
			}
		}
	})
}

// expectation words what is expected of a case: "pass", "fail stale-dma".
func expectation(c scenarios.Case) string {
	want := c.Expected()
	if len(want) == 0 {
		return "pass"
	}
	return "fail " + join(want, " or ")
}

func expectedVerdict(c scenarios.Case) string {
	if len(c.Expected()) == 0 {
		return "pass"
	}
	return "fail"
}

func join(ks []sim.Kind, sep string) string {
	var words []string
	for _, k := range ks {
		words = append(words, string(k))
	}
	return strings.Join(words, sep)
}

type paramJSON struct {
	Name    string `json:"name"`
	Doc     string `json:"doc"`
	Default int    `json:"default"`
	Min     int    `json:"min"`
	Max     int    `json:"max"`
	Size    bool   `json:"size"`
}

type scenarioJSON struct {
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Story  string      `json:"story"`
	Params []paramJSON `json:"params"`
	Quick  string      `json:"quick"`
	Full   string      `json:"full"`
	// FullOf has the designs of which --full promises less.
	FullOf map[string]string `json:"full_of,omitempty"`
	// Expected has "pass" or "fail" for each design, and Kinds the kinds of the
	// failure where one is expected.
	Expected map[string]string     `json:"expected"`
	Kinds    map[string][]sim.Kind `json:"kinds"`
}

type designJSON struct {
	Type       string   `json:"type"`
	Name       string   `json:"name"`
	Doc        string   `json:"doc"`
	Fixes      []string `json:"fixes"`
	Repairable bool     `json:"repairable"`
}

type fixJSON struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Steps string `json:"steps"`
	Doc   string `json:"doc"`
}

type strategyJSON struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Doc     string `json:"doc"`
	Sampler bool   `json:"sampler"`
}

func (a *app) listJSON() error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for _, s := range scenarios.All() {
		o := scenarioJSON{Type: "scenario", Name: s.Name, Story: s.Story, Params: []paramJSON{},
			Quick: s.Quick.String(), Full: s.Full.String(),
			FullOf: map[string]string{}, Expected: map[string]string{}, Kinds: map[string][]sim.Kind{}}
		for _, p := range s.Params {
			o.Params = append(o.Params, paramJSON(p))
		}
		for _, d := range scenarios.Designs() {
			c := scenarios.Case{Scenario: s, Design: d}
			if less, ok := s.FullOf[d.Base]; ok {
				o.FullOf[d.Name] = less.String()
			}
			o.Expected[d.Name] = expectedVerdict(c)
			if want := c.Expected(); len(want) > 0 {
				o.Kinds[d.Name] = want
			}
		}
		if err := enc.Encode(o); err != nil {
			return err
		}
	}
	for _, d := range scenarios.Designs() {
		if err := enc.Encode(designJSON{"design", d.Name, d.Doc, d.Fixes.Names(), d.Repairable}); err != nil {
			return err
		}
	}
	for _, f := range token.Fixes() {
		if err := enc.Encode(fixJSON{"fix", f.Name, f.Steps, f.Doc}); err != nil {
			return err
		}
	}
	for _, name := range scenarios.Strategies() {
		i := strategyDocs[name]
		if err := enc.Encode(strategyJSON{"strategy", name, i.doc, i.sampler}); err != nil {
			return err
		}
	}
	return nil
}
