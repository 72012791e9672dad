package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// waiting is a number of waiters, of whom as many as possible are let through.
func waiting(k *Task, c *Completion, waiters int, done *int) {
	for range waiters {
		k.Go("waiter", func(k *Task) { c.Wait(k); *done++ })
	}
}

func newCompletion(k *Task) *Completion {
	c := &Completion{}
	c.Init(k, nil, "c")
	return c
}

// quiet lets everything else run that can before fn does.
func quiet(k *Task, name string, after Jiffies, fn func(*Task)) {
	k.Go(name, func(k *Task) {
		k.Msleep(after)
		fn(k)
	})
}

var _ = conform(cases{
	{"C-COMP-01", func(t *testing.T) {
		passes(t, func(k *Task) {
			c := newCompletion(k)
			c.Complete(k)
			c.Wait(k)
			require.False(t, c.Ready(nil))
		})
		fails(t, sim.LostWakeup, "init waits for wait_for_completion c", func(k *Task) {
			c := newCompletion(k)
			c.Complete(k)
			c.Wait(k)
			c.Wait(k)
		})
	}},
	{"C-COMP-02", func(t *testing.T) {
		complete := func(times int) func(k *Task) {
			return func(k *Task) {
				c, done := newCompletion(k), 0
				waiting(k, c, 2, &done)
				k.Go("completer", func(k *Task) {
					for range times {
						c.Complete(k)
					}
				})
				k.Explore()
				require.Equal(t, 2, done)
			}
		}
		always(t, complete(2))
		sometimes(t, sim.LostWakeup, "waiter waits for wait_for_completion c", complete(1))

		// Three wait, one after the other, and then two are let through: the first two, in
		// whichever order they run then.
		gives(t, set("01 10 left 2", "10 01 left 2"), func(k *Task, say func(string, ...any)) {
			c := newCompletion(k)
			for i := range 3 {
				quiet(k, fmt.Sprint("waiter ", i), Jiffies(i+1), func(k *Task) {
					c.Wait(k)
					switch i {
					case 0:
						say("01")
					case 1:
						say("10")
					case 2:
						say("left 2")
					}
				})
			}
			quiet(k, "completer", 10, func(k *Task) { c.Complete(k); c.Complete(k) })
			quiet(k, "late completer", 20, c.Complete)
			k.Explore()
		})
		// A newcomer may take what a waiter was woken for, which is last in the queue then.
		gives(t, set("old new", "new old"), func(k *Task, say func(string, ...any)) {
			c := newCompletion(k)
			k.Go("old", func(k *Task) { c.Wait(k); say("old") })
			quiet(k, "completer", 1, func(k *Task) {
				c.Complete(k)
				c.Wait(k)
				say("new")
			})
			quiet(k, "late completer", 2, c.Complete)
			k.Explore()
		})
	}},
	{"C-COMP-03", func(t *testing.T) {
		always(t, func(k *Task) {
			c, done := newCompletion(k), 0
			waiting(k, c, 2, &done)
			k.Go("completer", c.CompleteAll)
			k.Explore()
			require.Equal(t, 2, done)
			require.True(t, c.Ready(nil), "sticky")
			c.Complete(k) // does not run over
			require.True(t, c.TryWait(k))
			require.True(t, c.Done(k))
			c.Reinit(k)
			require.False(t, c.Ready(nil))
		})
	}},
	{"C-COMP-04", func(t *testing.T) {
		// The time is over and then, before the waiter runs, it is done: or before that, or
		// afterwards.
		for _, wait := range []func(c *Completion, k *Task) Jiffies{
			func(c *Completion, k *Task) Jiffies { return c.WaitTimeout(k, 5) },
			func(c *Completion, k *Task) Jiffies {
				left, err := c.WaitInterruptibleTimeout(k, 5)
				require.Equal(t, OK, err)
				return left
			},
			func(c *Completion, k *Task) Jiffies { left, _ := c.WaitKillableTimeout(k, 5); return left },
		} {
			gives(t, set("0 done", "1", "5"), func(k *Task, say func(string, ...any)) {
				k.K.Race("wait_for_completion_timeout", "wait_for_completion_interruptible_timeout", "wait_for_completion_killable_timeout")
				c := newCompletion(k)
				k.Go("waiter", func(k *Task) { say("%d", wait(c, k)) })
				k.Go("completer", c.Complete)
				k.Explore()
				if c.TryWait(k) {
					say("done")
				}
			})
		}
		// A timeout of nothing.
		gives(t, set("0", "1"), func(k *Task, say func(string, ...any)) {
			c := newCompletion(k)
			k.Go("waiter", func(k *Task) { say("%d", c.WaitTimeout(k, 0)) })
			k.Go("completer", c.Complete)
			k.Explore()
		})
		// What does not race is not over before nothing else can go on.
		gives(t, set("7"), func(k *Task, say func(string, ...any)) {
			c := newCompletion(k)
			k.Go("waiter", func(k *Task) { say("%d", c.WaitTimeout(k, 10)) })
			quiet(k, "completer", 3, c.Complete)
			k.Explore()
		})
		gives(t, set("0 10"), func(k *Task, say func(string, ...any)) {
			c := newCompletion(k)
			k.Go("waiter", func(k *Task) { say("%d %d", c.WaitTimeout(k, 10), k.K.Jiffies(k)) })
			quiet(k, "completer", 11, c.Complete)
			k.Explore()
		})
	}},
	{"C-COMP-05", func(t *testing.T) {
		onStack := func(completer func(c *Completion, k *Task)) func(k *Task) {
			return func(k *Task) {
				o := newObject(k, 0)
				var c Completion
				c.Init(k, &o.Mem, "c")
				k.Go("waiter", func(k *Task) { c.Wait(k); k.Free(&o.Mem) })
				k.Go("completer", func(k *Task) { completer(&c, k) })
				k.Explore()
			}
		}
		always(t, onStack((*Completion).Complete))
		always(t, onStack((*Completion).CompleteAll))
		sometimes(t, UseAfterFree, "completer (task 2) uses object#1", onStack(func(c *Completion, k *Task) {
			c.Complete(k)
			c.Done(k)
		}))
		// After completion_done has said so, too.
		always(t, func(k *Task) {
			o := newObject(k, 0)
			var c Completion
			c.Init(k, &o.Mem, "c")
			k.Go("completer", c.Complete)
			k.Go("waiter", func(k *Task) {
				if !c.Done(k) {
					c.Wait(k)
				}
				k.Free(&o.Mem)
			})
			k.Explore()
		})
	}},
	{"C-COMP-06", func(t *testing.T) {
		stored := func(late bool) func(k *Task, say func(string, ...any)) {
			return func(k *Task, say func(string, ...any)) {
				c := newCompletion(k)
				var x Shared[int]
				x.Init(k, nil, "x", 0)
				k.Go("waiter", func(k *Task) { c.Wait(k); say("%d", x.Load(k)) })
				k.Go("completer", func(k *Task) {
					if !late {
						x.Store(k, 7)
					}
					c.Complete(k)
					if late {
						x.Store(k, 7)
					}
				})
				k.Explore()
			}
		}
		gives(t, set("7"), stored(false))
		gives(t, set("0", "7"), stored(true))
	}},
	{"C-COMP-07", func(t *testing.T) {
		again := func(wait func(k *Task), completer func(c *Completion, k *Task)) func(k *Task, say func(string, ...any)) {
			return func(k *Task, say func(string, ...any)) {
				c, done := newCompletion(k), 0
				waiting(k, c, 1, &done)
				k.Go("completer", func(k *Task) {
					if wait != nil {
						wait(k)
					}
					completer(c, k)
				})
				k.Explore()
				say("%d", done)
			}
		}
		once := func(c *Completion, k *Task) { c.CompleteAll(k); c.Reinit(k) }
		gives(t, set("1", string(sim.LostWakeup)), again(nil, once))
		// The waiter is there when it is completed, and the second time saves it; that it
		// went well is luck.
		twice := func(c *Completion, k *Task) { c.CompleteAll(k); c.Reinit(k); c.CompleteAll(k) }
		sleep := func(k *Task) { k.Msleep(1) }
		gives(t, set("1", string(sim.Warn)), again(sleep, twice))
		// Nothing is wrong where the waiter has left, and where it was complete that woke it
		// the next one makes up for it.
		gives(t, set("1"), again(sleep, func(c *Completion, k *Task) { c.CompleteAll(k); k.Msleep(1); c.Reinit(k) }))
		gives(t, set("1"), again(sleep, func(c *Completion, k *Task) { c.Complete(k); c.Reinit(k); c.Complete(k) }))
	}},
})

