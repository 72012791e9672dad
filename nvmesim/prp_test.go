package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/blkmq"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// fakeArray is the bus addresses of n pages that nobody has, none next to another.
func fakeArray(n int) []hw.BusAddr {
	out := make([]hw.BusAddr, n)
	for i := range out {
		out[i] = 0x1_0000_0000 + hw.BusAddr(i*2)*CtrlPageSize
	}
	return out
}

// build programs length bytes at off of pages with the given addresses, as a token request
// or as an ordinary one.
func (r *rig) build(k *kernel.Task, premapped bool, array []hw.BusAddr, off, length int) (*iod, kernel.BlkStatus) {
	io, rq := r.take(blkmq.REQ_OP_READ, length)
	if premapped {
		return io, r.premapped(k, io, rq, array, uint32(off), int32(length))
	}
	for n := 0; n < length; {
		at := off + n
		m := min(length-n, CtrlPageSize-at%CtrlPageSize)
		io.segs = append(io.segs, hw.Segment{Addr: array[at/CtrlPageSize] + hw.BusAddr(at%CtrlPageSize), Len: m})
		n += m
	}
	return io, r.setupPRPs(k, io, length)
}

// free gives the lists back.
func (r *rig) free(k *kernel.Task, premapped bool, io *iod) {
	if premapped {
		r.freeDescriptors(k, io)
	} else {
		r.freeLists(k, io)
	}
}

// layout checks a command against the rules of section 17.3 of the reference, worked out
// here once more.
func layout(t require.TestingT, k *kernel.Task, io *iod, array []hw.BusAddr, off, length int) {
	first, in := off/CtrlPageSize, off%CtrlPageSize
	pages := (in + length + CtrlPageSize - 1) / CtrlPageSize
	require.EqualValues(t, array[first]+hw.BusAddr(in), io.cmd.DPTR1)
	switch pages {
	case 1:
		require.Zero(t, io.cmd.DPTR2)
		require.Empty(t, io.lists)
		return
	case 2:
		require.EqualValues(t, array[first+1], io.cmd.DPTR2)
		require.Empty(t, io.lists)
		return
	}
	e := pages - 1
	require.Len(t, io.lists, (e-1+510)/511)
	require.EqualValues(t, io.lists[0].addr, io.cmd.DPTR2)
	require.Equal(t, e <= 32, io.lists[0].pool.size == 256)
	for i, b := range io.lists {
		require.Zero(t, int(b.addr)%b.pool.size)
		n := min(e, 512)
		if e > 512 {
			n = 511
			require.EqualValues(t, io.lists[i+1].addr, b.load(k, 511), "the link")
		}
		for j := range n {
			first++
			require.EqualValues(t, array[first], b.load(k, j))
		}
		e -= n
	}
	require.Zero(t, e)
}

// sizes are pairs of offset and length around whole numbers of pages.
func sizes(yield func(off, length int) bool) {
	for _, off := range []int{0, 4, 512, 2048, 4092} {
		for _, pages := range []int{1, 2, 3, 32, 33, 34, 35, 512, 513, 514, 1023, 1024, 1025, 2048} {
			for _, d := range []int{-512, -4, 0, 4, 512} {
				if n := pages*CtrlPageSize + d; n <= maxTransferSize && !yield(off, n) {
					return
				}
				if n := pages*CtrlPageSize + d - off; n > 0 && !yield(off, n) {
					return
				}
			}
		}
	}
}

