//go:build linux

package realhw

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
)

// Transfers of any length between any bytes of the pages and whole blocks of the drive do
// what the model says, directly or through a bounce buffer, and move no other byte.
func TestTransfersDoWhatTheModelSays(t *testing.T) {
	for _, overlap := range []bool{false, true} {
		b := needReal(t, overlap)
		rapid.Check(t, func(rt *rapid.T) {
			type op struct {
				write     bool
				at, n     int
				lba       uint64
				cut       int // where the segment is cut in two
				unaligned bool
			}
			const pages = 4
			ops := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) op {
				n := 512 * rapid.IntRange(1, 12).Draw(rt, "blocks")
				o := op{
					write: rapid.Bool().Draw(rt, "write"), n: n,
					at:        rapid.IntRange(0, pages*hw.PageSize-n).Draw(rt, "at"),
					lba:       rapid.Uint64Range(120, 140).Draw(rt, "lba"), // around the end of a chunk
					cut:       rapid.IntRange(0, n).Draw(rt, "cut"),
					unaligned: rapid.Bool().Draw(rt, "unaligned"),
				}
				if !o.unaligned {
					o.at, o.cut = o.at/512*512, o.cut/512*512
				}
				return o
			}), 1, 6).Draw(rt, "ops")
			f := once(t, b, func(st *sim.Task) {
				w := newBoard(st, pages)
				drive := hw.Bytes("drive", 0, 200*512)
				for _, o := range ops {
					// The first part of a transfer is at the end of the pages' range, the rest
					// at its beginning.
					segs := []hw.Segment{{Addr: w.segs[0].Addr + hw.BusAddr(o.at+o.n-o.cut), Len: o.cut}, {Addr: w.segs[0].Addr + hw.BusAddr(o.at), Len: o.n - o.cut}}
					x := hw.Transfer{Dir: hw.ToDevice, Segs: segs, Medium: "drive", At: o.lba * 512}
					if !o.write {
						x.Dir, x.Data = hw.FromDevice, drive.Slice(int(o.lba)*512, o.n)
					}
					data, _ := w.iommu.Transfer(st, x)
					if o.write {
						drive = drive.Overwrite(int(o.lba)*512, data)
					}
				}
				// Look goes by the model; these bytes do not.
				all := hw.Peek(w.pages, 0, pages*hw.PageSize)
				if !bytes.Equal(all.Bytes(), w.session().frames[w.pages[0]].IO.Bytes) {
					st.Fail(hw.DataCorruption, "the pages do not hold what a look says")
				}
				same(st, hw.LookMedium(w.real, "drive", 0, drive), drive)
				if n := len(w.session().taken); n != 1 {
					st.Fail(sim.Bug, "%d buffers are taken, and the pages need one", n)
				}
				for _, r := range all {
					if len(r.Source) > 5 {
						st.Fail(hw.DataCorruption, "the pages hold %s", all)
					}
				}
			})
			if f != nil {
				rt.Fatal(f)
			}
		})
		m := b.Moved()
		t.Logf("%s: %+v", b.Note(), m)
		require.NotZero(t, m.Requests)
		require.NotZero(t, m.Bounced)
		require.Less(t, m.Bounced, m.Requests, "most go without a bounce buffer")
	}
}

// What a run leaves on the drive, the next one does not find; and a drive is its name.
func TestRunsBeginAnew(t *testing.T) {
	b := needReal(t, false)
	for range 3 {
		require.Nil(t, once(t, b, func(st *sim.Task) {
			w := newBoard(st, 2)
			fresh := hw.NewMemory(st).Alloc(st, "fresh", 2)
			same(st, hw.Peek(fresh, 0, 8192), hw.Zeroes(8192))
			hw.Copy(st, fresh, w.pages)
			same(st, hw.Peek(fresh, 0, 8192), hw.Bytes("vram", 0, 8192))
			for _, at := range []uint64{0, chunkSize - 4096, 1 << 40} {
				same(st, hw.LookMedium(w.real, "drive", at, hw.Bytes("drive", at, 8192)), hw.Bytes("drive", at, 8192))
				same(st, hw.LookMedium(w.real, "other", at, hw.Bytes("other", at, 512)), hw.Bytes("other", at, 512))
				w.write(st, at, 8192)
				w.real.StoreMedium("drive", at+4096, hw.Zeroes(512))
				want := hw.Concat(hw.Bytes("vram", 0, 4096), hw.Zeroes(512), hw.Bytes("vram", 4608, 3584))
				same(st, hw.LookMedium(w.real, "drive", at, want), want)
			}
		}))
	}
	require.Len(t, b.idle, 1, "one machine at a time needs one session")
}

