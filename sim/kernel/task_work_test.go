package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var taskWorkCases = cases{
	{"C-TW-01", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			target := k.Go("target", func(k *Task) { k.Step(opStep) })
			added := true
			k.Go("adder", func(k *Task) { added = k.TaskWorkAdd(target, func(*Task) {}) })
			k.Explore()
			say("%v", added)
		})
		require.Equal(t, set("true", "false"), out)
	}},
	{"C-TW-02", func(t *testing.T) {
		always(t, func(k *Task) {
			ran := ""
			target := k.Go("target", (*Task).WaitTaskWork)
			k.Interrupt("adder", func(k *Task) {
				if !k.TaskWorkAdd(target, func(k *Task) { ran = k.Name }) {
					k.BUG("the target is waiting, not exiting")
				}
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			require.Equal(t, "target", ran)
		})
	}},
	{"C-TW-03", func(t *testing.T) {
		passes(t, func(k *Task) {
			order := ""
			target := k.Go("target", (*Task).WaitTaskWork)
			for _, s := range []string{"a", "b", "c"} {
				k.TaskWorkAdd(target, func(k *Task) {
					order += s
					k.Step(opStep) // it may sleep
				})
			}
			k.Explore()
			require.Equal(t, "cba", order)
		})
	}},
}

// Work that was added is run, at the latest when the task exits.
func TestTaskWorkRunsAtExit(t *testing.T) {
	passes(t, func(k *Task) {
		ran := false
		target := k.Go("target", func(k *Task) { k.Step(opStep) })
		require.True(t, k.TaskWorkAdd(target, func(*Task) { ran = true }))
		k.Explore()
		require.True(t, ran)
	})
}
