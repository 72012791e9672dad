package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// BenchmarkDataPath reads 4 KiB at a queue depth of 32 through the whole path, from
// submission to completion entry, under a random walk, and checks the data after each
// completion. The figure is I/Os per second.
func BenchmarkDataPath(b *testing.B) {
	const depth, rounds = 32, 16
	d, err := FindDesign("rfc-v2-repaired")
	if err != nil {
		b.Fatal(err)
	}
	body := func(st *sim.Task) {
		t, w := boot(st, Case{Design: d}, config{pages: depth, tags: depth})
		w.do(t, transfer{n: page})
		t.Go("io_uring", func(t *kernel.Task) {
			var inFlight [depth]transfer // by the place in the buffer, which is the user data
			issue := func(slot, n int) {
				inFlight[slot] = transfer{at: slot * page, n: page, lba: n * page}
				w.submitAs(t, inFlight[slot], uint64(slot))
			}
			for n := range depth {
				issue(n, n)
			}
			for n := depth; n < depth*(rounds+1); n++ {
				c := w.rings[0].WaitCQE(t)
				w.expect(t, inFlight[c.UserData], c)
				if n < depth*rounds {
					issue(int(c.UserData), n)
				}
			}
		})
		t.Explore()
		w.teardown(t)
	}
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewRandom(1)
	steps := 0
	for b.Loop() {
		r := m.Run(s, body)
		if r.Failure != nil {
			b.Fatal(r.Failure)
		}
		steps += r.Steps
		s.Done(r)
	}
	b.ReportMetric(float64(b.N*depth*rounds)/b.Elapsed().Seconds(), "IO/s")
	b.ReportMetric(float64(steps)/float64(b.N*depth*rounds), "steps/IO")
}

// A read that nobody asked for leaves no trace in the data, and is seen all the same.
func TestTransferredTwice(t *testing.T) {
	d, err := FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	for _, extra := range []bool{false, true} {
		r := m.Run(sim.Default{}, func(st *sim.Task) {
			k, w := boot(st, Case{Design: d}, config{})
			x := transfer{n: page}
			w.do(k, x)
			if extra {
				w.submit(k, x)
				w.rings[0].WaitCQE(k)
			}
			w.teardown(k)
		})
		if !extra {
			require.Nil(t, r.Failure)
			continue
		}
		require.NotNil(t, r.Failure)
		require.Contains(t, r.Failure.Message, "nvme0 transferred 8192 bytes, and 4096 were asked for")
	}
}
