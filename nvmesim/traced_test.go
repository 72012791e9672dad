package nvmesim

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// traced is a command as the emulated drive traced it: what it was told, and what it made
// of that.
type traced struct {
	line       int
	op         Opcode
	bytes      int
	prp1, prp2 uint64
	// sgl tells that the data pointer was an SGL descriptor, and which.
	sgl     bool
	sglType uint64
	segs    []hw.Segment
}

// readTrace reads what QEMU traced of pci_nvme_read, _write, _map_prp, _map_sgl and
// _map_addr. A line "kernel RELEASE" may say whose driver it was. Commands of the
// administrator, which are neither reads nor writes, are left out.
func readTrace(r io.Reader) (release string, out []*traced, err error) {
	var now *traced
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		var x struct{ a, b, c, d uint64 }
		switch word {
		case "kernel":
			release = rest
		case "pci_nvme_read", "pci_nvme_write":
			at := strings.Index(rest, "nsid ")
			if at < 0 {
				return "", nil, fmt.Errorf("line %d: %s", n, lines.Text())
			}
			now = &traced{line: n, op: Read}
			if word == "pci_nvme_write" {
				now.op = Write
			}
			_, err = fmt.Sscanf(rest[at:], "nsid %d nlb %d count %d lba %v", &x.a, &x.b, &now.bytes, &x.d)
			out = append(out, now)
		case "pci_nvme_map_prp":
			_, err = fmt.Sscanf(rest, "trans_len %d len %d prp1 %v prp2 %v", &x.a, &x.b, &x.c, &x.d)
			if now != nil && len(now.segs) > 0 {
				now = nil // one of the administrator's
			}
			if now != nil {
				now.prp1, now.prp2 = x.c, x.d
			}
		case "pci_nvme_map_sgl":
			_, err = fmt.Sscanf(rest, "type %v len %d", &x.a, &x.b)
			if now != nil && len(now.segs) == 0 && !now.sgl {
				now.sgl, now.sglType = true, x.a
			}
		case "pci_nvme_map_addr":
			_, err = fmt.Sscanf(rest, "addr %v len %d", &x.a, &x.b)
			if now != nil {
				now.segs = append(now.segs, hw.Segment{Addr: hw.BusAddr(x.a), Len: int(x.b)})
			}
		}
		if err != nil {
			return "", nil, fmt.Errorf("line %d: %s: %w", n, lines.Text(), err)
		}
	}
	return release, out, lines.Err()
}

// bvecs are the vectors of the request: the segments, each of pages that follow each other.
func (c *traced) bvecs(k *kernel.Task, m *hw.Memory) (out []iter.Bvec) {
	for _, s := range c.segs {
		first, end := uint64(s.Addr)/hw.PageSize, (uint64(s.Addr)+uint64(s.Len)+hw.PageSize-1)/hw.PageSize
		var pages []*hw.Page
		for p := first; p < end; p++ {
			pages = append(pages, m.AllocAt(k.Task, "buffer", p)...)
		}
		out = append(out, iter.Bvec{Pages: pages, Offset: uint32(s.Addr % hw.PageSize), Len: uint32(s.Len)})
	}
	return out
}

// TestTraced has the driver program what a real one did: the trace of testdata, and that of
// DMASIM_NVME_TRACE.
func TestTraced(t *testing.T) {
	for _, name := range []string{"testdata/traced-6.12.txt.gz", os.Getenv("DMASIM_NVME_TRACE")} {
		if name == "" {
			continue
		}
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			r, err = gzip.NewReader(f)
			require.NoError(t, err)
		}
		release, commands, err := readTrace(r)
		require.NoError(t, err)
		profile := kernel.V6_12
		if !strings.HasPrefix(release, "6.") {
			profile = kernel.V7_3
		}
		kinds := map[string]int{}
		for _, c := range commands {
			if f := on.Run(func(k *kernel.Task) {
				k.K.Profile = profile
				kinds[c.compare(t, k)]++
			}); f != nil {
				t.Fatalf("%s line %d: %v", name, c.line, f)
			}
		}
		t.Logf("%s: kernel %s, %d commands: %v", name, release, len(commands), kinds)
		for _, kind := range []string{"prp", "prp list", "prp lists", "sgl", "sgl list"} {
			require.Positive(t, kinds[kind], kind)
		}
	}
}

// compare programs a command for the pages that the real one was for, and returns which kind
// it was. Where lists are is up to the pools, but not how they are aligned.
func (c *traced) compare(t *testing.T, k *kernel.Task) string {
	// Newer drivers count the segments before pages that follow each other are put together,
	// and then make a list although it has one descriptor only. The model is told segments,
	// not pages, and makes none.
	if c.sgl && c.sglType == sglLastSegment>>4 && len(c.segs) == 1 && k.K.Profile != kernel.V6_12 {
		return "sgl list of one"
	}
	d, m := passthrough(k, Config{SGL: true})
	d.SGLThreshold = 0
	if c.sgl {
		d.SGLThreshold = 1
	}
	io := &d.iods[0][0]
	io.bytes = c.bytes
	io.cmd.NLB = uint16(c.bytes/LogicalBlock - 1)
	dir := map[Opcode]hw.Direction{Read: hw.FromDevice, Write: hw.ToDevice}[c.op]
	require.Equal(t, kernel.BLK_STS_OK, d.mapData(k, io, dir, c.bvecs(k, m)), c.line)
	require.Equal(t, c.sgl, io.cmd.Flags == psdtSGL, c.line)
	kind := "prp"
	if c.sgl {
		kind = "sgl"
		require.Equal(t, c.sglType, io.cmd.DPTR2>>60, c.line)
	} else {
		require.Equal(t, c.prp1, io.cmd.DPTR1, c.line)
		if len(io.lists) == 0 {
			require.Equal(t, c.prp2, io.cmd.DPTR2, c.line)
		} else if unit := uint64(smallBlock); io.small {
			require.Zero(t, c.prp2%unit, c.line)
		} else {
			require.Zero(t, c.prp2%CtrlPageSize, c.line)
		}
	}
	segs, s := d.ctrl.walker.walk(k, &io.cmd, c.bytes, nil)
	if !c.sgl && c.prp1%4 != 0 {
		// Newer kernels do not look at the address of a request that is one segment. QEMU
		// does not mind either.
		require.NotEqual(t, kernel.V6_12, k.K.Profile, c.line)
		require.Equal(t, InvalidPRPOffset|DNR, s, c.line)
		return "prp at an odd address"
	}
	require.Equal(t, Success, s, c.line)
	require.Equal(t, c.segs, segs, c.line)
	lists := len(io.lists)
	d.unmapData(k, io)
	return kind + map[int]string{0: "", 1: " list", 2: " lists"}[min(lists, 2)]
}
