//go:build linux

package realpath

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/uringsim/workload"
)

// setting writes a file of /sys for the duration of the test, and tells whether it could.
func setting(t *testing.T, file, value string) bool {
	old, err := os.ReadFile(file)
	if err != nil || os.WriteFile(file, []byte(value), 0) != nil {
		return false
	}
	t.Cleanup(func() { os.WriteFile(file, bytes.TrimSpace(old), 0) })
	return true
}

// hugeBuffer is a buffer of pages of 2 MiB, or nil where none are reserved.
func hugeBuffer(t *testing.T, d *udmabuf.Device, size int) *udmabuf.Buffer {
	const rw = unix.PROT_READ | unix.PROT_WRITE
	m, err := udmabuf.NewMemfd(size, unix.MFD_HUGETLB, unix.F_SEAL_SHRINK)
	if err != nil {
		return nil
	}
	b := &udmabuf.Buffer{Memfd: m}
	// Not between guard pages, which would not leave it at a multiple of 2 MiB.
	mem, err := unix.Mmap(m.Fd(), 0, size, rw, unix.MAP_SHARED)
	if err == nil {
		t.Cleanup(func() { unix.Munmap(mem) })
		b.IO = &udmabuf.Mapping{Bytes: mem}
	}
	if err == nil && d != nil {
		if b.DmaBuf, err = d.Create(m.Fd(), 0, size); err == nil {
			b.CPU, err = b.DmaBuf.Map(rw)
		}
	}
	if err != nil {
		t.Log("no buffer of huge pages: ", err)
		b.Close()
		return nil
	}
	return b
}

// Transfers of all sizes and offsets, up to several lists of PRPs a command, arrive whole.
// What the drive is told of them is compared with the model of its driver by those who
// record it.
func TestLarge(t *testing.T) {
	needRing(t)
	drive := os.Getenv("DMASIM_DRIVE")
	if drive == "" {
		t.Skip("DMASIM_DRIVE names no drive that may be overwritten")
	}
	const size = 4 << 20
	queue := filepath.Join("/sys/block", filepath.Base(drive), "queue")
	if most, err := os.ReadFile(filepath.Join(queue, "max_hw_sectors_kb")); err == nil {
		setting(t, filepath.Join(queue, "max_sectors_kb"), strings.TrimSpace(string(most)))
	}
	p, err := Open(Options{Store: workload.Filled(workload.FilePattern, size), Buffers: 2, Size: size})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	kinds := []string{"4 KiB"}
	if b := hugeBuffer(t, p.device, size); b != nil {
		p.Buffers = append(p.Buffers, b)
		kinds = append(kinds, "2 MiB")
	}
	require.NoError(t, p.RegisterAll())
	const from, plain, huge = 0, 1, 2
	for kind, name := range kinds {
		into := []int{plain, huge}[kind]
		for _, threshold := range []string{"32768", "0", "1"} {
			if !setting(t, "/sys/module/nvme/parameters/sgl_threshold", threshold) {
				threshold = "the drive's"
			}
			for i, c := range []struct{ at, n int }{
				{0, 512}, {512, 512}, {0, 4096}, {512, 4096}, {3584, 512}, {0, 8192}, {2048, 8192}, {0, 12288}, {1024, 65536},
				{4096, 33 * 4096}, {4096, 34 * 4096}, {512, 33 * 4096}, {0, 1 << 19}, {1536, 1 << 19}, {8192, 513 * 4096},
				{4096, 514 * 4096}, {512, 3 << 20}, {0, size},
			} {
				at := fmt.Sprintf("pages of %s, threshold %s: %d bytes at %d", name, threshold, c.n, c.at)
				off := int64(i*4096) % int64(size-c.n+512) &^ 511
				data := workload.Filled(byte(7*i+kind), int64(c.n))
				require.NoError(t, p.Buffers[into].Write(c.at, data), at)
				require.NoError(t, p.Transfer(into, c.at, c.n, off, true), at)
				require.NoError(t, p.Transfer(from, 0, c.n, off, false), at)
				require.True(t, bytes.Equal(data, p.Buffers[from].IO.Bytes[:c.n]), "%s: written", at)
				require.NoError(t, p.Buffers[into].Write(c.at, make([]byte, c.n)), at)
				require.NoError(t, p.Transfer(into, c.at, c.n, off, false), at)
				got := make([]byte, c.n)
				require.NoError(t, p.Buffers[into].Read(got, c.at), at)
				require.True(t, bytes.Equal(data, got), "%s: read", at)
			}
		}
	}
	t.Logf("pages of %s", strings.Join(kinds, " and "))
}
