package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func work(fn func(*Task)) *TaskWork { return &TaskWork{Func: fn} }

var _ = conform(cases{
	{"C-TW-01", func(t *testing.T) {
		gives(t, set("0 ran", "-ESRCH"), func(k *Task, say func(string, ...any)) {
			target := k.Go("target", func(k *Task) { k.Step(opStep) })
			k.Go("adder", func(k *Task) {
				ran := false
				say("%v", k.TaskWorkAdd(target, work(func(*Task) { ran = true }), TWA_RESUME))
				k.Join(target.Task)
				if ran {
					say("ran")
				}
			})
			k.Explore()
		})
	}},
	{"C-TW-02", func(t *testing.T) {
		always(t, func(k *Task) {
			ran := ""
			target := k.Go("target", (*Task).WaitTaskWork)
			k.Interrupt("adder", func(k *Task) {
				if k.TaskWorkAdd(target, work(func(k *Task) { ran = k.Name }), TWA_SIGNAL) != OK {
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
				k.TaskWorkAdd(target, work(func(k *Task) {
					order += s
					k.Step(opStep) // it may sleep
				}), TWA_SIGNAL)
			}
			k.Explore()
			require.Equal(t, "cba", order)
		})
	}},
})

// Work that was added is run, at the latest when the task exits.
func TestTaskWorkRunsAtExit(t *testing.T) {
	passes(t, func(k *Task) {
		ran := false
		target := k.Go("target", func(k *Task) { k.Step(opStep) })
		require.Equal(t, OK, k.TaskWorkAdd(target, work(func(*Task) { ran = true }), TWA_NONE))
		k.Explore()
		require.True(t, ran)
	})
}

// Work that work adds at the exit runs, too: only when there is none is it too late.
func TestTaskWorkAddedAtExit(t *testing.T) {
	passes(t, func(k *Task) {
		ran := 0
		target := k.Go("target", func(k *Task) { k.Step(opStep) })
		require.Equal(t, OK, k.TaskWorkAdd(target, work(func(k *Task) {
			ran++
			require.Equal(t, OK, k.TaskWorkAdd(k, work(func(*Task) { ran++ }), TWA_NONE))
		}), TWA_NONE))
		k.Explore()
		require.Equal(t, 2, ran)
	})
}

// Which work runs on the way back to user mode, and which waits for the exit, depends on how
// it was announced. Work that work adds runs in the same return, and so does work that was
// not announced once other work runs.
func TestReturnToUser(t *testing.T) {
	for _, c := range []struct {
		name string
		add  func(k, self *Task, add func(string, TaskWorkMode) *TaskWork)
		want string
	}{
		{"none", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) { add("a", TWA_NONE) }, "user a "},
		{"resume", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) { add("a", TWA_RESUME) }, "a user "},
		{"signal", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) { add("a", TWA_SIGNAL) }, "a user "},
		{"signal without interrupt", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) { add("a", TWA_SIGNAL_NO_IPI) }, "a user "},
		{"both", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) {
			add("a", TWA_NONE)
			add("b", TWA_RESUME)
		}, "b a user "},
		{"added by work", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) {
			k.TaskWorkAdd(self, work(func(*Task) { add("b", TWA_NONE) }), TWA_RESUME)
		}, "b user "},
		{"cancelled", func(k, self *Task, add func(string, TaskWorkMode) *TaskWork) {
			w := add("a", TWA_RESUME)
			add("b", TWA_RESUME)
			require.True(t, k.TaskWorkCancel(self, w))
			require.False(t, k.TaskWorkCancel(self, w))
		}, "b user "},
	} {
		t.Run(c.name, func(t *testing.T) {
			passes(t, func(k *Task) {
				order := ""
				k.Go("task", func(k *Task) {
					c.add(k, k, func(s string, mode TaskWorkMode) *TaskWork {
						w := work(func(*Task) { order += s + " " })
						require.Equal(t, OK, k.TaskWorkAdd(k, w, mode))
						return w
					})
					k.ReturnToUser()
					order += "user "
				})
				k.Explore()
				require.Equal(t, c.want, order)
			})
		})
	}
}

// Cancelling races with running: one of them happens.
func TestTaskWorkCancel(t *testing.T) {
	gives(t, set("ran", "cancelled"), func(k *Task, say func(string, ...any)) {
		w := work(func(*Task) { say("ran") })
		target := k.Go("target", func(k *Task) { k.ReturnToUser() })
		k.TaskWorkAdd(target, w, TWA_RESUME)
		k.Go("canceller", func(k *Task) {
			if k.TaskWorkCancel(target, w) {
				say("cancelled")
			}
		})
		k.Explore()
	})
	fails(t, sim.Misuse, "queued already", func(k *Task) {
		w := work(func(*Task) {})
		target := k.Go("target", func(k *Task) { k.Step(opStep) })
		k.TaskWorkAdd(target, w, TWA_RESUME)
		k.TaskWorkAdd(target, w, TWA_RESUME)
	})
}

// Task work that comes as a signal ends an interruptible wait, which has to be begun again
// after it has run; other task work does not.
func TestTaskWorkEndsWaits(t *testing.T) {
	body := func(mode TaskWorkMode) func(k *Task, say func(string, ...any)) {
		return func(k *Task, say func(string, ...any)) {
			c := newCompletion(k)
			target := k.Go("target", func(k *Task) {
				for c.WaitInterruptible(k) == ERESTARTSYS {
					k.ReturnToUser()
				}
			})
			k.Go("adder", func(k *Task) { k.TaskWorkAdd(target, work(c.Complete), mode) })
			k.Explore()
		}
	}
	for _, mode := range []TaskWorkMode{TWA_SIGNAL, TWA_SIGNAL_NO_IPI} {
		gives(t, set(""), body(mode))
	}
	for _, mode := range []TaskWorkMode{TWA_NONE, TWA_RESUME} {
		gives(t, set(string(sim.LostWakeup)), body(mode))
	}
}

// What is pending when a task returns to user mode is delivered there.
func TestReturnToUserSeesSignals(t *testing.T) {
	gives(t, set("true", "false"), func(k *Task, say func(string, ...any)) {
		target := k.Go("target", func(k *Task) { say("%v", k.ReturnToUser()) })
		k.Go("killer", func(k *Task) { k.SendSignal(target, true) })
		k.Explore()
	})
}
