package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

var _ = conform(cases{
	{"C-MEM-05", func(t *testing.T) {
		for _, gfp := range []GFP{GFP_ATOMIC, GFP_NOWAIT} {
			injected(t, gfp)
			sparing(t, gfp, true)
		}
	}},
	{"C-MEM-06", func(t *testing.T) {
		for _, gfp := range []GFP{GFP_KERNEL, GFP_NOFS, GFP_NOIO, GFP_KERNEL | GFP_RETRY_MAYFAIL} {
			injected(t, gfp)
			sparing(t, gfp, false)
		}
	}},
	{"C-MEM-09", func(t *testing.T) {
		always(t, func(k *Task) {
			k.K.FailAlloc("site", 1)
			k.K.InjectFaults(Faults{Fail: []Fault{{"task", 1}}})
			k.K.Pressure(0, 1)
			k.Go("task", func(k *Task) {
				require.Equal(t, OK, k.MayFail(GFP_KERNEL|GFP_NOFAIL, "site"))
				require.Equal(t, ENOMEM, k.MayFail(GFP_KERNEL, "site"), "the first that is counted")
			})
			k.Go("other", func(k *Task) { k.MayFail(GFP_KERNEL, "x") })
			k.Explore()
		})
	}},
})

// injected makes the n-th allocation of a site fail, counted from the call, and no
// other.
func injected(t *testing.T, gfp GFP) {
	for n := 1; n <= 3; n++ {
		for name, inject := range map[string]func(k *Kernel){
			"by site": func(k *Kernel) { k.FailAlloc("site", n) },
			"by task": func(k *Kernel) {
				k.InjectFaults(Faults{Fail: []Fault{{"init", n}, {"other", 1}}, Sites: []string{"site"}})
			},
			"by ID": func(k *Kernel) { k.InjectFaults(Faults{Fail: []Fault{{"0", n}}, Sites: []string{"site"}}) },
		} {
			passes(t, func(k *Task) {
				k.MayFail(gfp, "site") // before the call, and so not counted
				inject(k.K)
				for i := 1; i <= 4; i++ {
					want := OK
					if i == n {
						want = ENOMEM
					}
					require.Equal(t, OK, k.MayFail(gfp, "other site"), name)
					var m Mem
					require.Equal(t, want, k.Alloc(gfp, &m, "site"), name)
					require.Equal(t, want == OK, m.Alive(), name)
					if want == OK {
						k.Free(&m)
					}
				}
			})
		}
	}
}

// sparing injects with ignore-gfp-wait, as the kernel does unless told otherwise.
func sparing(t *testing.T, gfp GFP, fails bool) {
	passes(t, func(k *Task) {
		k.K.InjectFaults(Faults{Fail: []Fault{{"init", 1}}, IgnoreGFPWait: true})
		require.Equal(t, fails, k.MayFail(gfp, "site") == ENOMEM)
	})
}

// drawn is a program in which two tasks allocate, with what failed.
func drawn(budget int, say func(failed string)) func(k *Task) {
	return func(k *Task) {
		k.DrawFaults(Faults{}, budget, 2, "a", "b")
		failed := ""
		allocate := func(k *Task) {
			for range 3 {
				if k.MayFail(GFP_KERNEL, "site") != OK {
					failed += k.Name
				} else {
					failed += "."
				}
			}
		}
		k.Interrupt("irq", func(*Task) {}) // does not come before the draw
		a := k.Go("a", allocate)
		k.Go("b", func(k *Task) {
			k.Join(a.Task)
			allocate(k)
		})
		k.Explore()
		say(failed)
	}
}

// What fails is drawn once per run, and every strategy draws all there is.
func TestDrawFaults(t *testing.T) {
	none, one := set("......"), set("......", "a.....", ".a....", "...b..", "....b.")
	two := set("aa....", "a..b..", "a...b.", ".a.b..", ".a..b.", "...bb.")
	for s := range one {
		two[s] = true
	}
	for budget, want := range []map[string]bool{none, one, two} {
		for _, s := range []explore.Strategy{
			explore.NewDFS(explore.Coverage{Bound: explore.All}), explore.NewDPOR(), explore.NewBoundedDPOR(9),
			explore.NewRandom(1), explore.NewPOS(1), explore.NewPCT(1, 2), explore.NewSURW(1),
		} {
			m := sim.NewMachine()
			got := map[string]bool{}
			for range 400 {
				said := ""
				body := on.Body(drawn(budget, func(failed string) { said = failed }))
				r := m.Run(s, body)
				require.Nil(t, r.Failure)
				if r.Abandoned {
					continue
				}
				got[said] = true
				schedule, hash, first := r.Schedule(), r.Hash, said
				if !s.Done(r) {
					break
				}
				again := m.Run(explore.NewReplay(schedule), body)
				require.Equal(t, hash, again.Hash)
				require.Equal(t, first, said, "the schedule %s names the faults", schedule)
			}
			m.Close()
			require.Equal(t, want, got, "%s, budget %d", s.Name(), budget)
		}
	}
}

// What fails for a task does not depend on what others do: the task that is hit is hit in
// every interleaving, and DPOR needs no more runs than without faults.
func TestFaultsAreOfTheirTask(t *testing.T) {
	runs := func(faults bool) (n int) {
		d := explore.NewDPOR()
		m := sim.NewMachine()
		defer m.Close()
		for more := true; more; {
			r := m.Run(d, on.Body(func(k *Task) {
				if faults {
					k.K.InjectFaults(Faults{Fail: []Fault{{"b", 2}}})
				}
				for _, name := range []string{"a", "b"} {
					k.Go(name, func(k *Task) {
						for i := range 3 {
							k.Step(opStep)
							require.Equal(t, faults && name == "b" && i == 1, k.MayFail(GFP_KERNEL, "site") != OK)
						}
					})
				}
				k.Explore()
			}))
			require.Nil(t, r.Failure)
			n++
			more = d.Done(r)
		}
		return n
	}
	require.Equal(t, 1, runs(false))
	require.Equal(t, 1, runs(true))
}

// A path that forgets to give up what it has when an allocation fails is found by the
// draw, and a right one passes it.
func TestDrawFindsTheFailurePath(t *testing.T) {
	two := func(right bool) func(k *Task) {
		return func(k *Task) {
			k.DrawFaults(Faults{}, 1, 2, "task")
			k.Go("task", func(k *Task) {
				var first, second Mem
				if k.Alloc(GFP_KERNEL, &first, "first") != OK {
					return
				}
				if k.Alloc(GFP_KERNEL, &second, "second") != OK {
					if right {
						k.Free(&first)
					}
					return
				}
				k.Free(&second)
				k.Free(&first)
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
		}
	}
	always(t, two(true))
	sometimes(t, Leak, "first#1 was never freed", two(false))
	on.Finds(t, explore.NewDPOR(), two(false), Leak)
}
