package report

import (
	"strings"

	"dmasim/sim"
)

const (
	margin = "  "
	gap    = 3 // between columns
	// narrow is the room for text below which labels do not get a column of their
	// own inside the lane.
	narrow = 24
)

// column is how a lane is drawn.
type column struct {
	lane
	header string
	label  int // width of the labels, with the space after them; 0 for none
	width  int
}

// table draws the diagram, without the blank lines around it.
func table(in Input) []string {
	es := fold(story(in.Found))
	if len(es) == 0 {
		return nil
	}
	ls, of := lanes(in.Found.Machine.Rows(), es)
	cols := measure(ls, of, es)
	var out []string
	line := func(cells []string) {
		b := margin
		for i, c := range cells {
			b += pad(c, cols[i].width+gap)
		}
		out = append(out, strings.TrimRight(b, " "))
	}
	cells := make([]string, len(cols))
	one := func(i int, text string) {
		clear(cells)
		cells[i] = text
		line(cells)
	}
	for i := range cols {
		cells[i] = cols[i].header
	}
	if len(cols) > 0 {
		line(cells)
		for i := range cols {
			cells[i] = strings.Repeat("-", width(cols[i].header))
		}
		line(cells)
	}
	now := make([]*sim.Task, len(cols))
	for i := range cols {
		now[i] = cols[i].owner
	}
	for _, e := range es {
		if e.task == nil {
			out = append(out, hang(margin, margin+margin, spanning(e), 3)...)
			continue
		}
		i := of[e.task]
		c := &cols[i]
		if c.many && now[i] != e.task {
			now[i] = e.task
			one(i, announce(e.task, c.width))
		}
		for _, l := range c.cell(e, len(cols)) {
			one(i, l)
		}
		if e.mark != "" {
			out = append(out[:len(out)-1], mark(out[len(out)-1], marked(e))...)
		}
	}
	return out
}

// spanning words an entry that belongs to no lane.
func spanning(e entry) string {
	s := e.text
	if e.folded > 0 {
		s = "... " + count(e.folded, "step")
	}
	if e.mark != "" {
		s += "  " + marked(e)
	}
	return s
}

func marked(e entry) string { return "<-- " + fit(clean(e.mark), 40) }

// mark puts a mark behind a line, over the empty cells that follow, or on a line
// of its own.
func mark(line, mark string) []string {
	if width(line)+2+width(mark) <= Width {
		return []string{line + "  " + mark}
	}
	return []string{line, strings.Repeat(" ", Width-width(mark)) + mark}
}

func title(t *sim.Task, n int) string {
	if t == nil {
		return fit("other tasks", n)
	}
	id := " (task " + t.ID() + ")"
	return fit(fit(clean(t.Name), max(4, n-width(id)))+id, n)
}

func announce(t *sim.Task, n int) string {
	id := " " + t.ID() + "]"
	return fit("["+fit(clean(t.Name), max(4, n-width(id)-1))+id, n)
}

// measure decides the widths of the columns: what they need if that fits, and
// otherwise as much as the widest can have when the others get no less.
func measure(ls []lane, of map[*sim.Task]int, es []entry) []column {
	cols := make([]column, len(ls))
	for i, l := range ls {
		cols[i] = column{lane: l, header: title(l.owner, Width)}
	}
	for _, e := range es {
		if e.task != nil && e.label != "" {
			c := &cols[of[e.task]]
			c.label = max(c.label, width(e.label)+2)
		}
	}
	need := make([]int, len(cols))
	for i := range cols {
		need[i] = width(cols[i].header)
	}
	for _, e := range es {
		if e.task == nil {
			continue
		}
		i := of[e.task]
		w := cols[i].label + width(e.text)
		if e.folded > 0 {
			w += width(spanning(e))
		}
		need[i] = max(need[i], w)
		if cols[i].many {
			need[i] = max(need[i], width(announce(e.task, Width)))
		}
	}
	room := Width - len(margin) - gap*max(0, len(cols)-1)
	share(need, room)
	for i := range cols {
		c := &cols[i]
		c.width = need[i]
		c.header = title(c.owner, c.width)
		if c.label > 0 && c.width-c.label < narrow && c.width < c.label+longest(es, of, i) {
			c.label = 0
		}
	}
	return cols
}

// longest is the length of the longest text in a lane.
func longest(es []entry, of map[*sim.Task]int, i int) int {
	n := 0
	for _, e := range es {
		if e.task != nil && of[e.task] == i {
			n = max(n, width(e.text))
		}
	}
	return n
}

// share cuts the greatest needs down to a common measure, so that the sum fits
// into room.
func share(need []int, room int) {
	for {
		sum, top, second := 0, 0, 0
		for _, n := range need {
			sum += n
			if n > top {
				top, second = n, top
			} else if n < top {
				second = max(second, n)
			}
		}
		if sum <= room || top <= 1 {
			return
		}
		n := 0
		for _, v := range need {
			if v == top {
				n++
			}
		}
		// Down to the second greatest at most, then look again.
		down := min(top-second, (sum-room+n-1)/n)
		for i := range need {
			if need[i] == top {
				need[i] -= max(1, down)
			}
		}
	}
}

// cell is the lines of an entry within its column.
func (c *column) cell(e entry, lanes int) []string {
	if e.folded > 0 {
		return []string{strings.Repeat(" ", c.label) + fit(spanning(e), c.width-c.label)}
	}
	text, indent, lead := e.text, c.label, ""
	if c.label > 0 {
		lead = pad(e.label, c.label)
		if n := width(text); e.label == "" && n <= c.width && n+c.label > c.width {
			lead = lead[:c.width-n] // out of line, but on one
		}
	} else {
		indent = min(2, c.width-1)
		if e.label != "" {
			text = strings.TrimSpace(e.label + " " + text)
		}
	}
	deep := 3
	if lanes <= 2 {
		deep = 6
	}
	lines := []string{text}
	if width(lead+text) > c.width {
		lines = wrap(text, max(1, c.width-indent), deep)
	}
	for i := range lines {
		if i == 0 {
			lines[i] = lead + lines[i]
		} else {
			lines[i] = strings.Repeat(" ", indent) + lines[i]
		}
	}
	return lines
}
