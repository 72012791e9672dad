package report

import "dmasim/sim"

// fold shortens a story until it is comfortable to read: first in the middle of
// long stretches of one task, and if that is not enough, in the middle of the
// whole.
func fold(es []entry) []entry {
	if len(es) <= comfortable {
		return es
	}
	out := es
	for _, near := range []int{6, 4} {
		out = foldStretches(es, func(int) (int, int) { return near, near })
		if len(out) <= comfortable {
			return out
		}
	}
	out = foldStretches(es, graded)
	if len(out) <= most {
		return out
	}
	head := most / 3
	tail := len(out) - (most - head - 1)
	gone := 0
	for _, e := range out[head:tail] {
		gone += max(1, e.folded)
	}
	short := append([]entry(nil), out[:head]...)
	short = append(short, entry{folded: gone})
	return append(short, out[tail:]...)
}

// graded keeps much of the stretches that lead to the failure, which tell what was
// broken, who broke it and what came of that, and little of what was before. What
// a task did last before another one came in says more than what it did first.
func graded(fromEnd int) (head, tail int) {
	switch {
	case fromEnd < 3:
		return 3, 3
	case fromEnd == 3:
		return 1, 2
	}
	return 1, 0
}

// foldStretches folds the middle of the stretches of one task. edges tells how many
// entries to keep at the beginning and the end of a stretch, by its distance from
// the last one. What is near to the failure is kept, too.
func foldStretches(es []entry, edges func(fromEnd int) (head, tail int)) []entry {
	const near = 3
	var starts []int
	for i := 0; i < len(es); i = stretch(es, i) {
		starts = append(starts, i)
	}
	keep := make([]bool, len(es))
	for n, from := range starts {
		head, tail := edges(len(starts) - 1 - n)
		to := stretch(es, from)
		for i := from; i < to; i++ {
			if i-from < head || to-1-i < tail || es[i].key {
				keep[i] = true
			}
			if es[i].mark != "" {
				for j := max(0, i-near); j < min(len(es), i+near+1); j++ {
					keep[j] = true
				}
			}
		}
	}
	var out []entry
	for i := 0; i < len(es); i++ {
		j := i
		for j < len(es) && !keep[j] && sameTask(es[i].task, es[j].task) {
			j++
		}
		if j-i >= 2 { // one is not worth a line that says so
			out = append(out, entry{task: es[i].task, folded: j - i})
			i = j - 1
			continue
		}
		out = append(out, es[i])
	}
	return out
}

// stretch returns the end of the entries of one task that begin at from.
func stretch(es []entry, from int) int {
	to := from + 1
	for to < len(es) && sameTask(es[to].task, es[from].task) {
		to++
	}
	return to
}

func sameTask(a, b *sim.Task) bool { return a != nil && a == b }
