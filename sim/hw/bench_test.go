package hw

import (
	"testing"

	"dmasim/sim"
)

// bench runs body b.N times in one run, with a board of some pages.
func bench(b *testing.B, pages int, body func(st *sim.Task, o *board)) {
	b.ReportAllocs()
	done := 0
	m := sim.NewMachine()
	defer m.Close()
	for done < b.N { // events are kept, so that a run should not be too long
		m.Run(sim.Default{}, func(st *sim.Task) {
			o := newBoard(st, pages)
			for range min(1000, b.N-done) {
				body(st, o)
				done++
			}
		})
	}
}

func BenchmarkDMA4K(b *testing.B) {
	data := Bytes("drive", 0, PageSize)
	room := make(Data, 0, 4)
	bench(b, 1, func(st *sim.Task, o *board) {
		o.iommu.DMA(st, FromDevice, o.segs, data)
		o.iommu.DMA(st, ToDevice, o.segs, room)
	})
}

// 128 KiB at an offset of a dword, in segments of a page as PRPs name them.
func BenchmarkDMA128K(b *testing.B) {
	const size = 32 * PageSize
	data := Bytes("drive", 0, size)
	room := make(Data, 0, 4)
	var segs []Segment
	bench(b, 33, func(st *sim.Task, o *board) {
		segs = append(segs[:0], Segment{o.at(4), PageSize - 4})
		for i := 1; i < 32; i++ {
			segs = append(segs, Segment{o.at(i * PageSize), PageSize})
		}
		segs = append(segs, Segment{o.at(size), 4})
		o.iommu.DMA(st, FromDevice, segs, data)
		o.iommu.DMA(st, ToDevice, segs, room)
	})
}

// copied keeps the compiler from leaving copies out.
var copied = &Page{}

func BenchmarkCopyPage(b *testing.B) {
	from, to := &Page{}, copied
	from.contents.Write(4, Bytes("x", 0, 100))
	b.ReportAllocs()
	for range b.N {
		to.contents = from.contents.Copy()
	}
}

// A page of 64 pieces.
func BenchmarkCopyFragmented(b *testing.B) {
	from, to := &Page{}, copied
	for i := range 64 {
		from.contents.Write(i*64, Bytes("x", 0, 10))
	}
	b.ReportAllocs()
	for range b.N {
		to.contents = from.contents.Copy()
	}
}

func BenchmarkDiff(b *testing.B) {
	x, y := Bytes("drive", 0, PageSize), Bytes("drive", 0, PageSize)
	for range b.N {
		x.Diff(y)
	}
}

func BenchmarkReadWords(b *testing.B) {
	w := make([]uint64, WordsPerPage)
	m := sim.NewMachine()
	defer m.Close()
	m.Run(sim.Default{}, func(st *sim.Task) {
		o, _ := lists(st, Config{})
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			st.Step(sim.Op{Verb: "fetch"})
			o.iommu.ReadWords(st, o.at(0), w)
		}
	})
}
