package litmus

import "strconv"

// maxDepth bounds the nesting of a proposition, so that no text can use up the
// stack.
const maxDepth = 200

func (p *parser) condition() *SyntaxError {
	c := &Condition{}
	switch {
	case p.skip("forall"):
		c.Quantifier = ForAll
	case p.skip("~"):
		c.Quantifier = NotExists
		if err := p.expect("exists"); err != nil {
			return err
		}
	default:
		p.next()
	}
	var err *SyntaxError
	if c.Proposition, err = p.or(); err != nil {
		return err
	}
	switch t := p.peek(); {
	case t.is("|"):
		return t.errorf(`unexpected "|"; "or" is written \/`)
	case t.kind != tokenEnd:
		return t.errorf("unexpected %s after the condition, which is the last thing in a program", t)
	}
	p.prog.Condition = c
	return nil
}

func (p *parser) or() (Proposition, *SyntaxError) {
	parts, err := p.list(`\/`, func() (Proposition, *SyntaxError) {
		parts, err := p.list(`/\`, p.not)
		if len(parts) == 1 {
			return parts[0], err
		}
		return And(parts), err
	})
	if len(parts) == 1 {
		return parts[0], err
	}
	return Or(parts), err
}

// list reads parts with the sign between them. It returns none with an error.
func (p *parser) list(sign string, part func() (Proposition, *SyntaxError)) ([]Proposition, *SyntaxError) {
	var out []Proposition
	for {
		q, err := part()
		if err != nil {
			return nil, err
		}
		out = append(out, q)
		if !p.skip(sign) {
			return out, nil
		}
	}
}

func (p *parser) not() (Proposition, *SyntaxError) {
	t := p.peek()
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, t.errorf("the condition is nested more than %d deep", maxDepth)
	}
	switch {
	case p.skip("~"):
		q, err := p.not()
		return Not{q}, err
	case p.skip("("):
		q, err := p.or()
		if err != nil {
			return nil, err
		}
		if end := p.peek(); end.is("|") {
			return nil, end.errorf(`unexpected "|"; "or" is written \/`)
		}
		return q, p.expect(")")
	}
	return p.atom()
}

func (p *parser) atom() (Proposition, *SyntaxError) {
	var a Atom
	var err *SyntaxError
	if a.Key, err = p.place(); err != nil {
		return nil, err
	}
	switch t := p.next(); {
	case t.is("="):
	case t.is("!="):
		a.Differs = true
	default:
		return nil, t.errorf("expected \"=\" or \"!=\", not %s", t)
	}
	a.Value, err = p.constant("a value is compared with a constant")
	return a, err
}

// place reads the name of a value of the final state, which the program must have:
// a slip in a name would make a condition that means nothing.
func (p *parser) place() (string, *SyntaxError) {
	t := p.next()
	switch {
	case t.is("["):
		x := p.next()
		if x.kind != tokenName {
			return "", x.errorf("expected the name of a variable, not %s", x)
		}
		if err := p.expect("]"); err != nil {
			return "", err
		}
		return p.variable(x)
	case t.kind == tokenName:
		return p.variable(t)
	case t.kind == tokenRegister:
		return "", t.errorf("the register of which task? That of task 0 is 0:%s", t.text)
	case t.kind == tokenNumber:
		return p.ofTask(t)
	}
	return "", t.errorf("unexpected %s; a condition has parts like x = 1 and 0:r0 = 1", t)
}

func (p *parser) variable(x token) (string, *SyntaxError) {
	u, ok := p.uses[x.text]
	switch {
	case !ok:
		return "", x.errorf("the program has no variable %s", x.text)
	case u.mutex:
		return "", x.errorf("%s is a mutex, by line %d, and has no value", x.text, u.line)
	}
	return x.text, nil
}

func (p *parser) ofTask(t token) (string, *SyntaxError) {
	if err := p.expect(":"); err != nil {
		return "", err
	}
	r := p.next()
	if r.kind != tokenRegister {
		return "", r.errorf("expected a register, not %s; a task owns nothing else", r)
	}
	reg, err := register(r)
	if err != nil {
		return "", err
	}
	task, bad := strconv.Atoi(t.text)
	if bad != nil || task >= len(p.prog.Tasks) {
		return "", t.errorf("there is no task %s; the last one is %d", t.text, len(p.prog.Tasks)-1)
	}
	for _, o := range p.prog.Tasks[task] {
		if o.assigns() && o.Register == reg {
			return registerKey(task, reg), nil
		}
	}
	return "", r.errorf("task %d assigns nothing to r%d", task, reg)
}
