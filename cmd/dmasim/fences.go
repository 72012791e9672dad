package main

import (
	"fmt"

	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/sim/report"
)

// fences prints what the signal of each fence of the machine's last run depended on.
func (a *app) fences(m *sim.Machine) error {
	all := dmabufsim.FenceStories(m)
	fmt.Fprintln(a.stdout)
	if len(all) == 0 {
		fmt.Fprintln(a.stdout, "no fence was published in this run")
		return nil
	}
	fmt.Fprintln(a.stdout, "the fences of this run, and what their signals depended on:")
	for i := range all {
		fmt.Fprintln(a.stdout)
		if err := a.fence(m, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) fence(m *sim.Machine, f *dmabufsim.FenceStory) error {
	root := &report.Node{Text: f.Name + ", published " + f.Published.String()}
	switch {
	case f.Signalled.Task == nil:
		root.Notes = []string{"never signalled"}
	case f.Cone == nil:
		root.Notes = []string{"signalled " + f.Signalled.String() + ", when nobody had asked for it"}
	default:
		k := m.Value.(*kernel.Kernel)
		links := f.Cone.Links()
		nodes := make([]*report.Node, len(links))
		for i, l := range links {
			n := &report.Node{Text: fmt.Sprintf("%s %s", k.Sort(l.Task), l.Task)}
			if l.How != "" {
				n.Text += ": " + l.How
			} else {
				n.Text += fmt.Sprintf(" signalled it at step %d", f.Signalled.Step)
			}
			for _, note := range l.Notes {
				n.Notes = append(n.Notes, note.Tell())
			}
			nodes[i] = n
			if l.By < 0 {
				root.From = append(root.From, n)
			} else {
				nodes[l.By].From = append(nodes[l.By].From, n)
			}
		}
	}
	return report.Tree(a.stdout, root)
}

// fencesJSON is the same for programs.
func fencesJSON(m *sim.Machine) []fenceJSON {
	out := []fenceJSON{}
	for _, f := range dmabufsim.FenceStories(m) {
		o := fenceJSON{Fence: f.Name, Published: placeOf(f.Published), Depends: []dependsOn{}}
		if f.Signalled.Task != nil {
			at := placeOf(f.Signalled)
			o.Signalled, o.Unasked = &at, f.Cone == nil
		}
		if f.Cone != nil {
			k := m.Value.(*kernel.Kernel)
			for _, l := range f.Cone.Links() {
				d := dependsOn{Task: l.Task.ID(), Name: l.Task.Name, Kind: k.Sort(l.Task), By: l.By, How: l.How, Notes: []noteJSON{}}
				for _, n := range l.Notes {
					d.Notes = append(d.Notes, noteJSON{n.Kind.String(), int(n.Step), n.Tell()})
				}
				o.Depends = append(o.Depends, d)
			}
		}
		out = append(out, o)
	}
	return out
}

func placeOf(p sim.Place) placeJSON { return placeJSON{p.Task.ID(), p.Task.Name, p.Step} }