// Bytes that are not where the model has them are found by a look, and named.
func TestDamageIsFound(t *testing.T) {
	b := needReal(t, false)
	for _, c := range []struct {
		name, what string
		damage     func(s *session, page []byte)
	}{
		{"one byte", "byte 700 is 0x", func(s *session, page []byte) { page[700] ^= 0xff }},
		{"somebody else's", "byte 512 is byte 4096 of drive (real), not byte 512 of vram",
			func(s *session, page []byte) { copy(page[512:], hw.Bytes("drive", 4096, 512).Bytes()) }},
		{"of its own, elsewhere", "byte 0 is byte 4096 of vram (real), not byte 0 of vram",
			func(s *session, page []byte) { copy(page, hw.Bytes("vram", 4096, 4096).Bytes()) }},
		{"nothing", "byte 100 is a zero, not byte 100 of vram", func(s *session, page []byte) { clear(page[100:200]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, medium := range []bool{false, true} {
				f := once(t, b, func(st *sim.Task) {
					w := newBoard(st, 2)
					s := w.session()
					same(st, hw.LookMedium(s, "drive", 0, hw.Bytes("drive", 0, 8192)), hw.Bytes("drive", 0, 8192))
					w.write(st, 0, hw.PageSize)
					want := hw.Bytes("vram", 0, hw.PageSize)
					if medium {
						p := s.media["drive"].chunks[0]
						mem := s.aligned(hw.PageSize)
						s.read(p.at, mem)
						c.damage(s, mem)
						s.write(p.at, mem)
						same(st, hw.LookMedium(s, "drive", 0, want), want)
					} else {
						c.damage(s, s.frames[w.pages[0]].IO.Bytes)
						same(st, hw.Peek(w.pages, 0, hw.PageSize), want)
					}
				})
				require.NotNil(t, f)
				require.Equal(t, hw.DataCorruption, f.Kind)
				require.Contains(t, f.Message, c.what)
			}
		})
	}
}

// A transfer that is late happens, and the failure says what it did.
func TestStaleTransfersHappen(t *testing.T) {
	b := needReal(t, false)
	for _, write := range []bool{false, true} {
		f := once(t, b, func(st *sim.Task) {
			w := newBoard(st, 2)
			hw.Give(st, w.pages, "evicted")
			if write {
				w.write(st, 4096, 8192)
			} else {
				w.read(st, 4096, 8192)
			}
		})
		require.NotNil(t, f)
		require.Equal(t, hw.StaleDMA, f.Kind)
		want := "; really: byte 0 of the page is 0x"
		if write {
			want = "; really: byte 4096 of the drive is 0x"
		}
		require.Contains(t, f.Message, want)
		require.Contains(t, f.Message, map[bool]string{false: "(byte 4096 of drive) now, and was 0x", true: "(byte 0 of evicted) now"}[write])
	}
}

// What does not translate is not transferred, but what comes before it is.
func TestFaultsTransferNothing(t *testing.T) {
	b := needReal(t, false)
	require.Nil(t, once(t, b, func(st *sim.Task) {
		w := newBoard(st, 2)
		segs := []hw.Segment{{Addr: w.segs[0].Addr, Len: 4096}, {Addr: hw.Poison, Len: 4096}}
		_, f := w.iommu.Transfer(st, hw.Transfer{Dir: hw.ToDevice, Segs: segs, Medium: "drive"})
		if f == nil {
			st.Fail(sim.Bug, "no fault")
		}
		same(st, hw.LookMedium(w.real, "drive", 0, hw.Bytes("drive", 0, 8192)), hw.Bytes("drive", 0, 8192))
		w.iommu.Transfer(st, hw.Transfer{Dir: hw.FromDevice, Segs: segs, Data: hw.Bytes("drive", 0, 8192), Medium: "drive"})
		same(st, hw.Peek(w.pages, 0, 8192), hw.Concat(hw.Bytes("drive", 0, 4096), hw.Bytes("vram", 4096, 4096)))
	}))
}

// submitted is ready when something was submitted.
type submitted struct {
	s    *session
	from hw.Ticket
}

func (g *submitted) Ready(*sim.Task) bool { return g.s.sent > g.from }

// Who takes pages away once a transfer was submitted, and not once it is over, is right only
// where transfers take no time; so is who unmaps them.
func TestOverlappedTransfersTakeTime(t *testing.T) {
	for _, c := range []struct {
		overlap, patient, unmap bool
		kind                    sim.Kind
	}{
		{overlap: false},
		{overlap: false, unmap: true},
		{overlap: true, kind: hw.StaleDMA},
		{overlap: true, unmap: true, kind: hw.IOMMUFault},
		{overlap: true, patient: true},
		{overlap: true, patient: true, unmap: true},
	} {
		b := needReal(t, c.overlap)
		r := explore.Run(t.Context(), b.Program(func(st *sim.Task) {
			w := newBoard(st, 1)
			s := w.session()
			g := &submitted{s, s.sent}
			drive := st.Go("drive", func(t *sim.Task) {
				if _, f := w.read(t, 0, hw.PageSize); f != nil {
					f.Fail(t)
				}
			})
			st.Go("exporter", func(t *sim.Task) {
				t.Step(sim.Op{Verb: "wait", Guard: g})
				if c.patient {
					t.Join(drive)
				}
				if c.unmap {
					w.iommu.Unmap(t, w.segs)
				} else {
					hw.Give(t, w.pages, "evicted")
				}
			})
			st.Go("other", func(t *sim.Task) { t.Step(sim.Op{Verb: "other"}) })
			st.Explore()
			if !c.unmap {
				same(st, hw.Peek(w.pages, 0, hw.PageSize), hw.Bytes("evicted", 0, hw.PageSize))
			}
		}), explore.NewDFS(explore.Coverage{}), explore.Options{})
		require.NoError(t, b.Err())
		if c.kind == "" {
			require.Nil(t, r.Found, "%+v", c)
			require.True(t, r.Exhausted)
			continue
		}
		require.NotNil(t, r.Found, "%+v", c)
		require.Equal(t, c.kind, r.Found.Failure.Kind)
		r.Found.Machine.Close()
	}
}

// A run that ends while bytes are under way is over when they have arrived.
func TestRunsWaitForTheirBytes(t *testing.T) {
	b := needReal(t, true)
	r := explore.Run(t.Context(), b.Program(func(st *sim.Task) {
		w := newBoard(st, 16)
		s := w.session()
		g := &submitted{s, s.sent}
		st.Go("drive", func(t *sim.Task) { w.read(t, 0, 16*hw.PageSize) })
		st.Go("other", func(t *sim.Task) {
			t.Step(sim.Op{Verb: "wait", Guard: g})
			if s.underWay > 0 {
				t.Fail(sim.Bug, "it ends here")
			}
		})
		st.Explore()
	}), explore.NewDFS(explore.Coverage{}), explore.Options{MinimizeRuns: -1})
	require.NoError(t, b.Err())
	require.NotNil(t, r.Found)
	require.Equal(t, sim.Bug, r.Found.Failure.Kind)
	r.Found.Machine.Close()
	require.Len(t, b.idle, 1)
	require.Zero(t, b.idle[0].underWay)
	require.Empty(t, b.idle[0].flights)
}
