package hw

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// accesses tells how the last event accesses the IOMMU and pages, in the order of i, then
// the pages: "i:w 2a0:r".
func accesses(m *sim.Machine, u *IOMMU, memory *Memory) string {
	e := &m.Events()[len(m.Events())-1]
	all := append([]sim.Access{{Obj: e.Obj, Class: e.Class}}, m.Extra(e)...)
	letter := map[sim.Class]string{sim.Read: "r", sim.Write: "w"}
	s := ""
	note := func(name string, o *sim.Object) {
		how := ""
		for _, a := range all {
			if a.Obj == o && how != "w" {
				how = letter[a.Class]
			}
		}
		if how != "" {
			s += fmt.Sprintf("%s:%s ", name, how)
		}
	}
	note("i", &u.obj)
	for _, p := range memory.pages {
		note(fmt.Sprintf("%x", p.PFN), &p.obj)
	}
	return s
}

// Whatever depends on the translation or on pages, or changes them, says so.
func TestAccessesAreDeclared(t *testing.T) {
	something := func(st *sim.Task) { st.Step(sim.Op{Verb: "something"}) }
	bounce := Config{Bounce: true}
	for name, c := range map[string]struct {
		cfg  Config
		do   func(st *sim.Task, b *board)
		want string
	}{
		"map": {Config{}, func(st *sim.Task, b *board) {
			something(st)
			b.iommu.Map(st, b.pages, ToDevice)
		}, "2a0:r 2a1:r "},
		"map again": {Config{Reuse: true}, func(st *sim.Task, b *board) {
			b.iommu.Unmap(st, b.segs)
			something(st)
			b.iommu.Map(st, b.pages, ToDevice)
		}, "i:w 2a0:r 2a1:r "},
		"passthrough": {Config{Mode: Passthrough}, func(st *sim.Task, b *board) {
			p := b.memory.Alloc(st, "p", 1)
			something(st)
			b.iommu.Map(st, p, ToDevice)
		}, "i:w 2a2:r "},
		"unmap": {Config{}, func(st *sim.Task, b *board) { b.iommu.Unmap(st, b.segs) }, "i:w "},
		"bounce": {bounce, func(st *sim.Task, b *board) {
			something(st)
			b.iommu.Map(st, b.pages[1:], ToDevice)
		}, "2a1:r 2a4:w "},
		"bounced dma":   {bounce, func(st *sim.Task, b *board) { b.write(st, "drive") }, "i:r 2a2:w 2a3:w "},
		"bounced unmap": {bounce, func(st *sim.Task, b *board) { b.iommu.Unmap(st, b.segs) }, "i:w 2a0:w 2a1:w 2a2:w 2a3:w "},
		"for device": {bounce, func(st *sim.Task, b *board) {
			b.iommu.SyncForDevice(st, b.at(PageSize), 1, ToDevice)
		}, "i:r 2a1:r 2a3:w "},
		"for cpu": {bounce, func(st *sim.Task, b *board) {
			b.iommu.SyncForCPU(st, b.at(0), 1, FromDevice)
		}, "i:r 2a0:w 2a2:r "},
		"no sync": {Config{}, func(st *sim.Task, b *board) {
			something(st)
			b.iommu.SyncForCPU(st, b.at(0), 1, FromDevice)
		}, ""},
		"words": {Config{}, func(st *sim.Task, b *board) {
			something(st)
			b.iommu.WriteWords(st, b.at(8), []uint64{1})
		}, "i:r 2a0:w "},
		"flush": {Config{Mode: Lazy}, func(st *sim.Task, b *board) { b.iommu.Flush(st) }, "i:w "},
	} {
		t.Run(name, func(t *testing.T) {
			m := sim.NewMachine()
			defer m.Close()
			var b *board
			require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
				b = newBoardWith(st, 2, c.cfg, Bidirectional)
				c.do(st, b)
			}).Failure)
			require.Equal(t, c.want, accesses(m, b.iommu, b.memory))
		})
	}
	t.Run("timer", func(t *testing.T) {
		m := sim.NewMachine()
		defer m.Close()
		require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
			b := newBoardWith(st, 2, Config{Mode: Lazy}, Bidirectional)
			st.Go("driver", func(st *sim.Task) { b.iommu.Unmap(st, b.segs) })
			st.After(2*flushAfter, sim.Quiet, "later", func(*sim.Task) {
				e := &m.Events()[len(m.Events())-2]
				require.Contains(t, m.Extra(e), sim.Access{Obj: &b.iommu.obj, Class: sim.Write})
			})
			st.Explore()
		}).Failure)
	})
}
