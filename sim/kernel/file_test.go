package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func newFile(k *Task, release func(*Task)) *File {
	f := &File{}
	f.Init(k, "f", release)
	return f
}

var _ = conform(cases{
	{"C-TW-04", func(t *testing.T) {
		always(t, func(k *Task) {
			order := ""
			k.Go("other", func(k *Task) { k.Step(opStep) })
			var task *Task
			task = k.Go("task", func(k *Task) {
				var mu Mutex
				mu.Init(k, nil, "m")
				f := newFile(k, func(k *Task) {
					if k != task {
						k.BUG("released by %s", k.Name)
					}
					mu.Lock(k) // which the system call held
					order += "release "
					mu.Unlock(k)
				})
				mu.Lock(k)
				f.Put(k)
				k.Step(opStep)
				order += "syscall "
				mu.Unlock(k)
				k.ReturnToUser()
				order += "user"
			})
			k.Explore()
			require.Equal(t, "syscall release user", order)
		})
	}},
	{"C-TW-05", func(t *testing.T) {
		for name, start := range map[string]func(k *Task, put func(*Task)){
			"hardirq": func(k *Task, put func(*Task)) { k.Interrupt("irq", put) },
			"softirq": func(k *Task, put func(*Task)) { k.Softirq("softirq", put) },
			"kthread": func(k *Task, put func(*Task)) { k.Kthread("kthread", sim.Op{Verb: "run"}, put) },
			"task that has begun its last run": func(k *Task, put func(*Task)) {
				k.Go("task", func(k *Task) { k.exiting = true; put(k) })
			},
		} {
			t.Run(name, func(t *testing.T) {
				// It may not have been released yet when fput returns.
				gives(t, set("kworker/events true", "kworker/events false"), func(k *Task, say func(string, ...any)) {
					by, late := "", false
					var x Shared[bool]
					x.Init(k, nil, "x", false)
					f := newFile(k, func(k *Task) {
						k.MightSleep("release", "")
						by = k.Name
						x.Store(k, true)
					})
					start(k, func(k *Task) {
						f.Put(k)
						late = !x.Load(k)
					})
					k.Explore()
					say("%s %v", by, late)
				})
			})
		}
		// Two of them are one run of the item, or two.
		always(t, func(k *Task) {
			released := 0
			for range 2 {
				k.Interrupt("irq", newFile(k, func(k *Task) { released++ }).Put)
			}
			k.Explore()
			require.Equal(t, 2, released)
		})
	}},
	{"C-TW-06", func(t *testing.T) {
		waits := func(locked, release bool) func(k *Task) {
			return func(k *Task) {
				k.K.Lockdep.Off = true
				var mu Mutex
				mu.Init(k, nil, "m")
				var released Completion
				released.Init(k, nil, "released")
				f := newFile(k, func(k *Task) {
					if release {
						mu.Lock(k)
						mu.Unlock(k)
					}
					released.Complete(k)
				})
				k.Kthread("kthread", sim.Op{Verb: "run"}, func(k *Task) {
					if locked {
						mu.Lock(k)
					}
					f.Put(k)
					released.Wait(k)
					if locked {
						mu.Unlock(k)
					}
				})
				k.Explore()
			}
		}
		always(t, waits(true, false))
		always(t, waits(false, true))
		f := sometimes(t, sim.Deadlock, "nobody can wake", waits(true, true))
		require.Contains(t, f.Message, "kworker/events")

		// The worker itself waits, in the release of one file, for that of another: the item
		// does not run twice at once.
		for _, sync := range []bool{false, true} {
			body := func(k *Task) {
				var released Completion
				released.Init(k, nil, "released")
				inner := newFile(k, released.Complete)
				outer := newFile(k, func(k *Task) {
					if sync {
						inner.PutSync(k)
					} else {
						inner.Put(k)
					}
					released.Wait(k)
				})
				k.Kthread("kthread", sim.Op{Verb: "run"}, outer.Put)
				k.Go("other", func(k *Task) { k.Step(opStep) })
				k.Explore()
			}
			if sync {
				always(t, body)
			} else {
				sometimes(t, sim.Deadlock, "nobody can wake kworker/events", body)
			}
		}
	}},
})