var _ = conform(cases{
	{"C-NVME-01", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r, array := newRig(k, Config{}, 0), fakeArray(2051)
			for off, length := range sizes {
				for _, premapped := range []bool{false, true} {
					io, s := r.build(k, premapped, array, off, length)
					require.Equal(t, kernel.BLK_STS_OK, s)
					layout(t, k, io, array, off, length)
					r.free(k, premapped, io)
				}
			}
			io, _ := r.build(k, true, array, 4092, maxTransferSize)
			require.Len(t, io.lists, maxLists)
		})
	}},
	{"C-NVME-02", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r, array := newRig(k, Config{}, 0), fakeArray(600)
			io, _ := r.build(k, true, array, 0, 513*CtrlPageSize)
			require.Len(t, io.lists, 1)
			require.EqualValues(t, array[512], io.lists[0].load(k, 511))
			require.Len(t, r.walked(k, io), 513)
		})
	}},
	{"C-NVME-03", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r, array := newRig(k, Config{}, 0), fakeArray(600)
			io, _ := r.build(k, true, array, 0, 514*CtrlPageSize)
			require.Len(t, io.lists, 2)
			require.EqualValues(t, io.lists[1].addr, io.lists[0].load(k, 511))
			require.EqualValues(t, array[512], io.lists[1].load(k, 0), "the moved entry")
			require.EqualValues(t, array[513], io.lists[1].load(k, 1))
			require.Len(t, r.walked(k, io), 514)
		})
	}},
	{"C-NVME-04", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWalk(k)
			// A list that begins at the last slot but one of its page, and goes on elsewhere.
			at := w.put(k, 510, 0x9000)
			next := w.put(k, 0, 0xa000, 0xb000)
			w.words(k, at+8, uint64(next))
			segs, s := w.prp(k, 0x8004, uint64(at), 4092+3*4096)
			require.Equal(t, Success, s)
			require.Equal(t, []hw.Segment{{Addr: 0x8004, Len: 4092}, {Addr: 0x9000, Len: 4096}, {Addr: 0xa000, Len: 4096}, {Addr: 0xb000, Len: 4096}}, segs)
			// The last slot is an entry if it is the last.
			segs, s = w.prp(k, 0x8000, uint64(at), 3*4096)
			require.Equal(t, Success, s)
			require.Equal(t, hw.BusAddr(next), segs[2].Addr)
			_, s = w.prp(k, 0x8000, uint64(at)+4, 3*4096)
			require.Equal(t, InvalidPRPOffset|DNR, s, "a list at a multiple of four")
			w.words(k, at+8, uint64(next)+8)
			_, s = w.prp(k, 0x8000, uint64(at), 4*4096)
			require.Equal(t, InvalidPRPOffset|DNR, s, "only the first list has an offset")
		})
	}},
	{"C-NVME-05", func(t *testing.T) {
		for pages, want := range map[int][2]int{2: {0, 0}, 3: {1, 0}, 33: {1, 0}, 34: {0, 1}, 600: {0, 2}} {
			for _, fault := range [][]Fault{nil, {{Status: InternalError | DNR}}, {{Status: InternalError}}} {
				for _, useToken := range []bool{false, true} {
					passes(t, func(k *kernel.Task) {
						r := newRig(k, Config{}, pages)
						r.ctrl.Inject(fault...)
						left := 0
						bio := r.bio
						if useToken {
							r.premap(k)
							bio, left = r.tokenBio, 2*pages
						}
						if pages > 256 && !useToken {
							return // more segments than a request may have
						}
						r.queue.Limits.MaxSegments = 1024
						r.queue.Limits.MaxSectors = r.queue.Limits.MaxHWSectors
						r.queue.SubmitBio(k, bio(blkmq.REQ_OP_READ, 0, 0, pages*CtrlPageSize))
						require.Equal(t, want, [2]int{r.small.inUse, r.large.inUse})
						k.Explore()
						require.Len(t, r.ended, 1)
						r.quiet(k, left)
					})
				}
			}
		}
		// The I/O error for segments that PRPs cannot describe: 6.12 forgets the lists.
		for profile, left := range map[kernel.Profile]int{kernel.V6_12: 1, kernel.RFCBase: 0} {
			on.Run(func(k *kernel.Task) {
				k.K.Profile = profile
				r := newRig(k, Config{}, 0)
				io, _ := r.take(blkmq.REQ_OP_READ, 3*4096+512)
				io.segs = []hw.Segment{{Addr: 0x1000, Len: 4096}, {Addr: 0x3000, Len: 4096 + 512}, {Addr: 0x6000, Len: 4096}}
				require.Equal(t, kernel.BLK_STS_IOERR, r.setupPRPs(k, io, io.bytes))
				require.Equal(t, left, r.small.inUse)
			})
		}
	}},
	{"C-NVME-06", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWalk(k)
			list := func(words ...uint64) uint64 { return uint64(w.put(k, 0, words...)) }
			for name, c := range map[string]struct {
				prp1, prp2 uint64
				length     int
				want       Status
			}{
				"PRP1 at a multiple of two": {0x8002, 0, 512, InvalidPRPOffset | DNR},
				"PRP2 with an offset":       {0x8000, 0x9004, 8192, InvalidPRPOffset | DNR},
				"no PRP2":                   {0x8000, 0, 8192, InvalidField | DNR},
				"no list":                   {0x8000, 0, 3 * 4096, InvalidField | DNR},
				"no PRP1":                   {0, list(0x9000, 0xa000), 3 * 4096, InvalidField | DNR},
				"entry with an offset":      {0x8000, list(0x9000, 0xa200), 3 * 4096, InvalidPRPOffset | DNR},
				"no entry":                  {0x8000, list(0x9000, 0), 3 * 4096, InvalidField | DNR},
				"list nowhere":              {0x8000, 0x666000, 3 * 4096, DataTransferError},
				"good":                      {0x8000, list(0x9000, 0xa000), 3 * 4096, Success},
			} {
				_, s := w.prp(k, c.prp1, c.prp2, c.length)
				require.Equal(t, c.want, s, name)
			}
			// A list that leads back to itself, and one that does so by way of another.
			self := w.put(k, 0)
			for i := range 511 {
				w.words(k, self+hw.BusAddr(8*i), 0x9000)
			}
			w.words(k, self+511*8, uint64(self))
			_, s := w.prp(k, 0x8000, uint64(self), 2000*4096)
			require.Equal(t, InvalidField|DNR, s)
			one, two := w.put(k, 511, 0), w.put(k, 0)
			w.words(k, one, uint64(two))
			for i := range 511 {
				w.words(k, two+hw.BusAddr(8*i), 0x9000)
			}
			w.words(k, two+511*8, uint64(one)&^4095)
			_, s = w.prp(k, 0x8000, uint64(one), 2000*4096)
			require.Equal(t, InvalidField|DNR, s)
		})
	}},
	{"C-NVME-09", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			for _, useToken := range []bool{false, true} {
				r := newRig(k, Config{}, 4)
				bio := r.bio
				if useToken {
					r.premap(k)
					bio = r.tokenBio
				}
				r.queue.SubmitBio(k, bio(blkmq.REQ_OP_READ, 0, 512, 2*4096))
				segs := r.walked(k, &r.iods[0][0])
				require.Equal(t, 512, segs[len(segs)-1].Len)
				if useToken {
					k.Explore()
					require.True(t, r.buffer().Equal(hw.Bytes("buffer", 0, 4*4096).Overwrite(512, hw.Bytes("nvme0", 0, 8192))))
				}
			}
		})
	}},
})