func TestCompletionReinitAfterFree(t *testing.T) {
	fails(t, UseAfterFree, "uses object#1", func(k *Task) {
		o := newObject(k, 0)
		var c Completion
		c.Init(k, &o.Mem, "c")
		k.Free(&o.Mem)
		c.Reinit(k)
	})
}

// The classic: whichever comes first, the completion or the wait, nothing is lost.
func TestCompletionBeforeOrAfterWait(t *testing.T) {
	gives(t, set("1"), func(k *Task, say func(string, ...any)) {
		c, done := newCompletion(k), 0
		waiting(k, c, 1, &done)
		k.Interrupt("irq", c.Complete)
		k.Explore()
		say("%d", done)
	})
}

func TestTryWaitForCompletion(t *testing.T) {
	always(t, func(k *Task) {
		c, taken := newCompletion(k), 0
		for range 2 {
			k.Interrupt("irq", func(k *Task) { // it may not sleep, and does not
				if c.TryWait(k) {
					taken++
				}
			})
		}
		k.Go("completer", c.Complete)
		k.Explore()
		if c.TryWait(k) {
			taken++
		}
		require.Equal(t, 1, taken)
		require.False(t, c.Done(k))
	})
}

// Something that is done decides, whether or not a signal is pending; and while nothing is,
// a signal ends the wait, if the state admits it.
func TestCompletionSignals(t *testing.T) {
	interruptible := func(c *Completion, k *Task) Errno { return c.WaitInterruptible(k) }
	killable := func(c *Completion, k *Task) Errno { return c.WaitKillable(k) }
	for _, c := range []struct {
		name        string
		wait        func(c *Completion, k *Task) Errno
		fatal, done bool
		want        map[string]bool
	}{
		{"done on entry", interruptible, false, true, set("0")},
		{"interruptible", interruptible, false, false, set("0", "-ERESTARTSYS left")},
		{"killable, signal", killable, false, false, set("0")},
		{"killable, fatal", killable, true, false, set("0", "-ERESTARTSYS left")},
		{"interruptible, timeout", func(c *Completion, k *Task) Errno { _, err := c.WaitInterruptibleTimeout(k, 5); return err }, false, false, set("0", "-ERESTARTSYS left")},
		{"killable, timeout", func(c *Completion, k *Task) Errno { _, err := c.WaitKillableTimeout(k, 5); return err }, true, false, set("0", "-ERESTARTSYS left")},
		{"uninterruptible", func(c *Completion, k *Task) Errno { c.Wait(k); return OK }, true, false, set("0")},
	} {
		t.Run(c.name, func(t *testing.T) {
			gives(t, c.want, func(k *Task, say func(string, ...any)) {
				x := newCompletion(k)
				if c.done {
					x.Complete(k)
				}
				target := k.Go("waiter", func(k *Task) {
					if c.done { // the signal is there first
						for !k.SignalPending() {
							k.Msleep(1)
						}
					}
					say("%v", c.wait(x, k))
				})
				k.Go("killer", func(k *Task) { k.SendSignal(target, c.fatal) })
				if !c.done {
					k.Go("completer", x.Complete)
				}
				k.Explore()
				if x.Ready(nil) {
					say("left")
				}
			})
		})
	}
}

