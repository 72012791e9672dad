package hw

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
)

// plainBytes is the simplest backend: bytes in memory, which it does not name if they are not
// the wanted ones. wrong is a byte that looks get wrong.
type plainBytes struct {
	pages  map[*Page][]byte
	medium []byte
	laps   bool
	sent   []*RealTransfer
	wrong  int
}

func (b *plainBytes) Alloc(pages []*Page) {
	for _, p := range pages {
		b.pages[p] = make([]byte, PageSize)
	}
}

func (b *plainBytes) Store(p *Page, off int, data Data) { copy(b.pages[p][off:], data.Bytes()) }
func (b *plainBytes) Copy(to, from *Page, off, n int) {
	copy(b.pages[to][off:off+n], b.pages[from][off:])
}
func (b *plainBytes) Look(p *Page, off int, d Data) Data { return b.look(b.pages[p][off:], d) }
func (b *plainBytes) Overlaps() bool                     { return b.laps }
func (b *plainBytes) Submit(x *RealTransfer) Ticket {
	b.sent = append(b.sent, x)
	return Ticket(len(b.sent))
}
func (b *plainBytes) StoreMedium(_ string, at uint64, d Data) { copy(b.medium[at:], d.Bytes()) }

func (b *plainBytes) LookMedium(_ string, at uint64, d Data) Data { return b.look(b.medium[at:], d) }

func (b *plainBytes) look(mem []byte, want Data) Data {
	got := append([]byte(nil), mem[:want.Len()]...)
	if b.wrong >= 0 && b.wrong < len(got) {
		got[b.wrong] ^= 0xff
	}
	if bytes.Equal(got, want.Bytes()) {
		return want
	}
	return Literal(got)
}

func (b *plainBytes) Reap(n Ticket) {
	x := b.sent[n-1]
	at := int(x.At)
	for _, p := range x.Parts {
		mem := p.Data.Bytes()
		if p.Page != nil {
			mem = b.pages[p.Page][p.Off:][:p.N]
		}
		if x.Dir == FromDevice {
			copy(mem, b.medium[at:])
		} else {
			copy(b.medium[at:], mem)
		}
		at += p.N
	}
}

