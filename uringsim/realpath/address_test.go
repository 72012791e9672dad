//go:build linux

package realpath

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/uringsim/realring"
	"dmasim/uringsim/workload"
)

// Which addresses of memory a drive's fixed reads take depends on the kernel, and on whether the
// buffer is one segment. What is taken arrives where it should; what is refused, is so by
// EINVAL, and a multiple of 512 is always taken.
func TestAddresses(t *testing.T) {
	needRing(t)
	if os.Getenv("DMASIM_DRIVE") == "" {
		t.Skip("DMASIM_DRIVE names no drive that may be overwritten")
	}
	for _, pages := range []int{1, 4} {
		store := workload.Filled(workload.FilePattern, 8192)
		p, err := Open(Options{Store: store, Buffers: 1, Size: pages * os.Getpagesize()})
		require.NoError(t, err)
		require.NoError(t, p.RegisterAll())
		mem := p.Buffers[0].IO.Bytes
		said := ""
		for _, at := range []int{1, 2, 3, 4, 6, 8, 511, 512, 516, 1024, 3583, 3584} {
			clear(mem)
			c, err := p.Ring.Do(realring.ReadFixed(p.Store.Fd(), p.Buffers[0].IO.Addr()+uint64(at), 512, 512, 0, 1))
			require.NoError(t, err)
			want := make([]byte, len(mem))
			switch c.Res {
			case 512:
				copy(want[at:], store[512:1024])
			case -int32(unix.EINVAL):
				require.NotZero(t, at%512)
			default:
				t.Fatalf("%d bytes at %d of a buffer of %d pages: %d", 512, at, pages, c.Res)
			}
			require.True(t, bytes.Equal(want, mem), "512 bytes at %d of a buffer of %d pages", at, pages)
			said += fmt.Sprintf(" %d:%d", at, c.Res)
		}
		t.Logf("512 bytes at an address in a buffer of %d pages, and the result:%s", pages, said)
		require.NoError(t, p.Close())
	}
}
