package scenarios_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// FuzzParseWorkload: parsing never panics, and what was parsed prints as something that parses to
// the same.
func FuzzParseWorkload(f *testing.F) {
	for n := range 8 {
		f.Add(workloads.Workload(n).String())
	}
	f.Add("exporter=odd,cuts=2/1,row=2,holes,io=r0+8:4/renew")
	f.Add("io=,=,burst=r+")
	f.Fuzz(func(t *testing.T, text string) {
		wl, err := scenarios.ParseWorkload(text)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		again, err := scenarios.ParseWorkload(wl.String())
		require.NoError(t, err)
		require.Equal(t, wl, again)
	})
}

// fields has, for each field of a workload, two that differ in nothing else, and run differently.
var fields = map[string][2]string{
	"exporter":    {"moves=1,io=r0+8", "exporter=pipelined,moves=1,io=r0+8"},
	"cuts":        {"exporter=odd,cuts=1,io=r0+16", "exporter=odd,cuts=2,io=r0+16"},
	"row":         {"exporter=odd,cuts=3,row=1,io=r0+16", "exporter=odd,cuts=3,row=3,io=r0+16"},
	"holes":       {"exporter=odd,cuts=1,io=r0+16", "exporter=odd,cuts=1,holes,io=r0+16"},
	"distant":     {"exporter=pipelined,io=r0+8", "exporter=pipelined,distant,io=r0+8"},
	"reuse":       {"exporter=pipelined,buffers=2,moves=2,io=r0+8", "exporter=pipelined,buffers=2,moves=2,reuse,io=r0+8"},
	"mode":        {"io=r0+8", "mode=sqpoll,io=r0+8"},
	"tags":        {"tags=1,burst=r0+8/r0+8", "burst=r0+8/r0+8"},
	"queues":      {"queues=1,io=r0+8,io=r0+8", "queues=2,io=r0+8,io=r0+8"},
	"batch":       {"queues=2,warm,burst=r0+8/r0+8/r0+8", "queues=2,batch,warm,burst=r0+8/r0+8/r0+8"},
	"sectors":     {"io=r0+16", "sectors=8,io=r0+16"},
	"segments":    {"io=r0+16", "segments=1,io=r0+16"},
	"chunk":       {"io=r0+16", "chunk=8,io=r0+16"},
	"align":       {"io=r0+1", "align=1024,io=r0+1"},
	"bounce":      {"io=r0+8", "bounce,io=r0+8"},
	"lazy":        {"moves=1,io=r0+8", "lazy,moves=1,io=r0+8"},
	"interrupted": {"io=r0+8", "interrupted=1,io=r0+8"},
	"buffers":     {"moves=1,io=r0+8", "buffers=2,moves=1,io=r0+8"},
	"pages":       {"pages=1,io=r0+8,io=r0+8", "pages=3,io=r0+8,io=r0+8"},
	"moves":       {"io=r0+8", "moves=1,io=r0+8"},
	"pipelined":   {"moves=1,io=r0+8", "moves=1,pipelined,io=r0+8"},
	"neighbour":   {"moves=1,io=r0+8", "moves=1,neighbour,io=r0+8"},
	"warm":        {"io=r0+8", "warm,io=r0+8"},
	"reclaims":    {"moves=1,io=r0+8", "moves=1,reclaims=1,io=r0+8"},
	"failures":    {"io=r0+8", "failures=1,io=r0+8"},
	"ragged":      {"exporter=odd,cuts=1,io=r0+16", "exporter=odd,cuts=1,ragged,io=r0+16"},
	"lost":        {"io=r0+8", "lost=1,io=r0+8"},
	"protected":   {"io=r0+8", "protected,io=r0+8"},
	"resets":      {"io=r0+8", "resets=1,io=r0+8"},
	"unbound":     {"io=r0+8", "unbound,io=r0+8"},
	"idle":        {"moves=1,warm,io=r0+8", "moves=1,warm,idle=1,io=r0+8"},
	"exhausted":   {"moves=1,warm,io=r0+8,io=r0+8", "moves=1,warm,exhausted,io=r0+8,io=r0+8"},
	"swap":        {"moves=1,io=r0+8", "moves=1,swap,io=r0+8"},
	"clones":      {"io=r0+8,io=r0+8", "clones=1,io=r0+8,io=r0+8"},
}

// Every field of a workload changes what its tasks do, or what a trace says of it. Only the lengths of
// segments do not, nor protection information: drivers make the same array of pages of any, and leave
// that to the drive, unless they are wrong.
func TestEveryFieldMatters(t *testing.T) {
	_, err := scenarios.ParseWorkload("")
	_, known, _ := strings.Cut(err.Error(), "there are: io, burst, ")
	require.Len(t, fields, len(strings.Split(known, ", ")))
	d, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	m.Trace(true)
	run := func(text string, seed uint64) string {
		c, err := scenarios.ParseCase("workload:"+text, d.Name)
		require.NoError(t, err)
		r := m.Run(explore.NewRandom(seed), c.Program())
		require.Nil(t, r.Failure, text)
		trace := fmt.Sprintf("%x", r.Hash)
		for _, row := range m.Rows() {
			trace += row.Label + row.Text + "\n"
		}
		return trace
	}
	for name, pair := range fields {
		require.Contains(t, known, name)
		differs := false
		for seed := uint64(0); seed < 30 && !differs; seed++ {
			differs = run(pair[0], seed) != run(pair[1], seed)
		}
		require.Equal(t, name != "cuts" && name != "protected", differs, name)
	}
}
