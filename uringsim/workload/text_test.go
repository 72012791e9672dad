package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

const everyKind = `workload buffers=2 size=16384 file=65536
register b0+0:16384 b1+512:4096 - null:4096 ro1+0:16384 dma0+0:16384 b0+0:0 -*16385
update -1 b0+0:16384
unregister
read_fixed slot=0 b0+4096:8192 off=512
write_fixed hold async slot=65535 b1-1:512 off=0 to=readonly
read async b0+0:512 off=0 to=dma0
write hold b0+0:512 off=0 to=closed
nop
nop hold
cancel 8
wait
cpu_write b1+0:64 fill=255
cpu_read b0+100:28
`

func TestText(t *testing.T) {
	w, err := workload.Parse(everyKind)
	require.NoError(t, err)
	require.Equal(t, everyKind, w.String())
	require.Equal(t, workload.Op{
		Kind: workload.WriteFixed, Hold: true, Async: true, Slot: 65535, To: workload.ReadOnlyFile,
		Mem: workload.Region{View: workload.Plain, Buf: 1, At: -1, Len: 512},
	}, w.Ops[4])
	short, err := workload.Parse("# a comment\n\nworkload buffers=1 size=4096 file=4096\n  register b0 dma0\n")
	require.NoError(t, err)
	require.Equal(t, "workload buffers=1 size=4096 file=4096\nregister b0+0:4096 dma0+0:4096\n", short.String())
}

func TestParseErrors(t *testing.T) {
	const head = "workload buffers=2 size=4096 file=4096\n"
	for text, want := range map[string]string{
		"":                                        "no workload: the first line",
		"nop":                                     `line 1, "nop": want workload buffers=N`,
		"workload buffers=0 size=1 file=":         "want workload",
		"workload buffers=0 size=4096 file=4096":  "want 1 to 64 buffers",
		"workload buffers=1 size=4097 file=4096":  "multiples of 4096",
		"workload buffers=1 size=4096 file=1e9":   "multiples of 4096",
		head + "fly":                              `there is no operation "fly"`,
		head + "nop 3":                            `"3" is too much`,
		head + "wait hold":                        `"hold" is too much`,
		head + "read_fixed b0 off=0":              `want slot=NUMBER, not "b0"`,
		head + "read_fixed slot=0 b0":             "off=NUMBER is missing",
		head + "read_fixed slot=0":                "memory is missing",
		head + "read_fixed slot=0 - off=0":        `"-" is no memory`,
		head + "read_fixed slot=0 b2 off=0":       "there are 2 buffers, from 0",
		head + "read_fixed slot=0 b off=0":        "there are 2 buffers",
		head + "read_fixed slot=0 b0:4 off=0":     "is no memory",
		head + "read_fixed slot=0 b0+1:-4 off=0":  "is no memory",
		head + "read_fixed slot=0 b0*2 off=0":     "is no memory",
		head + "read_fixed slot=0 b0 off=0 to=no": "want to=closed",
		head + "register null:0":                  "is no memory",
		head + "register -*0":                     "is no memory",
		head + "register x0":                      "is no memory",
		head + "update b0":                        "want NUMBER",
		head + "cpu_write b0 fill=256":            "want fill=0 to fill=255",
	} {
		_, err := workload.Parse(text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

// Whatever text is parsed prints as text that parses to the same.
func FuzzParse(f *testing.F) {
	f.Add(everyKind)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := workload.Parse(text)
		if err != nil {
			return
		}
		again, err := workload.Parse(w.String())
		require.NoError(t, err)
		require.Equal(t, w, again)
	})
}

var nvme = workload.Traits{Direct: true, Block: 512, Mem: 512, Strict: true, DmaBufs: true, Page: 4096}

// Drawn workloads are valid, have no operation that the text loses, and contain every
// kind of operation and of outcome.
func TestDraw(t *testing.T) {
	kinds, results := map[workload.Kind]int{}, map[string]int{}
	property := func(r *rapid.T) {
		w := draw.Workload(nvme).Draw(r, "workload")
		require.NoError(r, w.Validate(nvme))
		back, err := workload.Parse(w.String())
		require.NoError(r, err)
		require.Equal(r, w.String(), back.String())
		out, err := workload.Run(newFake(w), w)
		require.NoError(r, err)
		require.NoError(r, workload.Check(w, nvme, out))
		for i, o := range w.Ops {
			kinds[o.Kind]++
			results[workload.Result{Res: min(1, out.Results[i].Res)}.String()]++
		}
	}
	all := func() bool {
		for _, res := range []string{"0", "1", "-EFAULT", "-EINVAL", "-EBUSY", "-ENXIO", "-EBADF", "-ENOENT"} {
			if results[res] == 0 {
				return false
			}
		}
		return len(kinds) == 12
	}
	for range 50 { // few checks are drawn with -short
		if rapid.Check(t, property); all() {
			return
		}
	}
	t.Fatal(kinds, results)
}
