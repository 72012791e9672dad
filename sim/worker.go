package sim

import (
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
)

// worker is a coroutine that runs one task after another. Workers outlive runs:
// creating a coroutine costs more than a whole short run.
type worker struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	task  *Task
}

func newWorker() *worker {
	w := &worker{}
	w.next, w.stop = iter.Pull(func(yield func(struct{}) bool) {
		w.yield = yield
		for {
			w.run()
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return w
}

// run executes the task and takes every panic that leaves it. A panic of the
// model is a result of the run; the stack has to be saved here, since it is gone
// once the coroutine is left.
func (w *worker) run() {
	t := w.task
	defer func() {
		if r := recover(); r != nil {
			switch r := r.(type) {
			case unwind:
			case stray:
				if !t.m.dead {
					t.m.strayed(t.String(), t, r)
				}
			default:
				t.m.panicked(t, r, debug.Stack())
			}
		}
		t.done = true
	}()
	t.fn(t)
	t.flush()
}

func (m *Machine) panicked(t *Task, r any, stack []byte) {
	if m.dead {
		return
	}
	f := &Failure{Kind: Bug, Message: fmt.Sprintf("panic in the model: %v", r), Task: t}
	f.Detail = modelFrames(stack)
	m.fail(f)
}

// modelFrames keeps the function names between the panic and the worker, without
// addresses: a failure's text must be the same in every run.
func modelFrames(stack []byte) []string {
	var out []string
	lines := strings.Split(string(stack), "\n")
	start := 0
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			start = i + 2
		}
	}
	for i := start; i < len(lines) && len(out) < 12; i++ {
		l := lines[i]
		if strings.HasPrefix(l, "\t") || l == "" {
			continue
		}
		if strings.Contains(l, "sim.(*worker).run") {
			break
		}
		if j := strings.LastIndexByte(l, '('); j > 0 {
			l = l[:j]
		}
		out = append(out, "at "+l)
	}
	return out
}
