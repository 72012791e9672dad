//go:build linux

package realpath

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
)

// Workloads that are written down, with what a kernel answers. What every one of them
// answers is also checked against the model.
func TestWritten(t *testing.T) {
	needRing(t)
	for name, c := range map[string]struct{ text, want string }{
		"there and back": {`workload buffers=2 size=8192 file=65536
register b0 b1
write_fixed slot=0 b0+0:8192 off=4096
read_fixed slot=1 b1+4096:4096 off=8192
cpu_read b1+4096:16
`, "0 8192 4096 16 f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"},
		"unregistered in flight": {`workload buffers=1 size=16384 file=65536
register b0
read_fixed hold slot=0 b0+0:8192 off=8192
write_fixed hold slot=0 b0+8192:8192 off=0
unregister
read_fixed slot=0 b0+0:0 off=0
wait
unregister
`, "0 8192 8192 0 -EFAULT 0 -ENXIO"},
		"updated in flight": {`workload buffers=2 size=8192 file=65536
register b0
read_fixed hold slot=0 b0+0:4096 off=0
update 0 b1
read_fixed hold slot=0 b1+0:8192 off=8192
write_fixed hold slot=0 b0+4096:512 off=32768
wait
`, "0 4096 1 8192 -EFAULT 0"},
		"closed at its end in flight": {`workload buffers=3 size=16384 file=65536
register b0 b1 b2
write_fixed hold async slot=0 b0+0:16384 off=0
write_fixed hold slot=1 b1+0:16384 off=16384
read_fixed hold async slot=2 b2+0:16384 off=32768
`, "0 16384 16384 16384"},
	} {
		t.Run(name, func(t *testing.T) {
			before := simtest.OpenFds(t)
			out, err := runText(t, c.text)
			require.NoError(t, err)
			got := ""
			for i, r := range out.Results {
				if i > 0 {
					got += " "
				}
				got += r.String()
			}
			require.Equal(t, c.want, got)
			require.Equal(t, before, simtest.OpenFds(t))
		})
	}
}

// What a dma-buf adds: its mapping is no fixed buffer, and it is no file to read from.
func TestWrittenDmaBuf(t *testing.T) {
	needRing(t)
	m, err := Open(Options{Store: make([]byte, 4096)})
	require.NoError(t, err)
	has, notes := m.device != nil, m.Notes()
	require.NoError(t, m.Close())
	if !has {
		t.Skip(notes)
	}
	out, err := runText(t, `workload buffers=2 size=8192 file=65536
register b0 dma1
register dma0
register b0 b1
update 0 dma0
read_fixed slot=0 dma0+0:512 off=0
read_fixed slot=0 b0+0:512 off=0 to=dma0
write_fixed slot=0 b0+0:512 off=0 to=dma0
read_fixed slot=0 b0+0:512 off=512
cpu_write b0+100:5 fill=9
write_fixed slot=0 b0+0:512 off=0
read_fixed slot=1 b1+0:512 off=0
cpu_read b1+100:5
`)
	require.NoError(t, err)
	want := []int64{-14, -14, 0, -14, -14, -22, -22, 512, 5, 512, 512, 5}
	for i, r := range out.Results {
		require.Equal(t, want[i], r.Res, "operation %d", i+1)
	}
}