// walk is a controller, with memory in which lists can be put.
type walk struct {
	*rig
	lists map[hw.BusAddr][]*hw.Page
}

func newWalk(k *kernel.Task) *walk {
	return &walk{newRig(k, Config{SGL: true}, 0), map[hw.BusAddr][]*hw.Page{}}
}

// put makes a page of its own with words from the i-th on, and returns where they are.
func (w *walk) put(k *kernel.Task, i int, words ...uint64) hw.BusAddr {
	p := w.m.Table(k.Task, "list", 1)
	a := w.ctrl.IOMMU.MapCoherent(k.Task, p)[0].Addr
	w.lists[a] = p
	hw.StoreWords(k.Task, p, i, words...)
	return a + hw.BusAddr(8*i)
}

// words changes words.
func (w *walk) words(k *kernel.Task, a hw.BusAddr, words ...uint64) {
	hw.StoreWords(k.Task, w.lists[a&^4095], int(a%4096)/8, words...)
}

func (w *walk) prp(k *kernel.Task, prp1, prp2 uint64, length int) ([]hw.Segment, Status) {
	return w.ctrl.walker.prp(k, prp1, prp2, length, nil)
}

// Whatever a range of pages, what the driver programs the controller finds: the pages, in
// their order, and no byte twice or not at all.
func TestBuildThenWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.IntRange(0, 8<<20).Draw(t, "offset") &^ 3
		length := rapid.OneOf(rapid.IntRange(4, 64<<10), rapid.IntRange(4, maxTransferSize)).Draw(t, "length") &^ 3
		premapped := rapid.Bool().Draw(t, "premapped")
		passes(t, func(k *kernel.Task) {
			r, array := newRig(k, Config{}, 0), fakeArray((off+length)/CtrlPageSize+2)
			io, s := r.build(k, premapped, array, off, length)
			require.Equal(t, kernel.BLK_STS_OK, s)
			at := off
			for _, s := range r.walked(k, io) {
				require.Equal(t, array[at/CtrlPageSize]+hw.BusAddr(at%CtrlPageSize), s.Addr)
				require.LessOrEqual(t, at%CtrlPageSize+s.Len, CtrlPageSize)
				at += s.Len
			}
			require.Equal(t, off+length, at)
			r.free(k, premapped, io)
			r.quiet(k, 0)
		})
	})
}
