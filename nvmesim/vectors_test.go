package nvmesim

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// vector is a command that a real driver programmed, see testdata/README.md.
type vector struct {
	ID, Run, Op, Buffer, Psdt, Sqe string
	Slba                           uint64
	Nbytes                         int
	BufferOffset                   uint64 `json:"buffer_offset"`
	Prp1, Prp2                     uint64
	Pages                          []uint64
	Lists                          []struct{ Addr, Entries jsonWords }
	Sgl                            struct{ Addr, Len, Type uint64 }
	SglLists                       []struct {
		Addr    uint64
		Entries []struct{ Addr, Len, Type uint64 }
	} `json:"sgl_lists"`
	Segments []struct{ Addr, Len uint64 }
}

// jsonWords is a number or a list of them.
type jsonWords []uint64

func (w *jsonWords) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]uint64)(w))
	}
	*w = make(jsonWords, 1)
	return json.Unmarshal(b, &(*w)[0])
}

// readVectors are all lines of testdata, and of the directory that DMASIM_VECTORS names.
func readVectors(t *testing.T) []vector {
	files, err := filepath.Glob("testdata/*.jsonl.gz")
	require.NoError(t, err)
	require.Len(t, files, 2)
	if dir := os.Getenv("DMASIM_VECTORS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
		require.NoError(t, err)
		require.NotEmpty(t, more, "DMASIM_VECTORS names a directory without vectors")
		files = append(files, more...)
	}
	var out []vector
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			r, err = gzip.NewReader(f)
			require.NoError(t, err)
		}
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var v vector
			require.NoError(t, json.Unmarshal(lines.Bytes(), &v), name)
			out = append(out, v)
		}
		require.NoError(t, lines.Err())
	}
	return out
}

// segments are those of the vector.
func (v *vector) segments() (out []hw.Segment) {
	for _, s := range v.Segments {
		out = append(out, hw.Segment{Addr: hw.BusAddr(s.Addr), Len: int(s.Len)})
	}
	return out
}