// A waiter that a signal ends has not taken another's place: what was completed is there for
// the other.
func TestCompletionSignalSwallowsNothing(t *testing.T) {
	always(t, func(k *Task) {
		c, got := newCompletion(k), 0
		first := k.Go("first", func(k *Task) {
			if c.WaitInterruptible(k) == OK {
				got++
			}
		})
		k.Go("second", func(k *Task) { c.Wait(k); got++ })
		k.Go("killer", func(k *Task) { k.SendSignal(first, false) })
		quiet(k, "late completer", 1, func(k *Task) { // for whoever is left
			for range 2 {
				c.Complete(k)
			}
		})
		k.Explore()
		require.Positive(t, got)
	})
}

// A completion of which it is known that one task waits at a time gives the same with fewer
// operations.
func TestCompletionOneWaiter(t *testing.T) {
	body := func(one bool, wait func(c *Completion, k *Task) string, completer func(c *Completion, k *Task)) func(k *Task, say func(string, ...any)) {
		return func(k *Task, say func(string, ...any)) {
			k.K.Race("wait_for_completion_interruptible_timeout")
			c := newCompletion(k)
			c.OneWaiter = one
			target := k.Go("waiter", func(k *Task) { say("%s", wait(c, k)) })
			k.Go("completer", func(k *Task) { completer(c, k) })
			k.Go("killer", func(k *Task) { k.SendSignal(target, true) })
			k.Explore()
			say("%d", c.done)
		}
	}
	for _, wait := range []func(c *Completion, k *Task) string{
		func(c *Completion, k *Task) string { c.Wait(k); return "done" },
		func(c *Completion, k *Task) string { c.Wait(k); return c.WaitKillable(k).String() },
		func(c *Completion, k *Task) string {
			left, err := c.WaitInterruptibleTimeout(k, 5)
			return fmt.Sprint(left, err)
		},
		func(c *Completion, k *Task) string { return fmt.Sprint(c.WaitTimeout(k, 0)) },
	} {
		for _, completer := range []func(c *Completion, k *Task){
			(*Completion).Complete,
			(*Completion).CompleteAll,
			func(c *Completion, k *Task) { c.Complete(k); c.Reinit(k); c.Complete(k) },
		} {
			two, n := results(t, explore.NewDPOR(), body(false, wait, completer))
			require.NotEmpty(t, two)
			gives(t, two, body(true, wait, completer))
			_, m := results(t, explore.NewDPOR(), body(true, wait, completer))
			require.LessOrEqual(t, m, n)
		}
	}
	sometimes(t, sim.Misuse, "which waiter (task 1) waits for, too", func(k *Task) {
		c, done := newCompletion(k), 0
		c.OneWaiter = true
		waiting(k, c, 2, &done)
		k.Go("completer", c.CompleteAll)
		k.Explore()
	})
}
