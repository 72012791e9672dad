package workload

import (
	"fmt"
	"strconv"
	"strings"
)

// String prints a workload so that Parse reads it back.
func (w *Workload) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "workload buffers=%d size=%d file=%d\n", w.Buffers, w.Size, w.File)
	for i := range w.Ops {
		b.WriteString(w.Ops[i].String() + "\n")
	}
	return b.String()
}

// GoString is how a test prints it.
func (w *Workload) GoString() string { return "\n" + w.String() }

// String is the operation's line.
func (o *Op) String() string {
	words := []string{string(o.Kind)}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if o.Hold {
		add("hold")
	}
	if o.Async {
		add("async")
	}
	switch {
	case o.Kind == Register || o.Kind == Update:
		if o.Kind == Update {
			add("%d", o.Slot)
		}
		for _, r := range o.Regions {
			add("%s", r)
		}
	case o.Transfer():
		if o.Fixed() {
			add("slot=%d", o.Slot)
		}
		add("%s off=%d", o.Mem, o.Off)
		if o.To != File {
			add("to=%s", o.To)
		}
	case o.Kind == CPUWrite:
		add("%s fill=%d", o.Mem, o.Fill)
	case o.Kind == CPURead:
		add("%s", o.Mem)
	case o.Kind == Cancel:
		add("%d", o.Of)
	}
	return strings.Join(words, " ")
}

func (r Region) String() string {
	var s string
	switch r.View {
	case Empty:
		s = "-"
	case Null:
		s = fmt.Sprintf("null:%d", r.Len)
	default:
		s = fmt.Sprintf("%s%d%+d:%d", r.View, r.Buf, r.At, r.Len)
	}
	if r.Times != 0 {
		s += fmt.Sprintf("*%d", r.Times)
	}
	return s
}

// Parse reads a workload. Empty lines and those that begin with # do not count.
func Parse(text string) (*Workload, error) {
	var w *Workload
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		if w == nil {
			w, err = parseHead(line)
		} else {
			var o Op
			if o, err = w.parseOp(strings.Fields(line)); err == nil {
				w.Ops = append(w.Ops, o)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	if w == nil {
		return nil, fmt.Errorf("no workload: the first line is like %q", (&Workload{Buffers: 1, Size: 4096, File: 4096}).String())
	}
	return w, nil
}

// The sizes that are allowed, so that a slip of the pen does not fill a disk.
const (
	MaxBuffers = 64
	MaxSize    = 64 << 20
)

func parseHead(line string) (*Workload, error) {
	w := &Workload{}
	n, err := fmt.Sscanf(line, "workload buffers=%d size=%d file=%d", &w.Buffers, &w.Size, &w.File)
	switch {
	case n != 3 || err != nil:
		return nil, fmt.Errorf("want workload buffers=N size=BYTES file=BYTES")
	case w.Buffers < 1 || w.Buffers > MaxBuffers:
		return nil, fmt.Errorf("want 1 to %d buffers", MaxBuffers)
	case w.Size < 4096 || w.Size > MaxSize || w.Size%4096 != 0 || w.File < 4096 || w.File > MaxSize || w.File%4096 != 0:
		return nil, fmt.Errorf("want sizes that are multiples of 4096, at most %d", MaxSize)
	}
	return w, nil
}

func (w *Workload) parseOp(words []string) (o Op, err error) {
	o.Kind, words = Kind(words[0]), words[1:]
	for o.Request() && len(words) > 0 && (words[0] == "hold" || words[0] == "async") {
		o.Hold, o.Async = o.Hold || words[0] == "hold", o.Async || words[0] == "async"
		words = words[1:]
	}
	p := &parser{w: w, words: words}
	switch {
	case o.Kind == Register || o.Kind == Update:
		if o.Kind == Update {
			o.Slot = int(p.number(""))
		}
		for p.err == nil && len(p.words) > 0 {
			o.Regions = append(o.Regions, p.region(true))
		}
	case o.Transfer():
		if o.Fixed() {
			o.Slot = int(p.number("slot="))
		}
		o.Mem, o.Off = p.region(false), p.number("off=")
		if p.err == nil && len(p.words) > 0 {
			o.To = p.target()
		}
	case o.Kind == CPUWrite:
		o.Mem = p.region(false)
		n := p.number("fill=")
		if n < 0 || n > 255 {
			p.fail("want fill=0 to fill=255")
		}
		o.Fill = byte(n)
	case o.Kind == CPURead:
		o.Mem = p.region(false)
	case o.Kind == Cancel:
		o.Of = int(p.number(""))
	case o.Kind == Unregister, o.Kind == Nop, o.Kind == Wait:
	default:
		return o, fmt.Errorf("there is no operation %q", o.Kind)
	}
	if p.err == nil && len(p.words) > 0 {
		p.fail("%q is too much", strings.Join(p.words, " "))
	}
	return o, p.err
}

// parser takes words from the left and keeps the first error.
type parser struct {
	w     *Workload
	words []string
	err   error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) next(what string) string {
	if len(p.words) == 0 {
		p.fail("%s is missing", what)
		return ""
	}
	s := p.words[0]
	p.words = p.words[1:]
	return s
}

// number is a word with a prefix and a decimal number.
func (p *parser) number(prefix string) int64 {
	s := p.next(prefix + "NUMBER")
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		p.fail("want %sNUMBER, not %q", prefix, s)
	}
	return n
}

func (p *parser) target() Target {
	s, ok := strings.CutPrefix(p.next("to=TARGET"), "to=")
	t := Target(s)
	if !ok || t != Closed && t != ReadOnlyFile && t != ADmaBuf {
		p.fail("want to=closed, to=readonly or to=dma0")
	}
	return t
}

// region is a piece of memory; only a registration has empty slots and repeats.
func (p *parser) region(registration bool) (r Region) {
	word := p.next("memory")
	if p.err != nil {
		return r
	}
	s := word
	bad := func() Region { p.fail("%q is no memory like b0+512:4096", word); return r }
	if before, times, ok := strings.Cut(s, "*"); ok {
		n, err := strconv.Atoi(times)
		if err != nil || n < 1 || n > 1<<20 || !registration {
			return bad()
		}
		s, r.Times = before, n
	}
	if s == "-" && registration {
		r.View = Empty
		return r
	}
	if digits, ok := strings.CutPrefix(s, "null:"); ok && registration {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 {
			return bad()
		}
		r.View, r.Len = Null, n
		return r
	}
	for _, v := range []View{Plain, ReadOnly, DmaBuf} {
		if rest, ok := strings.CutPrefix(s, string(v)); ok {
			r.View, s = v, rest
			break
		}
	}
	if r.View == "" {
		return bad()
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	buf, err := strconv.Atoi(s[:digits])
	if err != nil || buf >= p.w.Buffers {
		p.fail("%q: there are %d buffers, from 0", word, p.w.Buffers)
		return r
	}
	r.Buf, s = buf, s[digits:]
	if s == "" {
		r.Len = p.w.Size
		return r
	}
	at, length, ok := strings.Cut(s, ":")
	var err2 error
	r.At, err = strconv.ParseInt(at, 10, 64)
	r.Len, err2 = strconv.ParseInt(length, 10, 64)
	if !ok || err != nil || err2 != nil || at[0] != '+' && at[0] != '-' || r.Len < 0 {
		return bad()
	}
	return r
}
