package simpath

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// right are the designs that must be right.
func right() []*scenarios.Design {
	var out []*scenarios.Design
	for _, d := range scenarios.Designs() {
		if d.Name != "rfc-v2" {
			out = append(out, d)
		}
	}
	return out
}

// drawMoves draws moves in rising order.
func drawMoves(w *workload.Workload) *rapid.Generator[[]Move] {
	one := rapid.Custom(func(r *rapid.T) Move {
		return Move{
			Buf: rapid.IntRange(0, w.Buffers-1).Draw(r, "buffer"), After: rapid.IntRange(0, len(w.Ops)).Draw(r, "after"),
			Pipelined: rapid.Bool().Draw(r, "pipelined"),
		}
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 8), func(m []Move) []Move {
		slices.SortStableFunc(m, func(a, b Move) int { return a.After - b.After })
		return m
	})
}

// withTokens draws how buffers that are dma-bufs of a design move.
func withTokens(r *rapid.T, d *scenarios.Design, w *workload.Workload, t workload.Traits) Options {
	return Options{
		Profile: kernel.RFCBase, Traits: t, Design: d.Maker(), Fixes: d.Fixes,
		Tags:  rapid.IntRange(1, 4).Draw(r, "tags"),
		Moves: drawMoves(w).Draw(r, "moves"),
	}
}

// agree runs a workload with dma-bufs, and wants what it gave without.
func agree(r *rapid.T, m *sim.Machine, s sim.Strategy, w *workload.Workload, o Options, left string, want *workload.Outcome) {
	got, err := Run(m, s, w, o)
	if err != nil {
		r.Fatalf("dma-bufs: %v\n%s", err, w)
	}
	if diff := difference(w, left, want, "dma-bufs", got); diff != "" {
		r.Fatal(diff)
	}
	if err := workload.Check(w, o.Traits, got); err != nil {
		r.Fatal(err)
	}
}

// Dma-bufs that move give the results and bytes of ordinary buffers.
func TestTokens(t *testing.T) {
	t.Parallel()
	m := sim.NewMachine()
	defer m.Close()
	for _, d := range right() {
		t.Run(d.Name, func(t *testing.T) {
			check(t, 1, func(r *rapid.T) {
				w := ForTokens(draw.Workload(regular).Draw(r, "workload"), regular)
				o, s := withTokens(r, d, w, regular), strategy(r)
				want, err := Run(m, sim.Default{}, w, Options{Profile: kernel.RFCBase, Traits: regular, MemAlign: 512})
				if err != nil {
					r.Fatalf("ordinary: %v\n%s", err, w)
				}
				agree(r, m, s, w, o, "ordinary", want)
			})
		})
	}
}

// With one repair off the same property fails: it can.
func TestTokensFindTheRace(t *testing.T) {
	t.Parallel()
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	w, err := workload.Parse(`workload buffers=1 size=8192 file=16384
register b0
read_fixed hold slot=0 b0+0:4096 off=0
write_fixed slot=0 b0+4096:4096 off=8192
read_fixed slot=0 b0+4096:4096 off=4096
wait
`)
	require.NoError(t, err)
	for _, c := range []struct {
		off  token.Fix
		kind sim.Kind
	}{{0, ""}, {token.FixPublishUnderResv, hw.StaleDMA}, {token.FixFreeRequest, sim.Deadlock}} {
		o := Options{Profile: kernel.RFCBase, Traits: regular, Design: d.Maker(), Fixes: token.AllFixes() &^ c.off, Tags: 2}
		o.Moves = []Move{{After: 1}, {After: 2}, {After: 3}}
		strategies, kinds := []sim.Strategy{explore.NewRandom(1), explore.NewPCT(1, 3)}, map[sim.Kind]int{}
		runs := 600
		if testing.Short() && c.kind == "" {
			runs = 60
		}
		for i := range runs {
			var failure *sim.Failure
			if _, err := Run(m, strategies[i%2], w, o); errors.As(err, &failure) {
				kinds[failure.Kind]++
				break
			}
		}
		if c.kind == "" {
			require.Empty(t, kinds)
		} else {
			require.Equal(t, map[sim.Kind]int{c.kind: 1}, kinds, "without %v", c.off)
		}
	}
}

// What a dma-buf answers otherwise than an ordinary buffer, and where the specification of RFC
// v2 says so.
func TestTokenDifferences(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	for _, c := range []struct{ step, op, ordinary, token string }{
		{"IMP-2: length 0", "read_fixed slot=0 b0+0:0 off=0", "0", "-EFAULT"},
		{"IMP-2: length 0", "write_fixed slot=0 b0+0:0 off=0", "0", "-EFAULT"},
		{"IMP-2: not the file of the registration", "read_fixed slot=0 b0+0:512 off=0 to=readonly", "512", "-EBADF"},
		{"IMP-2: not the file of the registration", "read_fixed slot=0 b0+0:512 off=0 to=dma0", "-EINVAL", "-EBADF"},
		{"BIO-4: alignment is that of the device for each bio", "read_fixed slot=0 b0+2:512 off=0", "512", "-EINVAL"},
		{"BIO-4: alignment is that of the device for each bio", "read_fixed slot=0 b0+4:4096 off=0", "-EINVAL", "4096"},
		{"REG-1: all of a dma-buf is registered", "update 0 b0+512:512", "1", "-EFAULT"},
		{"no step: memory that moves cannot be pinned", "read b0+0:512 off=0", "512", "-EFAULT"},
	} {
		t.Run(c.op, func(t *testing.T) {
			w, err := workload.Parse("workload buffers=1 size=8192 file=8192\nregister b0\n" + c.op)
			require.NoError(t, err)
			traits := Raw()
			out, err := Run(m, sim.Default{}, w, Options{Profile: kernel.RFCBase, Traits: traits, MemAlign: 512})
			require.NoError(t, err)
			require.Equal(t, c.ordinary, out.Results[1].String(), c.step)
			for _, d := range right() {
				out, err = Run(m, sim.Default{}, w, Options{Profile: kernel.RFCBase, Traits: traits, Design: d.Maker(), Fixes: d.Fixes})
				require.NoError(t, err)
				require.Equal(t, c.token, out.Results[1].String(), "%s, %s", c.step, d.Name)
			}
		})
	}
}
