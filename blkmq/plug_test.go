package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

func TestPlugIsFlushedWhenFull(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 64)
		p := StartPlug(k, 1)
		for s := range uint64(33) {
			d.SubmitBio(k, d.plain(20*s, 8))
			require.Equal(t, s == 32, len(d.driver.handed) == 32, "%d", s)
		}
		p.Finish(k)
		require.Len(t, d.driver.handed, 33)
		d.driver.finish(k)
	})
	passes(t, func(k *kernel.Task) { // a large request ends the collection
		d := newDisk(k, 64)
		d.Limits.MaxSectors, d.Limits.MaxSegments = 512, 128
		p := StartPlug(k, 1)
		d.SubmitBio(k, d.plain(0, 256))
		d.SubmitBio(k, d.plain(1000, 8))
		require.Len(t, d.driver.handed, 1)
		p.Finish(k)
		d.driver.finish(k)
	})
}

// Two queues in one plug: up to 64 requests, and each queue gets its own.
func TestPlugOfTwoQueues(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		a, b := newDisk(k, 64), newDisk(k, 64)
		p := StartPlug(k, 1)
		for s := range uint64(32) {
			a.SubmitBio(k, a.plain(20*s, 8))
			b.SubmitBio(k, b.plain(20*s, 8))
		}
		require.Empty(t, a.driver.handed)
		p.Finish(k)
		require.Len(t, a.driver.handed, 32)
		require.Len(t, b.driver.handed, 32)
		a.driver.finish(k)
		b.driver.finish(k)
	})
}

// A plug inside a plug does nothing.
func TestNestedPlug(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 4)
		p := StartPlug(k, 1)
		q := StartPlug(k, 1)
		d.SubmitBio(k, d.bio())
		q.Finish(k)
		require.Empty(t, d.driver.handed)
		p.Finish(k)
		require.Len(t, d.driver.handed, 1)
		d.SubmitBio(k, d.bio())
		require.Len(t, d.driver.handed, 2, "without a plug")
		d.driver.finish(k)
	})
}

// Requests are allocated for all submissions that were announced, as far as there are tags;
// what is left over is freed. Each holds a usage reference.
func TestCachedRequests(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 3)
		p := StartPlug(k, 8)
		d.SubmitBio(k, d.bio())
		require.Equal(t, []int{3, 3}, []int{d.Tags.InUse(), d.usage})
		d.SubmitBio(k, d.plain(0, 3))
		bad := d.plain(0, 3)
		bad.Size = 100 // what was cached stays
		d.SubmitBio(k, bad)
		require.Equal(t, []int{3, 3}, []int{d.Tags.InUse(), d.usage})
		p.Finish(k)
		require.Equal(t, []int{2, 2}, []int{d.Tags.InUse(), d.usage})
		d.driver.finish(k)
	})
	passes(t, func(k *kernel.Task) { // a task that sleeps keeps no reference of a queue that somebody freezes
		d := newDisk(k, 3)
		d.driver.complete = true
		p := StartPlug(k, 3)
		d.SubmitBio(k, d.bio())
		d.Freeze(k)
		require.Equal(t, ok, d.ended)
		d.Unfreeze(k)
		p.Finish(k)
	})
}

// A plug is flushed by any wait, and by kblockd then: the driver is not called by the task.
func TestWaitFlushesPlug(t *testing.T) {
	always(t, func(k *kernel.Task) {
		d := newDisk(k, 2)
		d.driver.queue = func(k *kernel.Task, rq *Request) { require.Equal(t, kernel.InWorker, k.Context()) }
		d.driver.complete = true
		k.Go("submitter", func(k *kernel.Task) {
			p := StartPlug(k, 1)
			d.SubmitBio(k, d.bio())
			k.Await("wait for the bio", nil, sim.Read, func() bool { return len(d.ended) == 1 })
			p.Finish(k)
		})
		k.Explore()
	})
}

// lister takes two requests at a time.
type lister struct {
	*fakeDriver
	lists [][]uint64
	rings int
}

func (l *lister) QueueRqs(k *kernel.Task, rqs []*Request) []*Request {
	l.lists = append(l.lists, sectorsOf(rqs))
	for _, rq := range rqs[:min(2, len(rqs))] {
		l.QueueRq(k, rq)
	}
	return rqs[min(2, len(rqs)):]
}

func (l *lister) CommitRqs(*kernel.Task, *Hctx) { l.rings++ }

func TestQueueRqs(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 8)
		l := &lister{fakeDriver: d.driver}
		d.Ops = l
		p := StartPlug(k, 1)
		for s := range uint64(4) {
			d.SubmitBio(k, d.plain(20*s, 8))
		}
		p.Finish(k)
		require.Equal(t, [][]uint64{{0, 20, 40, 60}}, l.lists)
		require.Equal(t, []uint64{0, 20, 40, 60}, sectorsOf(d.driver.handed), "the others one by one")
		require.False(t, d.driver.handed[2].Last)
		require.True(t, d.driver.handed[3].Last)
		require.Zero(t, l.rings)
		d.driver.finish(k)
	})
}

// A request that was to be the last one, and did not get there, has the driver told.
func TestCommitRqs(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 8)
		l := &struct {
			*fakeDriver
			committer
		}{fakeDriver: d.driver}
		d.Ops = l
		p := StartPlug(k, 1)
		for s := range uint64(3) {
			d.SubmitBio(k, d.plain(20*s, 8))
		}
		d.driver.script = []kernel.BlkStatus{0, 0, kernel.BLK_STS_IOERR}
		p.Finish(k)
		require.Equal(t, committer(1), l.committer)
		d.driver.finish(k)
	})
}

type committer int

func (c *committer) CommitRqs(*kernel.Task, *Hctx) { *c++ }
