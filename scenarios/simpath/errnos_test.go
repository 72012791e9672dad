package simpath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/uringsim/workload"
)

// errnoCase is a workload of one buffer and one file of 8192 bytes.
type errnoCase struct {
	line, text, want, newer string
	dmabufs                 bool // it takes a udmabuf
}

// on is what a path answers.
func (e *errnoCase) on(o *Options) string {
	if o.NVMe && o.Profile > kernel.V6_12 && e.newer != "" {
		return e.newer
	}
	return e.want
}

// errnos are the errnos that were observed on 6.12, as far as the language can say them: want has
// the results of the operations, and newer those that a drive gives since 6.18, if they are
// others. The errnos of udmabuf and of DMA_BUF_IOCTL_SYNC are in the tests of package dmabufsim,
// that of RLIMIT_MEMLOCK in those of uringsim.
var errnos = []errnoCase{
	{"REGISTER_BUFFERS of a udmabuf mapping", "register dma0", "-EFAULT", "", true},
	{"READ_FIXED with fd = the dma-buf", "register b0\nread_fixed slot=0 b0+0:512 off=0 to=dma0", "0 -EINVAL", "", true},
	{"WRITE_FIXED with fd = the dma-buf", "register b0\nwrite_fixed slot=0 b0+0:512 off=0 to=dma0", "0 -EINVAL", "", true},
	{"READ into a udmabuf mapping with O_DIRECT", "read dma0+0:512 off=0", "-EFAULT", "", true},
	{"REGISTER_BUFFERS: length 0", "register b0+0:0", "-EFAULT", "", false},
	{"REGISTER_BUFFERS: NULL", "register null:4096", "-EFAULT", "", false},
	{"REGISTER_BUFFERS: an empty slot", "register -", "0", "", false},
	{"REGISTER_BUFFERS: over 1 GiB", "register b0+0:1073741825", "-EFAULT", "", false},
	{"REGISTER_BUFFERS: past the mapping", "register b0+0:8193", "-EFAULT", "", false},
	{"REGISTER_BUFFERS: read-only mapping", "register ro0", "-EFAULT", "", false},
	{"REGISTER_BUFFERS: 16385 entries", "register -*16385", "-EINVAL", "", false},
	{"REGISTER_BUFFERS: 16384 entries", "register -*16384", "0", "", false},
	{"REGISTER_BUFFERS a second time", "register b0\nregister b0", "0 -EBUSY", "", false},
	{"UNREGISTER with none registered", "unregister", "-ENXIO", "", false},
	{"fixed I/O before the buffer", "register b0+512:512\nread_fixed slot=0 b0+0:512 off=0", "0 -EFAULT", "", false},
	{"fixed I/O past the buffer", "register b0\nread_fixed slot=0 b0+8192:512 off=0", "0 -EFAULT", "", false},
	{"fixed I/O, wrong index", "register b0\nwrite_fixed slot=1 b0+0:512 off=0", "0 -EFAULT", "", false},
	{"fixed I/O, empty index", "register -\nread_fixed slot=0 b0+0:512 off=0", "0 -EFAULT", "", false},
	{"fixed I/O, none registered", "read_fixed slot=0 b0+0:512 off=0", "-EFAULT", "", false},
	{"device offset not a multiple of 512", "register b0\nread_fixed slot=0 b0+0:512 off=100", "0 -EINVAL", "", false},
	{"length not a multiple of 512", "register b0\nwrite_fixed slot=0 b0+0:100 off=0", "0 -EINVAL", "", false},
	{"fixed read past the end of the device", "register b0\nread_fixed slot=0 b0+0:512 off=8192", "0 0", "", false},
	{"fixed read of length 0", "register b0\nread_fixed slot=0 b0+0:0 off=0", "0 0", "", false},
	{"fixed write of length 0 at the end", "register b0\nwrite_fixed slot=0 b0+0:0 off=8192", "0 0", "", false},
	{"a descriptor that is not open", "register b0\nread_fixed slot=0 b0+0:512 off=0 to=closed", "0 -EBADF", "", false},
	{"a write to a file that is open for reading", "register b0\nwrite_fixed slot=0 b0+0:512 off=0 to=readonly", "0 -EBADF", "", false},
	{"update past the table", "register b0\nupdate 1 b0", "0 -EINVAL", "", false},
	{"update without a table", "update 0 b0", "-ENXIO", "", false},
	{"update that wraps", "register b0\nupdate -1 b0", "0 -EOVERFLOW", "", false},
	{"update of nothing", "register b0\nupdate 0", "0 -EINVAL", "", false},
	{"update, second entry wrong", "register b0 b0\nupdate 0 b0 null:4096", "0 1", "", false},
	{"4096 B at +4 of pages that are no neighbours", "register b0\nread_fixed slot=0 b0+4:4096 off=0", "0 -EINVAL", "0 4096", false},
	{"512 B at +4092", "register b0\nread_fixed slot=0 b0+4092:512 off=0", "0 -EINVAL", "0 512", false},
	{"cancel of nothing", "cancel 1", "-ENOENT", "", false},
}

func parse(t *testing.T, text string) *workload.Workload {
	t.Helper()
	w, err := workload.Parse("workload buffers=1 size=8192 file=8192\n" + text)
	require.NoError(t, err)
	return w
}

// results are the words of an outcome.
func results(out *workload.Outcome) string {
	var words []string
	for _, r := range out.Results {
		words = append(words, r.String())
	}
	return strings.Join(words, " ")
}

// Every version and every kind of drive answers what the table says.
func TestErrnos(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	for _, e := range errnos {
		t.Run(e.line, func(t *testing.T) {
			for _, p := range []kernel.Profile{kernel.V6_12, kernel.RFCBase} {
				for name, o := range map[string]Options{
					"a drive":            {Traits: Raw(), NVMe: true},
					"a virtual disk":     {Traits: Raw(), MemAlign: 512},
					"a file":             {Traits: regular, MemAlign: 512},
					"a file in a worker": {Traits: regular, MemAlign: 512, MayBlock: true},
				} {
					o.Profile = p
					out, err := Run(m, sim.Default{}, parse(t, e.text), o)
					require.NoError(t, err)
					require.Equal(t, e.on(&o), results(out), "%s, %s", name, p)
				}
			}
		})
	}
}
