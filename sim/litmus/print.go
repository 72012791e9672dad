package litmus

import (
	"fmt"
	"strconv"
	"strings"
)

// String prints the program in the form that Parse reads: Parse(p.String()) equals p.
func (p *Program) String() string {
	var b strings.Builder
	for i, in := range p.Initial {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s = %d;", in.Name, in.Value)
	}
	if len(p.Initial) > 0 {
		b.WriteByte('\n')
	}
	rows := 1 // a table without operations still says how many tasks there are
	widths := make([]int, len(p.Tasks))
	for i, ops := range p.Tasks {
		rows = max(rows, len(ops))
		for _, o := range ops {
			widths[i] = max(widths[i], len(o.String()))
		}
	}
	for r := range rows {
		line := ""
		for i, ops := range p.Tasks {
			if i > 0 {
				line += " | "
			}
			cell := ""
			if r < len(ops) {
				cell = ops[r].String()
			}
			line += cell + strings.Repeat(" ", widths[i]-len(cell))
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if p.Condition != nil {
		b.WriteString(p.Condition.String() + "\n")
	}
	return b.String()
}

func (o Op) String() string {
	s := ""
	if o.assigns() {
		s = fmt.Sprintf("r%d = ", o.Register)
	}
	switch o.Kind {
	case Write:
		return fmt.Sprintf("%s = %s", o.Name, o.Args[0])
	case Read:
		return s + o.Name
	case Compute:
		return s + o.Args[0].String()
	}
	s += o.Kind.String() + " " + o.Name
	for _, a := range o.Args {
		s += " " + a.String()
	}
	return s
}

// String is the word for the kind, as in the table where that has a word for it.
func (k OpKind) String() string {
	return [...]string{"write", "read", "compute", "faa", "cas", "lock", "unlock", "trylock"}[k]
}

func (s Sum) String() string {
	var b strings.Builder
	for i, t := range s {
		text := t.String()
		if i > 0 {
			sign := " + "
			if rest, minus := strings.CutPrefix(text, "-"); minus {
				sign, text = " - ", rest
			}
			b.WriteString(sign)
		}
		b.WriteString(text)
	}
	return b.String()
}

func (t Term) String() string {
	s := strconv.FormatInt(t.N, 10)
	if t.IsRegister {
		s = "r" + s
	}
	if t.Negated {
		s = "-" + s
	}
	return s
}

func (c *Condition) String() string {
	return c.Quantifier.String() + " (" + text(c.Proposition, 0) + ")"
}

// text prints a proposition, in parentheses if it binds less than what is around it,
// or as much: "a /\ (b /\ c)" has two levels.
func text(p Proposition, around int) string {
	var parts []Proposition
	level, sep := 0, ""
	switch p := p.(type) {
	case Or:
		parts, level, sep = p, 1, ` \/ `
	case And:
		parts, level, sep = p, 2, ` /\ `
	case Not:
		return "~" + text(p.Proposition, 2)
	case Atom:
		op := "="
		if p.Differs {
			op = "!="
		}
		return fmt.Sprintf("%s %s %d", p.Key, op, p.Value)
	}
	var texts []string
	for _, q := range parts {
		texts = append(texts, text(q, level))
	}
	out := strings.Join(texts, sep)
	if around >= level {
		out = "(" + out + ")"
	}
	return out
}
