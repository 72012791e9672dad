package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// A request that is refused again and again gets what it needs when another one times out that has it; if
// none does, it never will.
func TestRefusedUntilTimeout(t *testing.T) {
	two := func(k *kernel.Task, d *disk) {
		d.driver.script, d.driver.status = []kernel.BlkStatus{kernel.BLK_STS_OK}, kernel.BLK_STS_RESOURCE
		for range 2 {
			d.SubmitBio(k, d.bio())
		}
		k.Explore()
	}
	passes(t, func(k *kernel.Task) {
		var d *disk
		d, _ = newTimed(k, func(k *kernel.Task, rq *Request) EH {
			d.driver.status = kernel.BLK_STS_OK
			rq.Complete(k, kernel.BLK_STS_OK)
			return BLK_EH_DONE
		})
		two(k, d)
		require.Len(t, d.driver.queued, 2)
		require.Less(t, len(d.driver.handed), 3*refusals, "not every three milliseconds for a second")
		require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, d.ended)
	})
	fails(t, sim.Livelock, "the driver has refused the request with tag 1 of disk 5 times, and nothing else goes on",
		func(k *kernel.Task) { two(k, newDisk(k, 4)) })
}

// Of those who wait for a tag while requests are refused each runs the queue once. They do not go on doing it for
// each other.
func TestWaitersRunTheQueueOnce(t *testing.T) {
	r := explore.Run(t.Context(), on.Body(func(k *kernel.Task) {
		var d *disk
		d, _ = newTimed(k, func(k *kernel.Task, rq *Request) EH {
			d.driver.status = kernel.BLK_STS_OK
			rq.Complete(k, kernel.BLK_STS_OK)
			return BLK_EH_DONE
		})
		d.driver.script, d.driver.status = []kernel.BlkStatus{kernel.BLK_STS_OK}, kernel.BLK_STS_RESOURCE
		for range 6 { // for four tags
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.bio()) })
		}
		k.Explore()
	}), explore.NewRandom(1), explore.Options{Executions: 300})
	if r.Found != nil {
		defer r.Found.Machine.Close()
		t.Fatal(r.Found.Failure)
	}
	require.Less(t, r.Longest, 400)
}
