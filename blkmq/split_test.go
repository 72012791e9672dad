package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// vecs are vectors of separate memory: offset and length of each.
func vecs(ranges ...[2]uint32) []iter.Bvec {
	var out []iter.Bvec
	for i, r := range ranges {
		out = append(out, iter.Bvec{Pages: frames(uint64(i+1)*0x1000, int(r[0]+r[1]+pageSize-1)/pageSize), Offset: r[0], Len: r[1]})
	}
	return out
}

// bioOf is a bio of all of the vectors.
func bioOf(v []iter.Bvec) *Bio {
	b := &Bio{Vecs: v, EndIO: func(*kernel.Task, *Bio) {}}
	for _, x := range v {
		b.Size += x.Len
	}
	return b
}

// valid fills in the defaults of limits.
func valid(t require.TestingT, l Limits) Limits {
	var err kernel.Errno
	f := on.Run(func(k *kernel.Task) { err = l.Validate(k) })
	require.Nil(t, f)
	require.Equal(t, kernel.OK, err)
	return l
}

// part is what the driver sees of a split bio.
type part struct {
	sector uint64
	bytes  uint32
	nsegs  uint32
}

// parts are the requests that a bio becomes on a queue with the limits.
func parts(t *testing.T, l Limits, b *Bio) (out []part, ended []kernel.Errno) {
	t.Helper()
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 64)
		d.Limits = l
		b.EndIO = d.bio().EndIO
		if b.Use != nil {
			b.Use = &d.use
		}
		d.driver.queue = func(k *kernel.Task, rq *Request) { out = append(out, part{rq.Sector, rq.Bytes, rq.Nsegs}) }
		d.SubmitBio(k, b)
		d.driver.finish(k)
		ended = d.ended
	})
	return
}

var ok = []kernel.Errno{kernel.OK}