// Whatever changes contents changes the bytes of a backend in the same way, under every kind
// of IOMMU, and costs no operation more.
func TestBackendsFollow(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	rapid.Check(t, func(rt *rapid.T) {
		c := Config{
			Mode:   rapid.SampledFrom([]Mode{Strict, Lazy, Passthrough}).Draw(rt, "mode"),
			Bounce: rapid.Bool().Draw(rt, "bounce"), Reuse: rapid.Bool().Draw(rt, "reuse"),
		}
		const pages, size = 3, 3 * PageSize
		type op struct{ what, at, n, to int }
		ops := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) op {
			at := rapid.IntRange(0, size-1).Draw(rt, "at")
			return op{rapid.IntRange(0, 10).Draw(rt, "what"), at, rapid.IntRange(1, size-at).Draw(rt, "n"), rapid.IntRange(0, size).Draw(rt, "to")}
		}), 1, 12).Draw(rt, "ops")
		run := func(b *plainBytes) *sim.Result {
			return m.Run(sim.Default{}, func(st *sim.Task) {
				if b != nil {
					Provide(m, b, func() {})
				}
				mem := NewMemory(st)
				c := c
				c.Memory = mem
				u := NewIOMMU(st, "drive")
				u.Configure(st, c)
				buf, spare, table := mem.Alloc(st, "buf", pages), mem.Alloc(st, "spare", pages), mem.Table(st, "table", 1)
				Fill(buf, "buf")
				segs, words := u.Map(st, buf, Bidirectional), u.MapCoherent(st, append(spare[:1:1], table...))
				drive := Bytes("drive", 0, 2*size)
				for _, o := range ops {
					part := []Segment{{segs[0].Addr + BusAddr(o.at), o.n}}
					switch o.what {
					case 0:
						Poke(buf, o.at, Bytes("cpu", uint64(o.to), o.n))
					case 1:
						Store(st, spare, o.at, Zeroes(o.n))
					case 2:
						Copy(st, spare, buf)
					case 3:
						StoreWords(st, spare, o.at/8, uint64(o.n), 2)
					case 4:
						u.WriteWords(st, words[0].Addr+BusAddr(o.at%PageSize/8*8), []uint64{uint64(o.n)})
					case 5:
						u.Transfer(st, Transfer{Dir: FromDevice, Segs: part, Data: drive.Slice(o.to, o.n), Medium: "drive", At: uint64(o.to)})
					case 6:
						data, _ := u.Transfer(st, Transfer{Dir: ToDevice, Segs: part, Medium: "drive", At: uint64(o.to)})
						drive = drive.Overwrite(o.to, data)
					case 7:
						u.DMA(st, FromDevice, part, Bytes("nic", uint64(o.to), o.n))
					case 8:
						u.SyncForCPU(st, part[0].Addr, o.n, Bidirectional)
					case 9:
						u.SyncForDevice(st, part[0].Addr, o.n, Bidirectional)
					case 10: // the table is no part of the backend
						seg := []Segment{{words[len(words)-1].Addr + BusAddr(words[len(words)-1].Len) - PageSize, PageSize}}
						data, _ := u.Transfer(st, Transfer{Dir: ToDevice, Segs: seg, Medium: "drive", At: 0})
						drive = drive.Overwrite(0, data)
					}
				}
				compare := func() {
					for _, p := range append(buf, spare...) {
						if b != nil && !bytes.Equal(b.pages[p], p.contents.runs().Bytes()) {
							st.Fail(DataCorruption, "page %#x differs", p.PFN)
						}
						check(st, Peek([]*Page{p}, 0, PageSize), p.contents.runs())
					}
				}
				compare()
				u.Unmap(st, segs) // which copies what was bounced
				Give(st, spare[2:], "other")
				compare()
				if b != nil && !bytes.Equal(b.medium, drive.Bytes()) {
					st.Fail(DataCorruption, "the drive differs")
				}
			})
		}
		plain := *run(nil)
		if plain.Failure != nil { // a use that means nothing
			return
		}
		real := *run(&plainBytes{pages: map[*Page][]byte{}, medium: Bytes("drive", 0, 2*size).Bytes(), wrong: -1})
		if real.Failure != nil {
			rt.Fatal(real.Failure)
		}
		if plain.Hash != real.Hash {
			rt.Fatal("another run")
		}
	})
}

// A byte that is another one is found by whoever looks, and a transfer to a page that
// belongs to somebody else tells what it did.
func TestBackendsDiffer(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	for _, c := range []struct {
		wrong   int
		message string
		body    func(st *sim.Task, b *board)
	}{
		{-1, "", func(st *sim.Task, b *board) { b.holds(st, 0, PageSize, "vram") }},
		{100, "byte 0 is 0x", func(st *sim.Task, b *board) { b.holds(st, 0, PageSize, "vram") }},
		{-1, "really: byte 0 of the page is 0x", func(st *sim.Task, b *board) {
			Give(st, b.pages, "evicted")
			b.iommu.Transfer(st, Transfer{Dir: FromDevice, Segs: b.segs, Data: Bytes("drive", 0, PageSize), Medium: "drive"})
		}},
		{-1, "really: byte 0 of the drive is 0x", func(st *sim.Task, b *board) {
			Give(st, b.pages, "evicted")
			b.iommu.Transfer(st, Transfer{Dir: ToDevice, Segs: b.segs, Medium: "drive"})
		}},
		{-1, "really: byte 0 of the page is 0x", func(st *sim.Task, b *board) {
			Give(st, b.pages, "evicted")
			b.write(st, "nic")
		}},
	} {
		r := m.Run(sim.Default{}, func(st *sim.Task) {
			Provide(m, &plainBytes{pages: map[*Page][]byte{}, medium: Bytes("drive", 0, PageSize).Bytes(), wrong: c.wrong}, func() {})
			b := &board{memory: NewMemory(st), iommu: NewIOMMU(st, "dev0")}
			b.pages = b.memory.Alloc(st, "vram", 1)
			Fill(b.pages, "vram")
			b.segs = b.iommu.Map(st, b.pages, Bidirectional)
			c.body(st, b)
		})
		if c.message == "" {
			require.Nil(t, r.Failure)
			continue
		}
		require.NotNil(t, r.Failure)
		require.Contains(t, r.Failure.Message, c.message)
	}
}
