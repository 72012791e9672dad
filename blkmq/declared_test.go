package blkmq

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// results are what the runs of a strategy say, failures included.
func results(t *testing.T, s explore.Strategy, body func(k *kernel.Task) string) map[string]int {
	t.Helper()
	m := sim.NewMachine()
	m.StepLimit = 500
	defer m.Close()
	out := map[string]int{}
	for n := 0; ; n++ {
		require.Less(t, n, 100_000)
		result := ""
		r := m.Run(s, on.Body(func(k *kernel.Task) { result = body(k) }))
		if r.Failure != nil {
			result = string(r.Failure.Kind)
		}
		out[result]++
		if !s.Done(r) {
			return out
		}
	}
}

// said is how bios ended, in no order: in which one is nothing that anybody declares.
func said(ended []kernel.Errno) string {
	slices.Sort(ended)
	return fmt.Sprint(ended)
}

// What operations declare is enough: one schedule of every trace shows all that exhaustive
// search shows. Each program has more than one result.
func TestDeclared(t *testing.T) {
	again, dev := kernel.BLK_STS_RESOURCE, kernel.BLK_STS_DEV_RESOURCE
	for name, body := range map[string]func(k *kernel.Task) string{
		"a disk dies": func(k *kernel.Task) string {
			d := newDisk(k, 2)
			d.driver.complete = true
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
			k.Go("remover", func(k *kernel.Task) { d.MarkDead(k) })
			k.Explore()
			return said(d.ended)
		},
		"a timeout races": func(k *kernel.Task) string {
			k.K.Race("disk timeout")
			d, p := newTimed(k, func(*kernel.Task, *Request) EH { return BLK_EH_DONE })
			d.SubmitBio(k, d.bio())
			rq := d.driver.queued[0]
			k.Go("device", func(k *kernel.Task) {
				k.Step(sim.Op{Verb: "work"})
				k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
			})
			k.Explore()
			return fmt.Sprint(said(d.ended), len(p.called) > 0)
		},
		"the only other request ends too early": func(k *kernel.Task) string {
			d := newDisk(k, 2)
			d.SubmitBio(k, d.plain(0, 8))
			rq := d.driver.queued[0]
			d.driver.complete = true
			d.driver.script = []kernel.BlkStatus{dev, dev}
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.plain(20, 8)) })
			k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
			k.Explore()
			return said(d.ended)
		},
		"quiesced": func(k *kernel.Task) string {
			d := newDisk(k, 2)
			d.driver.complete = true
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
			k.Go("quiescer", func(k *kernel.Task) { d.Quiesce(k); d.Unquiesce(k) })
			by := kernel.InTask
			d.driver.queue = func(k *kernel.Task, _ *Request) { by = k.Context() }
			k.Explore()
			return by.String()
		},
		"a tag that is not there": func(k *kernel.Task) string {
			d := newDisk(k, 1)
			d.driver.complete = true
			d.driver.script = []kernel.BlkStatus{again}
			for range 2 {
				k.Go("submitter", func(k *kernel.Task) {
					b := d.bio()
					b.Flags |= REQ_NOWAIT
					d.SubmitBio(k, b)
				})
			}
			k.Explore()
			return said(d.ended)
		},
		"a plug and a freeze": func(k *kernel.Task) string {
			d := newDisk(k, 2)
			d.driver.complete = true
			k.Go("submitter", func(k *kernel.Task) {
				p := StartPlug(k, 2)
				d.SubmitBio(k, d.bio())
				b := d.bio()
				b.Flags |= REQ_NOWAIT
				d.SubmitBio(k, b)
				p.Finish(k)
				b = d.bio()
				b.Flags |= REQ_NOWAIT
				d.SubmitBio(k, b)
			})
			k.Go("freezer", func(k *kernel.Task) { d.Freeze(k); d.Unfreeze(k) })
			k.Explore()
			return said(d.ended)
		},
		"requeued by the driver": func(k *kernel.Task) string {
			d := newDisk(k, 2)
			d.SubmitBio(k, d.plain(0, 8))
			rq := d.driver.queued[0]
			d.driver.complete = true
			k.Go("reset", func(k *kernel.Task) { rq.Requeue(k, true) })
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.plain(20, 8)) })
			k.Explore()
			return fmt.Sprint(sectorsOf(d.driver.handed))
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := results(t, explore.NewDFS(explore.Coverage{Bound: explore.All}), body)
			some := results(t, explore.NewDPOR(), body)
			n, m := 0, 0
			for result, count := range all {
				require.Contains(t, some, result)
				n += count
			}
			for _, count := range some {
				m += count
			}
			require.Len(t, some, len(all))
			require.Greater(t, len(all), 1, "%v", all)
			require.Less(t, m, n)
			t.Logf("%d and %d executions: %v", n, m, some)
		})
	}
}
