package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/kernel"
)

func TestPartition(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 4)
		p := &Partition{Whole: d.Queue, Start: 100, Sectors: 50}
		p.SubmitBio(k, d.plain(42, 8))
		require.EqualValues(t, 142, d.driver.queued[0].Sector)
		p.SubmitBio(k, d.plain(43, 8)) // the disk goes on there, the partition does not
		require.Equal(t, []kernel.Errno{kernel.EIO}, d.ended)
		d.driver.finish(k)
		require.Len(t, d.ended, 2)
	})
}

// A linear device: the clone is split for the lower one, and the bio keeps its place.
func TestLinear(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 4)
		top := NewStacked(k, "top", size/2, Limits{}, &Linear{Lower: d.Queue, Start: 100})
		b := d.bio()
		b.Sector, b.Done, b.Size = 8, 4096, 20<<10
		before := b.BvecIter
		top.SubmitBio(k, b)
		require.Equal(t, before, b.BvecIter)
		require.Equal(t, []uint64{108, 140}, sectorsOf(d.driver.queued))
		require.EqualValues(t, 4096, d.driver.queued[0].Frag.Off)
		require.EqualValues(t, 4096+16<<10, d.driver.queued[1].Frag.Off)
		d.driver.finish(k)
		require.Equal(t, ok, d.ended)
		require.Zero(t, top.usage)
	})
}

// Multipath: a bio whose path fails is sent on the other one; any other error is the bio's.
func TestMultipath(t *testing.T) {
	type result struct {
		ended []kernel.Errno
		sent  [2]int
	}
	run := func(statuses ...kernel.BlkStatus) (r result) {
		passes(t, func(k *kernel.Task) {
			var paths [2]*disk
			for i := range paths {
				paths[i] = newDisk(k, 4)
			}
			d := paths[0]
			m := &Multipath{Paths: []*Queue{paths[0].Queue, paths[1].Queue}}
			m.Init(k, "mpath")
			b := d.bio()
			NewStacked(k, "top", size, Limits{}, m).SubmitBio(k, b)
			for _, s := range statuses {
				for i, p := range paths {
					r.sent[i] += len(p.driver.queued)
					for _, rq := range p.driver.queued {
						k.Interrupt("irq", func(k *kernel.Task) { rq.Complete(k, s) })
					}
					p.driver.queued = nil
				}
				settle(k, 1)
			}
			r.ended = d.ended
		})
		return
	}
	tr := kernel.BLK_STS_TRANSPORT
	require.Equal(t, result{ok, [2]int{1, 0}}, run(kernel.BLK_STS_OK))
	require.Equal(t, result{ok, [2]int{1, 1}}, run(tr, kernel.BLK_STS_OK))
	require.Equal(t, result{[]kernel.Errno{kernel.ENODATA}, [2]int{1, 0}}, run(kernel.BLK_STS_MEDIUM))
	require.Equal(t, result{[]kernel.Errno{kernel.EIO}, [2]int{1, 1}}, run(tr, tr))
}

// Two bios fail over in every order of events, and each ends once.
func TestMultipathRaces(t *testing.T) {
	on.Everywhere(t, func(k *kernel.Task) {
		a, b := newDisk(k, 2), newDisk(k, 2)
		a.driver.status = kernel.BLK_STS_TRANSPORT
		b.driver.complete = true
		m := &Multipath{Paths: []*Queue{a.Queue, b.Queue}}
		m.Init(k, "mpath")
		top := NewStacked(k, "top", size, Limits{}, m)
		for range 2 {
			k.Go("submitter", func(k *kernel.Task) { top.SubmitBio(k, a.bio()) })
		}
		k.Explore()
		require.Equal(t, []kernel.Errno{kernel.OK, kernel.OK}, a.ended)
	})
}