var _ = conform(cases{
	{"C-SPLIT-01", func(t *testing.T) {
		v := vecs([2]uint32{0, 1024}, [2]uint32{512, 0}, [2]uint32{0, 512})
		for _, c := range []struct {
			n    uint32
			want BvecIter
		}{
			{0, BvecIter{Sector: 8, Size: 1536}},
			{512, BvecIter{Sector: 9, Size: 1024, Done: 512}},
			{1024, BvecIter{Sector: 10, Size: 512, Idx: 1}}, // the empty one is skipped while bytes remain
			{1025, BvecIter{Sector: 10, Size: 511, Idx: 2, Done: 1}},
			{1536, BvecIter{Sector: 11, Size: 0, Idx: 3}},
		} {
			passes(t, func(k *kernel.Task) {
				b := bioOf(v)
				b.Sector = 8
				b.Advance(k, c.n)
				require.Equal(t, c.want, b.BvecIter, "by %d", c.n)
			})
		}
		fails(t, sim.Warn, "past end of bvec iter", func(k *kernel.Task) {
			b := bioOf(v)
			b.Advance(k, 1537)
			require.Equal(t, BvecIter{Sector: 3}, b.BvecIter)
		})
		require.Len(t, v, 3, "the table is not changed")
	}},
	{"C-SPLIT-02", func(t *testing.T) {
		l := valid(t, Limits{MaxHWSectors: 8})
		got, ended := parts(t, l, bioOf(vecs([2]uint32{0, 4096}, [2]uint32{512, 2048}, [2]uint32{0, 4096})))
		require.Equal(t, []part{{0, 4096, 1}, {8, 4096, 2}, {16, 2048, 1}}, got)
		require.Equal(t, ok, ended)
	}},
	{"C-SPLIT-03", func(t *testing.T) {
		// The parts complete in every order. The first of them that fails decides, but an
		// error of the bio's own, which is the last part, replaces it.
		for name, c := range map[string]struct {
			status [3]kernel.BlkStatus
			order  []int
			want   kernel.Errno
		}{
			"good":       {order: []int{2, 0, 1}, want: kernel.OK},
			"one":        {[3]kernel.BlkStatus{0, kernel.BLK_STS_MEDIUM, 0}, []int{0, 1, 2}, kernel.ENODATA},
			"first":      {[3]kernel.BlkStatus{kernel.BLK_STS_TARGET, kernel.BLK_STS_MEDIUM, 0}, []int{1, 0, 2}, kernel.ENODATA},
			"own":        {[3]kernel.BlkStatus{0, kernel.BLK_STS_MEDIUM, kernel.BLK_STS_IOERR}, []int{2, 1, 0}, kernel.EIO},
			"own, later": {[3]kernel.BlkStatus{0, kernel.BLK_STS_MEDIUM, kernel.BLK_STS_IOERR}, []int{1, 2, 0}, kernel.EIO},
		} {
			t.Run(name, func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					d := newDisk(k, 4)
					d.Limits.MaxSectors = 8
					d.SubmitBio(k, d.plain(0, 24))
					for i, n := range c.order {
						require.Equal(t, i == 3, len(d.ended) == 1)
						d.driver.queued[n].Complete(k, c.status[n])
					}
					require.Equal(t, []kernel.Errno{c.want}, d.ended)
				})
			})
		}
	}},
	{"C-SPLIT-04", func(t *testing.T) {
		// Fronts in order, then the tail; and after that what else the task has submitted.
		// A device that submits to itself and then splits sees the rest come first in 7.3.
		for profile, want := range map[kernel.Profile][]uint64{kernel.V7_3: {0, 8, 16, 100}, kernel.RFCBase: {0, 8, 16, 100}, kernel.V6_12: {0, 100, 8, 16}} {
			var got []uint64
			passes(t, func(k *kernel.Task) {
				k.K.Profile = profile
				d := newDisk(k, 8)
				var top *Queue
				top = NewStacked(k, "top", size, Limits{MaxHWSectors: 8}, submitter(func(k *kernel.Task, _ *Queue, b *Bio) {
					if b.Sector == 0 {
						top.SubmitBio(k, d.plain(100, 1))
					}
					b, _ = top.SplitToLimits(k, b)
					got = append(got, b.Sector)
					b.End(k, kernel.BLK_STS_OK)
				}))
				top.SubmitBio(k, d.plain(0, 24))
				require.Len(t, d.ended, 2)
			})
			require.Equal(t, want, got, "%v", profile)
			got = nil
			passes(t, func(k *kernel.Task) {
				k.K.Profile = profile
				d := newDisk(k, 8)
				d.Limits.MaxSectors = 8
				d.driver.queue = func(k *kernel.Task, rq *Request) { got = append(got, rq.Sector) }
				d.SubmitBio(k, d.plain(0, 24))
				d.SubmitBio(k, d.plain(100, 1))
				d.driver.finish(k)
			})
			require.Equal(t, []uint64{0, 8, 16, 100}, got, "%v", profile)
		}
	}},
	{"C-SPLIT-05", func(t *testing.T) {
		for name, c := range map[string]struct {
			l    Limits
			bio  *Bio
			want []part
		}{
			"max_segments":           {Limits{MaxSegments: 2}, bioOf(vecs([2]uint32{0, 512}, [2]uint32{0, 512}, [2]uint32{0, 512})), []part{{0, 1024, 2}, {2, 512, 1}}},
			"max_sectors":            {Limits{MaxHWSectors: 10}, bioOf(vecs([2]uint32{0, 8192})), []part{{0, 5120, 1}, {10, 3072, 1}}},
			"max_segment_size":       {Limits{MaxSegmentSize: 4096, MaxSegments: 2}, bioOf(vecs([2]uint32{0, 10240})), []part{{0, 8192, 2}, {16, 2048, 1}}},
			"segments of one vector": {Limits{MaxSegmentSize: 4096}, bioOf(vecs([2]uint32{0, 10240})), []part{{0, 10240, 3}}},
			"seg_boundary":           {Limits{SegBoundary: 0xfff, MaxSegments: 1}, bioOf(vecs([2]uint32{2048, 4096})), []part{{0, 2048, 1}, {4, 2048, 1}}},
			"chunk":                  {Limits{ChunkSectors: 4, MaxHWSectors: 64}, bioOf(vecs([2]uint32{0, 4096})), []part{{0, 2048, 1}, {4, 2048, 1}}},
		} {
			t.Run(name, func(t *testing.T) {
				got, ended := parts(t, valid(t, c.l), c.bio)
				require.Equal(t, c.want, got)
				require.Equal(t, ok, ended)
			})
		}
	}},
	{"C-SPLIT-06", func(t *testing.T) {
		l := valid(t, Limits{VirtBoundary: 4095})
		got, _ := parts(t, l, bioOf(vecs([2]uint32{512, 3584}, [2]uint32{0, 4096}, [2]uint32{0, 512})))
		require.Equal(t, []part{{0, 8192, 3}}, got, "the first start and the last end are free")
		got, _ = parts(t, l, bioOf(vecs([2]uint32{0, 4096}, [2]uint32{512, 3584}, [2]uint32{0, 512})))
		require.Equal(t, []part{{0, 4096, 1}, {8, 4096, 2}}, got, "a start in the middle")
		got, _ = parts(t, l, bioOf(vecs([2]uint32{0, 512}, [2]uint32{0, 4096})))
		require.Equal(t, []part{{0, 512, 1}, {1, 4096, 1}}, got, "an end in the middle")
	}},
	{"C-SPLIT-07", func(t *testing.T) {
		l := valid(t, Limits{LogicalBlock: 4096, MaxSegments: 3, DmaAlignment: 511})
		got, _ := parts(t, l, bioOf(vecs([2]uint32{0, 2048}, [2]uint32{0, 2048}, [2]uint32{0, 2048}, [2]uint32{0, 2048})))
		require.Equal(t, []part{{0, 4096, 3}, {8, 4096, 2}}, got, "6144 bytes fit; the segments are those of them all")
		l.MaxSegments = 1
		b := func() *Bio { return bioOf(vecs([2]uint32{0, 2048}, [2]uint32{0, 2048})) }
		got, ended := parts(t, l, b())
		require.Empty(t, got)
		require.Equal(t, []kernel.Errno{kernel.EINVAL}, ended)
		require.Equal(t, fit{nsegs: 1}, l.cut(b(), kernel.V6_12, 0), "not split: in 6.12 it goes on as it is")
	}},
	{"C-SPLIT-08", func(t *testing.T) {
		b := bioOf(vecs([2]uint32{0, 8192}))
		b.Flags = REQ_NOWAIT
		got, ended := parts(t, valid(t, Limits{MaxHWSectors: 8}), b)
		require.Empty(t, got)
		require.Equal(t, []kernel.Errno{kernel.EAGAIN}, ended)
	}},
	{"C-SPLIT-09", func(t *testing.T) {
		l := valid(t, Limits{MaxHWSectors: 16, DmaAlignment: 511})
		bad := func(n int) *Bio {
			v := vecs([2]uint32{0, 4096}, [2]uint32{0, 4096}, [2]uint32{0, 4096}, [2]uint32{0, 4096})
			v[n].Offset = 4
			return bioOf(v)
		}
		got, ended := parts(t, l, bad(1))
		require.Empty(t, got)
		require.Equal(t, []kernel.Errno{kernel.EINVAL}, ended, "the first part alone would be good")
		got, ended = parts(t, l, bad(3))
		require.Equal(t, []part{{0, 8192, 2}}, got, "the cut is found before it")
		require.Equal(t, []kernel.Errno{kernel.EINVAL}, ended)
		require.Equal(t, kernel.OK, l.cut(bad(1), kernel.V6_12, 0).err, "6.12 tests where the bio is made")
		v := vecs([2]uint32{0, 100}, [2]uint32{0, 412})
		require.Equal(t, kernel.EINVAL, l.cut(bioOf(v), kernel.V7_3, 0).err, "lengths of vectors count")
	}},
	{"C-SPLIT-10", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 4)
			d.Limits.MaxSectors = 8
			d.driver.script = []kernel.BlkStatus{kernel.BLK_STS_IOERR}
			d.SubmitBio(k, d.plain(0, 24))
			require.Len(t, d.driver.handed, 3)
			require.Empty(t, d.ended)
			d.driver.finish(k)
			require.Equal(t, []kernel.Errno{kernel.EIO}, d.ended)
		})
	}},
	{"C-SPLIT-11", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newPolled(k)
			d.Limits.MaxSectors = 8
			b := d.plain(0, 16)
			b.Flags = REQ_POLLED
			d.SubmitBio(k, b)
			require.Zero(t, b.Flags&REQ_POLLED)
			for _, rq := range d.driver.queued {
				require.False(t, rq.Hctx.tags.poll)
				require.Zero(t, rq.Flags&REQ_POLLED)
			}
			d.driver.finish(k)
			c := d.plain(0, 8)
			c.Flags = REQ_POLLED
			d.SubmitBio(k, c)
			require.True(t, c.Cookie.tags.poll, "one that is not split")
			d.driver.finish(k)
		})
	}},
	{"C-SPLIT-12", func(t *testing.T) {
		l := valid(t, Limits{DmaAlignment: 511})
		b := bioOf(vecs([2]uint32{0, 4096}))
		b.Done, b.Size = 100, 512 // the vector is looked at, not what is left of it
		require.Equal(t, fit{nsegs: 1}, l.cut(b, kernel.V7_3, 0))
		l.ChunkSectors = 8
		require.Equal(t, kernel.EINVAL, l.cut(b, kernel.V7_3, 0).err, "a chunk limit makes it be looked at")
	}},
	{"C-SPLIT-13", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			d := newDisk(k, 4)
			d.Limits.MaxSectors = 8
			b := d.plain(0, 16)
			d.SubmitBio(k, b)
			require.Equal(t, BvecIter{Sector: 8, Size: 4096, Idx: 1}, b.BvecIter)
			d.driver.finish(k)
			require.Zero(t, b.Size)
		})
	}},
	{"C-SPLIT-14", func(t *testing.T) {
		l := valid(t, Limits{PhysicalBlock: 4096, MaxHWSectors: 20})
		b := bioOf(vecs([2]uint32{0, 20480}))
		b.Sector = 3
		got, _ := parts(t, l, b)
		require.Equal(t, []part{{3, 13 * 512, 1}, {16, 16 * 512, 1}, {32, 11 * 512, 1}}, got)
		l = valid(t, Limits{PhysicalBlock: 16384, MaxHWSectors: 20})
		b = bioOf(vecs([2]uint32{0, 15360}))
		b.Sector = 1
		got, _ = parts(t, l, b)
		require.Equal(t, []part{{1, 20 * 512, 1}, {21, 10 * 512, 1}}, got, "no boundary within reach")
	}},
	{"C-SPLIT-15", func(t *testing.T) {
		fails(t, kernel.Context, "sleeping function", func(k *kernel.Task) {
			d := newDisk(k, 4)
			k.PreemptDisable()
			d.Split(k, d.plain(0, 16), 512)
		})
		always(t, func(k *kernel.Task) {
			d := newDisk(k, 3)
			d.bios.Init(k, "bio", 1)
			d.driver.complete = true
			d.Limits.MaxSectors = 8
			k.K.Exhaust()
			k.Go("submitter", func(k *kernel.Task) { d.SubmitBio(k, d.plain(0, 24)) })
			k.Explore()
			require.Equal(t, ok, d.ended, "two fronts, and one bio in the reserve")
		})
		fails(t, sim.LostWakeup, "mempool_alloc bio", func(k *kernel.Task) {
			d := newDisk(k, 16)
			d.Limits.MaxSectors = 8
			k.K.Exhaust()
			d.SubmitBio(k, d.plain(0, 56))
		})
	}},
})

// submitter makes a bio-based device of a function.
type submitter func(k *kernel.Task, q *Queue, b *Bio)

func (s submitter) SubmitBio(k *kernel.Task, q *Queue, b *Bio) { s(k, q, b) }

// newPolled is a disk with a polled hardware queue beside the other one.
func newPolled(k *kernel.Task) *disk {
	d := &disk{driver: &fakeDriver{}, token: &fakeToken{}}
	d.Queue = NewTagsetOf(k, "disk tags", 4, 1, 1).NewQueue(k, "disk", size, Limits{LogicalBlock: block, MaxHWSectors: 32}, d.driver, fakeDesign{})
	d.use = token.Use{Token: d.token}
	return d
}
