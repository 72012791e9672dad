package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Partition is a part of a disk (struct block_device of one). It has no queue of its own: a
// bio is moved to its place on the disk.
type Partition struct {
	Whole *Queue
	// Start and Sectors are the range on the disk.
	Start, Sectors uint64
}

// SubmitBio is submit_bio on a partition (blk_partition_remap): the end of the partition is
// the end of the device.
func (p *Partition) SubmitBio(t *kernel.Task, b *Bio) {
	q := p.Whole
	t.MightSleep("submit_bio", "")
	if n := b.sectors(); n != 0 && (n > p.Sectors || b.Sector > p.Sectors-n) {
		b.Queue = q
		b.End(t, kernel.BLK_STS_IOERR)
		return
	}
	b.Sector += p.Start
	q.SubmitBio(t, b)
}

// Linear is a device that is a range of another one (drivers/md/dm-linear.c): a bio of it
// is cloned, and the clone goes to its place.
type Linear struct {
	Lower *Queue
	// Start is the sector of the lower device at which this one begins.
	Start uint64
}

// SubmitBio is dm_submit_bio with one target.
func (l *Linear) SubmitBio(t *kernel.Task, q *Queue, b *Bio) {
	c := b.Clone(t)
	c.Sector += l.Start
	c.EndIO = func(t *kernel.Task, c *Bio) { b.End(t, c.Status()) }
	c.handOn(t, l.Lower)
}

// handOn submits a clone to a lower device (submit_bio_noacct).
func (b *Bio) handOn(t *kernel.Task, lower *Queue) {
	b.Queue, b.remapped = lower, false
	b.counted = lower
	lower.unended++
	submitNoacct(t, b)
}

// Multipath is a device that is reached in several ways (drivers/md/dm-mpath.c, on bios). A
// bio whose path fails is sent again on another one, from a worker.
type Multipath struct {
	Paths []*Queue

	obj    sim.Object
	failed []bool
	retry  []*Bio
	work   kernel.Work
}

// Init is the constructor.
func (m *Multipath) Init(t *kernel.Task, name string) {
	t.Own(&m.obj, "multipath", name)
	m.failed = make([]bool, len(m.Paths))
	m.work.Init(t, nil, name+" process_queued_bios", m.again)
}

// SubmitBio is dm_submit_bio: a clone goes to the first path that has not failed.
func (m *Multipath) SubmitBio(t *kernel.Task, _ *Queue, b *Bio) {
	t.Touch(&m.obj, sim.Read)
	for i, lower := range m.Paths {
		if m.failed[i] {
			continue
		}
		c := b.Clone(t)
		c.EndIO = func(t *kernel.Task, c *Bio) { m.ended(t, b, i, c.Status()) }
		c.handOn(t, lower)
		return
	}
	b.End(t, kernel.BLK_STS_IOERR)
}

// ended is multipath_end_io_bio. It runs in any context, so the bio is sent again by a
// worker.
func (m *Multipath) ended(t *kernel.Task, b *Bio, path int, s kernel.BlkStatus) {
	if s != kernel.BLK_STS_TRANSPORT {
		b.End(t, s)
		return
	}
	t.Touch(&m.obj, sim.Write)
	m.failed[path] = true
	m.retry = append(m.retry, b)
	t.K.SystemWq.Queue(t, &m.work)
}

// again is process_queued_bios.
func (m *Multipath) again(t *kernel.Task) {
	t.Touch(&m.obj, sim.Write)
	list := m.retry
	m.retry = nil
	for _, b := range list {
		m.SubmitBio(t, b.Queue, b)
	}
}
