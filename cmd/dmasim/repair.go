package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"dmasim/scenarios"
	"dmasim/sim/report"
	"dmasim/token"
)

// repair computes which repairs make scenarios pass on the design that takes some, and says which defect
// each of them removes.
func (a *app) repair(args []string) (int, error) {
	fs := flags("repair")
	full := fs.Bool("full", false, "")
	asJSON := fs.Bool("json", false, "")
	names, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	var all []*scenarios.Scenario
	for _, n := range names {
		s, err := scenarios.Find(n)
		if err != nil {
			return 0, err
		}
		all = append(all, s)
	}
	if len(names) == 0 {
		all = scenarios.All()
	}
	level := scenarios.Quick
	if *full {
		level = scenarios.Full
	}
	d, err := scenarios.FindDesign("rfc-v2")
	if err != nil {
		return 0, err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	remedies := make([]*scenarios.Remedy, len(all))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range all {
		g.Go(func() (err error) {
			remedies[i], err = s.Remedy(ctx, d, level)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		fmt.Fprintf(a.stderr, "dmasim repair: %v\n", err)
		return exitIncomplete, nil
	}
	if *asJSON {
		a.repairJSON(remedies)
	} else {
		a.repairText(remedies)
	}
	status := exitOK
	for _, r := range remedies {
		for _, v := range r.Without {
			if v != nil && v.Report.Found != nil {
				v.Report.Found.Machine.Close()
			}
		}
		if len(r.Sets) == 0 {
			status = exitDiffers
		}
	}
	return status, nil
}

// set names the repairs of a set.
func set(on token.Fix) string { return strings.Join(on.Names(), " + ") }

func (a *app) repairText(remedies []*scenarios.Remedy) {
	w := a.stdout
	var silent []string
	for _, r := range remedies {
		switch {
		case len(r.Sets) == 0:
			v := r.Without[[2]token.Fix{}]
			fmt.Fprintf(w, "%s: no set of repairs makes it pass\n", r.Scenario.Name)
			fmt.Fprintf(w, "  with all of them: %s\n", failed(v))
			continue
		case r.Sets[0] == 0:
			silent = append(silent, r.Scenario.Name)
			continue
		}
		for i, on := range r.Sets {
			if i == 0 {
				fmt.Fprintf(w, "%s: %s\n", r.Scenario.Name, set(on))
			} else {
				fmt.Fprintf(w, "  or %s\n", set(on))
			}
			for _, f := range token.Fixes() {
				if on.Has(f.Fix) {
					fmt.Fprintf(w, "  without %s (%s): %s\n", f.Name, f.Steps, f.Defect)
					fmt.Fprintf(w, "    %s\n", failed(r.Without[[2]token.Fix{on, f.Fix}]))
				}
			}
		}
	}
	if len(silent) > 0 {
		for i, l := range report.Wrap("needs no repair: "+strings.Join(silent, ", "), 96) {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", 2*min(i, 1)), l)
		}
	}
	if len(remedies) < 2 {
		return
	}
	for i, on := range scenarios.Together(remedies) {
		intro := "all of them:"
		if i > 0 {
			intro = "or:"
		}
		for j, l := range report.Wrap(fmt.Sprintf("%s %d repair(s): %s", intro, len(on.Names()), set(on)), 96) {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", 2*min(j, 1)), l)
		}
	}
}

// failed is a failure in a line.
func failed(v *scenarios.Verdict) string {
	f := v.Report.Found
	return fmt.Sprintf("%s '%s'", f.Failure.Kind, replayString(v.Shown, f))
}

// remedyJSON is a line of repair --json.
type remedyJSON struct {
	Scenario string        `json:"scenario"`
	Sets     [][]string    `json:"sets"`
	Without  []withoutJSON `json:"without"`
	Checks   int           `json:"checks"`
}

// withoutJSON is what goes wrong if one repair of a set is missing.
type withoutJSON struct {
	Set    []string `json:"set"`
	Fix    string   `json:"fix"`
	Defect string   `json:"defect"`
	Kind   string   `json:"kind"`
	Replay string   `json:"replay"`
}

func (a *app) repairJSON(remedies []*scenarios.Remedy) {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for _, r := range remedies {
		o := remedyJSON{Scenario: r.Scenario.Name, Sets: [][]string{}, Without: []withoutJSON{}, Checks: r.Checks}
		for _, on := range r.Sets {
			o.Sets = append(o.Sets, on.Names())
			for _, f := range token.Fixes() {
				if v := r.Without[[2]token.Fix{on, f.Fix}]; v != nil {
					found := v.Report.Found
					o.Without = append(o.Without, withoutJSON{on.Names(), f.Name, f.Defect,
						string(found.Failure.Kind), replayString(v.Shown, found)})
				}
			}
		}
		_ = enc.Encode(o) // the writer keeps the error
	}
}
