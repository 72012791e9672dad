package litmus

import "strconv"

// Parse reads a program. An error is a *SyntaxError.
func Parse(text string) (*Program, error) {
	lines, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{uses: map[string]use{}}
	if err := p.program(lines); err != nil {
		return nil, err
	}
	return &p.prog, nil
}

// parser goes over the tokens of a line, or of a condition. Its methods return the
// first error as a value; ts always ends in a tokenEnd, which nothing passes.
type parser struct {
	prog  Program
	uses  map[string]use
	ts    []token
	depth int // of a proposition
}

// use is what a name was first used for.
type use struct {
	mutex bool
	line  int
}

func (p *parser) peek() token { return p.ts[0] }

func (p *parser) next() token {
	t := p.ts[0]
	if t.kind != tokenEnd {
		p.ts = p.ts[1:]
	}
	return t
}

// skip passes the sign or word, if it is there.
func (p *parser) skip(text string) bool {
	if p.peek().is(text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(text string) *SyntaxError {
	if t := p.peek(); !p.skip(text) {
		return t.errorf("expected %q, not %s", text, t)
	}
	return nil
}

// program takes the result of every production as a *SyntaxError, so that a nil
// one does not become an error that is not nil.
func (p *parser) program(lines [][]token) error {
	end := token{line: 1, col: 1}
	for i, ts := range lines {
		if len(ts) == 1 {
			continue
		}
		p.ts = ts
		end = ts[len(ts)-1]
		var err *SyntaxError
		switch first := ts[0]; {
		case first.is("exists") || first.is("forall") || first.is("~"):
			if len(p.prog.Tasks) == 0 {
				return first.errorf("a condition stands below the rows, and there is none above it")
			}
			p.ts = join(lines[i:])
			if err = p.condition(); err != nil {
				return err
			}
			return nil
		case contains(ts, ";") && !contains(ts, "|"):
			err = p.initials()
		default:
			err = p.row()
		}
		if err != nil {
			return err
		}
	}
	if len(p.prog.Tasks) == 0 {
		return end.errorf("there is no row of operations")
	}
	return nil
}

func contains(ts []token, sign string) bool {
	for _, t := range ts {
		if t.is(sign) {
			return true
		}
	}
	return false
}

// join makes one line of many: in a condition the end of a line is a blank.
func join(lines [][]token) []token {
	var out []token
	var end token
	for _, ts := range lines {
		if n := len(ts) - 1; n > 0 {
			out = append(out, ts[:n]...)
			end = ts[n]
		}
	}
	return append(out, end)
}

func (p *parser) initials() *SyntaxError {
	if t := p.peek(); len(p.prog.Tasks) > 0 {
		return t.errorf("initial values stand above the rows; a row does not end in ';'")
	}
	for p.peek().kind != tokenEnd {
		t := p.next()
		switch {
		case t.kind == tokenRegister:
			return t.errorf("only variables have initial values; registers are 0 at first")
		case t.kind != tokenName:
			return t.errorf("unexpected %s; an initial value looks like x = 1;", t)
		}
		for _, i := range p.prog.Initial {
			if i.Name == t.text {
				return t.errorf("%s has an initial value already", t.text)
			}
		}
		if err := p.use(t, false); err != nil {
			return err
		}
		if err := p.expect("="); err != nil {
			return err
		}
		v, err := p.constant("an initial value is a constant")
		if err != nil {
			return err
		}
		if end := p.peek(); !p.skip(";") {
			return end.errorf("expected \";\", which ends an initial value, not %s", end)
		}
		p.prog.Initial = append(p.prog.Initial, Initial{t.text, v})
	}
	return nil
}

// use notes what a name is used for.
func (p *parser) use(t token, mutex bool) *SyntaxError {
	u, ok := p.uses[t.text]
	switch {
	case !ok:
		p.uses[t.text] = use{mutex, t.line}
	case u.mutex && !mutex:
		return t.errorf("%s is a mutex, by line %d, and cannot be a variable", t.text, u.line)
	case !u.mutex && mutex:
		return t.errorf("%s is a variable, by line %d, and cannot be a mutex", t.text, u.line)
	}
	return nil
}

func (p *parser) row() *SyntaxError {
	for task := 0; ; task++ {
		if task == len(p.prog.Tasks) {
			p.prog.Tasks = append(p.prog.Tasks, nil)
		}
		if t := p.peek(); t.kind != tokenEnd && !t.is("|") {
			o, err := p.operation()
			if err != nil {
				return err
			}
			p.prog.Tasks[task] = append(p.prog.Tasks[task], o)
		}
		switch t := p.next(); {
		case t.kind == tokenEnd:
			return nil
		case t.is("|"):
		case t.is(";"):
			return t.errorf("a row does not end in ';'; only initial values do")
		default:
			return t.errorf("unexpected %s after the operation", t)
		}
	}
}

func (p *parser) operation() (Op, *SyntaxError) {
	t := p.next()
	switch {
	case t.is("lock"):
		return p.onMutex(Lock, 0)
	case t.is("unlock"):
		return p.onMutex(Unlock, 0)
	case t.is("trylock"):
		return Op{}, t.errorf("trylock needs a register for its result: r0 = trylock m")
	case t.is("faa"), t.is("cas"):
		return Op{}, t.errorf("%s needs a register for the old value: r0 = %s x ...", t.text, t.text)
	case t.is("exists"), t.is("forall"), t.is("~"):
		return Op{}, t.errorf("a condition stands on a line of its own, below the rows")
	case t.kind == tokenNumber && p.peek().is(":"):
		return Op{}, t.errorf("the column says which task it is; leave %s: out", t.text)
	case t.kind == tokenRegister:
		return p.assignRegister(t)
	case t.kind == tokenName:
		return p.assignVariable(t)
	}
	return Op{}, t.errorf("unexpected %s; an operation looks like x = 1, r0 = x or lock m", t)
}

func (p *parser) assignVariable(x token) (Op, *SyntaxError) {
	if err := p.use(x, false); err != nil {
		return Op{}, err
	}
	if err := p.expect("="); err != nil {
		return Op{}, err
	}
	if t := p.peek(); t.is("faa") || t.is("cas") || t.is("trylock") {
		return Op{}, t.errorf("%s gives its result to a register: r0 = %s ...", t.text, t.text)
	}
	sum, err := p.sum()
	return Op{Kind: Write, Name: x.text, Args: []Sum{sum}}, err
}

func (p *parser) assignRegister(r token) (Op, *SyntaxError) {
	n, err := register(r)
	if err != nil {
		return Op{}, err
	}
	if err := p.expect("="); err != nil {
		return Op{}, err
	}
	t := p.peek()
	switch {
	case p.skip("trylock"):
		return p.onMutex(TryLock, n)
	case p.skip("faa"):
		return p.atomic(FetchAdd, n, "faa takes a variable and a value: r0 = faa x 1")
	case p.skip("cas"):
		return p.atomic(CompareAndSwap, n, "cas takes a variable, the old value and the new one: r0 = cas x 0 1")
	case t.is("lock"), t.is("unlock"):
		return Op{}, t.errorf("%s has no result; write %s m, or r0 = trylock m", t.text, t.text)
	case t.kind == tokenName:
		p.next()
		if more := p.peek(); more.is("+") || more.is("-") {
			return Op{}, more.errorf("r%d = %s is a read, and nothing else fits into one event; compute in a row below: r%d = r%d %s ...",
				n, t.text, n, n, more.text)
		}
		return Op{Kind: Read, Name: t.text, Register: n}, p.use(t, false)
	}
	sum, err := p.sum()
	return Op{Kind: Compute, Register: n, Args: []Sum{sum}}, err
}

func (p *parser) onMutex(kind OpKind, register int) (Op, *SyntaxError) {
	t := p.next()
	switch t.kind {
	case tokenName:
		return Op{Kind: kind, Name: t.text, Register: register}, p.use(t, true)
	case tokenRegister:
		return Op{}, t.errorf("%s is a register; a mutex needs another name", t.text)
	}
	return Op{}, t.errorf("expected the name of a mutex, not %s", t)
}

func (p *parser) atomic(kind OpKind, register int, form string) (Op, *SyntaxError) {
	t := p.next()
	if t.kind != tokenName {
		return Op{}, t.errorf("expected the name of a variable, not %s; %s", t, form)
	}
	if err := p.use(t, false); err != nil {
		return Op{}, err
	}
	o := Op{Kind: kind, Name: t.text, Register: register}
	for range kind - FetchAdd + 1 {
		v := p.peek()
		if v.kind != tokenNumber && v.kind != tokenRegister && !v.is("-") {
			return Op{}, v.errorf("expected a register or a constant, not %s; %s", v, form)
		}
		term, err := p.term(false)
		if err != nil {
			return Op{}, err
		}
		if term.Negated {
			return Op{}, v.errorf("a value is a register or a constant; compute -r%d in a row above", term.N)
		}
		o.Args = append(o.Args, Sum{term})
	}
	return o, nil
}

func (p *parser) sum() (Sum, *SyntaxError) {
	var s Sum
	negate := false
	for {
		t, err := p.term(negate)
		if err != nil {
			return nil, err
		}
		s = append(s, t)
		switch {
		case p.skip("+"):
			negate = false
		case p.skip("-"):
			negate = true
		default:
			return s, nil
		}
	}
}

func (p *parser) term(negate bool) (Term, *SyntaxError) {
	if p.skip("-") {
		negate = !negate
	}
	t := p.next()
	switch t.kind {
	case tokenNumber:
		n, err := number(t, negate)
		return Term{N: n}, err
	case tokenRegister:
		n, err := register(t)
		return Term{IsRegister: true, Negated: negate, N: int64(n)}, err
	case tokenName:
		return Term{}, t.errorf("%s is a variable, and to read it is an event of its own; read it into a register in a row above: r0 = %s", t.text, t.text)
	}
	return Term{}, t.errorf("expected a register or a constant, not %s", t)
}

// constant reads a constant; what says where it stands.
func (p *parser) constant(what string) (int64, *SyntaxError) {
	negate := p.skip("-")
	t := p.next()
	if t.kind != tokenNumber {
		return 0, t.errorf("%s, not %s", what, t)
	}
	return number(t, negate)
}

func number(t token, negate bool) (int64, *SyntaxError) {
	s := t.text
	if negate {
		s = "-" + s
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, t.errorf("%s does not fit into 64 bits", s)
	}
	return n, nil
}

// maxRegister keeps the numbers of registers small enough for every integer type.
const maxRegister = 1<<16 - 1

func register(t token) (int, *SyntaxError) {
	n, err := strconv.ParseUint(t.text[1:], 10, 64)
	if err != nil || n > maxRegister {
		return 0, t.errorf("registers are numbered up to %d", maxRegister)
	}
	return int(n), nil
}