// command is the submission queue entry, as the controller reads it.
func (v *vector) command(t *testing.T) Command {
	b, err := hex.DecodeString(v.Sqe)
	require.NoError(t, err)
	require.Len(t, b, 64)
	var e entry
	for i := range e {
		e[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	cmd := decode(&e)
	again := cmd.encode()
	require.Equal(t, e, again, v.ID)
	return cmd
}

// words are what is in memory at the addresses of the lists.
func (v *vector) words() map[uint64][]uint64 {
	out := map[uint64][]uint64{}
	for _, l := range v.Lists {
		out[l.Addr[0]] = l.Entries
	}
	for _, l := range v.SglLists {
		for _, e := range l.Entries {
			out[l.Addr] = append(out[l.Addr], e.Addr, e.Len|e.Type<<56)
		}
	}
	return out
}

// passthrough is a drive whose bus addresses are physical ones.
func passthrough(k *kernel.Task, cfg Config) (*Driver, *hw.Memory) {
	m := &hw.Memory{}
	cfg.Name, cfg.Size, cfg.Depth = "nvme0", 1<<40, 1
	cfg.Memory, cfg.IOMMU = m, hw.Config{Mode: hw.Passthrough, Memory: m}
	return NewDrive(k, cfg), m
}

// machines runs a body for every vector, each on a kernel of its own.
func machines(t *testing.T, body func(k *kernel.Task, v *vector)) {
	for _, v := range readVectors(t) {
		if f := on.Run(func(k *kernel.Task) {
			k.K.Profile = kernel.V6_12
			body(k, &v)
		}); f != nil {
			t.Fatalf("%s: %v", v.ID, f)
		}
	}
}

// The controller finds the segments that the emulated drive found.
func TestVectorsDecode(t *testing.T) {
	kinds := map[string]int{}
	machines(t, func(k *kernel.Task, v *vector) {
		cmd := v.command(t)
		require.Equal(t, map[string]Opcode{"read": Read, "write": Write}[v.Op], cmd.Opcode, v.ID)
		require.Equal(t, v.Slba, cmd.SLBA, v.ID)
		require.Equal(t, v.Nbytes, cmd.Blocks()*LogicalBlock, v.ID)
		require.Equal(t, []uint64{v.Prp1, v.Prp2}, []uint64{cmd.DPTR1, cmd.DPTR2}, v.ID)
		d, m := passthrough(k, Config{SGL: true})
		for at, words := range v.words() {
			pages := m.AllocAt(k.Task, "list", at/hw.PageSize)
			hw.StoreWords(k.Task, pages, int(at%hw.PageSize)/8, words...)
		}
		require.Equal(t, Success, d.ctrl.check(&cmd), v.ID)
		segs, s := d.ctrl.walker.walk(k, &cmd, v.Nbytes, nil)
		require.Equal(t, Success, s, v.ID)
		require.Equal(t, v.segments(), segs, v.ID)
		kinds[v.kind()]++
	})
	for _, kind := range []string{"prp", "prp list", "prp lists", "sgl", "sgl list"} {
		require.Positive(t, kinds[kind], kind)
	}
}

func (v *vector) kind() string {
	n := len(v.Lists) + len(v.SglLists)
	return v.Psdt + map[int]string{0: "", 1: " list", 2: " lists"}[min(n, 2)]
}

// threshold is the driver's sgl_threshold in the run.
func (v *vector) threshold() int {
	switch {
	case strings.HasPrefix(v.Run, "sgl-all"):
		return 1
	case strings.HasPrefix(v.Run, "sgl"):
		return defaultSGLThreshold
	}
	return 0
}

// bvecs are the vectors of the request: one for each page of the buffer.
func (v *vector) bvecs(k *kernel.Task, m *hw.Memory) (out []iter.Bvec) {
	size := uint64(hw.PageSize)
	if v.Buffer == "huge" {
		size = 2 << 20
	}
	left, in := v.Nbytes, v.BufferOffset%hw.PageSize
	for i := 0; i < len(v.Pages); {
		var pages []*hw.Page
		for first := v.Pages[i] / size; i < len(v.Pages) && v.Pages[i]/size == first; i++ {
			pages = append(pages, m.AllocAt(k.Task, "buffer", v.Pages[i]/hw.PageSize)...)
		}
		n := min(left, len(pages)*hw.PageSize-int(in))
		out = append(out, iter.Bvec{Pages: pages, Offset: uint32(in), Len: uint32(n)})
		left -= n
		in = 0
	}
	return out
}

// The driver programs what the real one did, but for where its lists are.
func TestVectorsProgram(t *testing.T) {
	machines(t, func(k *kernel.Task, v *vector) {
		d, m := passthrough(k, Config{SGL: true})
		d.SGLThreshold = v.threshold()
		io := &d.iods[0][0]
		dir := map[string]hw.Direction{"read": hw.FromDevice, "write": hw.ToDevice}[v.Op]
		io.bytes = v.Nbytes
		io.cmd.NLB = uint16(v.Nbytes/LogicalBlock - 1)
		vecs := v.bvecs(k, m)
		require.Equal(t, kernel.BLK_STS_OK, d.mapData(k, io, dir, vecs), v.ID)
		cmd := v.command(t)
		require.Equal(t, cmd.Flags, io.cmd.Flags, v.ID)
		if len(io.lists) == 0 || v.Psdt == "prp" {
			require.Equal(t, v.Prp1, io.cmd.DPTR1, v.ID)
		}
		if len(io.lists) == 0 || v.Psdt == "sgl" {
			require.Equal(t, v.Prp2, io.cmd.DPTR2, v.ID)
		}
		require.Equal(t, len(v.Lists)+len(v.SglLists), len(io.lists), v.ID)
		compareLists(t, k, v, io)
		segs, s := d.ctrl.walker.walk(k, &io.cmd, v.Nbytes, nil)
		require.Equal(t, Success, s, v.ID)
		require.Equal(t, v.segments(), segs, v.ID)
		d.unmapData(k, io)
		require.Zero(t, d.small.inUse+d.large.inUse, v.ID)
	})
}

// compareLists compares the lists of a request with those of the vector, whose addresses
// are the real pool's decision: what is compared is how they are aligned.
func compareLists(t *testing.T, k *kernel.Task, v *vector, io *iod) {
	real := v.words()
	for i, b := range io.lists {
		var addr uint64
		var next uint64
		if v.Psdt == "sgl" {
			addr = v.SglLists[i].Addr
		} else {
			addr = v.Lists[i].Addr[0]
			if i+1 < len(v.Lists) {
				next = v.Lists[i+1].Addr[0]
			}
		}
		if i == 0 && io.small {
			require.Zero(t, addr%smallBlock, v.ID)
			require.Zero(t, b.addr%smallBlock, v.ID)
			require.LessOrEqual(t, len(real[addr]), smallEntries, v.ID)
		} else {
			require.Zero(t, addr%CtrlPageSize, v.ID)
			require.Zero(t, b.addr%CtrlPageSize, v.ID)
		}
		for n, want := range real[addr] {
			if next != 0 && n == len(real[addr])-1 {
				require.Equal(t, next, want, v.ID)
				want = uint64(io.lists[i+1].addr)
			}
			require.Equal(t, want, b.load(k, n), "%s: list %d entry %d", v.ID, i, n)
		}
	}
}