// The last of several references releases, once.
func TestFileReferences(t *testing.T) {
	gives(t, set("one", "two"), func(k *Task, say func(string, ...any)) {
		f := newFile(k, func(k *Task) { say(k.Name) })
		f.Get(k)
		k.Go("one", f.Put)
		k.Go("two", f.Put)
		k.Explore()
		require.True(t, f.Released(k))
	})
	// A reference that is looked up is had before the last one has gone, or not at all.
	gives(t, set("got released", "too late released", "released too late"), func(k *Task, say func(string, ...any)) {
		f := newFile(k, func(k *Task) { say("released") })
		k.Go("putter", f.Put)
		k.Go("getter", func(k *Task) {
			if !f.TryGet(k) {
				say("too late")
				return
			}
			say("got")
			f.Put(k)
		})
		k.Explore()
	})
}

func TestFileMisuse(t *testing.T) {
	fails(t, RefcountMisuse, "fput of \"f\" without a reference", func(k *Task) {
		f := newFile(k, func(*Task) {})
		f.Put(k)
		f.Put(k)
	})
	fails(t, UseAfterFree, "get_file of \"f\"", func(k *Task) {
		f := newFile(k, func(*Task) {})
		f.Put(k)
		f.Get(k)
	})
	fails(t, Leak, "file \"f\" was never released; 1 reference(s) are left", func(k *Task) {
		newFile(k, func(*Task) {}).Get(k)
		k.K.files[0].Put(k)
	})
	fails(t, Context, "sleeping function called from invalid context: __fput(f) in hardirq", func(k *Task) {
		f := newFile(k, func(*Task) {})
		k.Interrupt("irq", f.PutSync)
		k.Explore()
	})
}

// flush_delayed_fput releases what the item has not taken yet, and does not wait for what it
// has.
func TestFlushDelayedFput(t *testing.T) {
	gives(t, set("kthread true", "kworker/events true", "kworker/events false"), func(k *Task, say func(string, ...any)) {
		var x Shared[bool]
		x.Init(k, nil, "x", false)
		releaser, flushed := "", false
		f := newFile(k, func(k *Task) { x.Store(k, true); releaser = k.Name })
		k.Kthread("kthread", sim.Op{Verb: "run"}, func(k *Task) {
			f.Put(k)
			k.FlushDelayedFput()
			flushed = x.Load(k)
		})
		k.Explore()
		say("%s %v", releaser, flushed)
	})
}

// namedFile is a file whose release says its name.
func namedFile(k *Task, say func(string, ...any), name string) *File {
	f := &File{}
	f.Init(k, name, func(*Task) { say(name) })
	return f
}

// The release of a file takes its place among the other task work of the task.
func TestFputOrder(t *testing.T) {
	gives(t, set("file", "file work", "work file"), func(k *Task, say func(string, ...any)) {
		f := namedFile(k, say, "file")
		target := k.Go("target", func(k *Task) { f.Put(k) })
		k.Go("adder", func(k *Task) { k.TaskWorkAdd(target, work(func(*Task) { say("work") }), TWA_NONE) }) // or too late
		k.Explore()
	})
}

// What the work item would release keeps the order in which it was put.
func TestDelayedFputOrder(t *testing.T) {
	gives(t, set("a b", "b a"), func(k *Task, say func(string, ...any)) {
		k.ExhaustWorkers(true)
		put := func(name string) *Task {
			f := namedFile(k, say, name)
			return k.Kthread(name, sim.Op{Verb: "start"}, func(k *Task) { f.Put(k) })
		}
		one, other := put("a"), put("b")
		k.Go("flusher", func(k *Task) {
			k.Join(one.Task)
			k.Join(other.Task)
			k.FlushDelayedFput()
			k.ExhaustWorkers(false)
		})
		k.Explore()
	})
}
