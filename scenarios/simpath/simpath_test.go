package simpath

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// scale is DMASIM_CHECKS, or 1: how many times as many workloads are drawn.
func scale() int {
	n, err := strconv.Atoi(os.Getenv("DMASIM_CHECKS"))
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// regular are the traits of a file of ext4, tmpfs those of one in memory.
var (
	regular = workload.Traits{Direct: true, Block: 512, Mem: 512, Strict: true, ZeroTail: true, DmaBufs: true, Page: 4096}
	tmpfs   = workload.Traits{Direct: true, Block: 512, Mem: 512, DmaBufs: true, Page: 4096}
)

var profiles = []kernel.Profile{kernel.V6_12, kernel.RFCBase, kernel.V7_3}

// strategy draws a random walk or PCT.
func strategy(r *rapid.T) sim.Strategy {
	seed := rapid.Uint64().Draw(r, "seed")
	switch rapid.IntRange(0, 3).Draw(r, "strategy") {
	case 0:
		return sim.Default{}
	case 1:
		return explore.NewPCT(seed, 3)
	}
	return explore.NewRandom(seed)
}

// The simulated path gives the bytes and errnos of the reference model, on every kind of file
// and every version.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	m := sim.NewMachine()
	defer m.Close()
	for name, o := range map[string]Options{
		"regular": {Traits: regular, MemAlign: 512, MayBlock: true},
		"nvme":    {Traits: Raw(), NVMe: true, Tags: 2},
		"device":  {Traits: Raw(), MemAlign: 512},
		"tmpfs":   {Traits: tmpfs, MayBlock: true},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, 1, func(r *rapid.T) {
				o := o
				o.Profile = rapid.SampledFrom(profiles).Draw(r, "profile")
				w := draw.Workload(o.Traits).Draw(r, "workload")
				if o.NVMe && !fitsNVMe(w) {
					return
				}
				out, err := Run(m, strategy(r), w, o)
				if err != nil {
					r.Fatalf("%v\n%s", err, w)
				}
				if err := workload.Check(w, o.Traits, out); err != nil {
					r.Fatal(err)
				}
			})
		})
	}
}

// fitsNVMe tells whether no address is one that a PRP cannot have. Since 6.18 the kernel lets some
// of them through, which the simulated drive ends with an error, as it may.
func fitsNVMe(w *workload.Workload) bool {
	for _, o := range w.Ops {
		if o.Transfer() && o.Mem.At%4 != 0 {
			return false
		}
		for _, r := range o.Regions {
			if r.At%4 != 0 {
				return false
			}
		}
	}
	return true
}

var _ = require.NoError
