package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/uringsim/workload"
)

// fake is a machine that does what the model says, unless breakIt changes a result.
type fake struct {
	w       *workload.Workload
	m       *workload.Model
	done    []int
	res     map[int]int64
	twice   bool
	breakIt func(number int, o *workload.Op, res int64) int64
}

func newFake(w *workload.Workload) *fake {
	return &fake{w: w, m: workload.NewModel(w, nvme), res: map[int]int64{}}
}

func (f *fake) do(number int, o *workload.Op) int64 {
	res := f.m.Allowed(o)[0]
	if f.breakIt != nil {
		res = f.breakIt(number, o, res)
	}
	f.m.Step(number, o, res)
	return res
}

func (f *fake) Traits() workload.Traits { return nvme }
func (f *fake) Register(bufs []workload.Region) (int64, error) {
	return f.do(0, &workload.Op{Kind: workload.Register, Regions: bufs}), nil
}
func (f *fake) Update(first int, bufs []workload.Region) (int64, error) {
	return f.do(0, &workload.Op{Kind: workload.Update, Slot: first, Regions: bufs}), nil
}
func (f *fake) Unregister() (int64, error) {
	return f.do(0, &workload.Op{Kind: workload.Unregister}), nil
}
func (f *fake) Submit(number int, o *workload.Op) error {
	f.res[number] = f.do(number, o)
	f.done = append(f.done, number)
	return nil
}

// Complete takes the youngest first, for no order is promised.
func (f *fake) Complete() (int, int64, error) {
	n := f.done[len(f.done)-1]
	if !f.twice {
		f.done = f.done[:len(f.done)-1]
	}
	if len(f.done) == 0 {
		f.m.Step(0, &workload.Op{Kind: workload.Wait}, 0)
	}
	return n, f.res[n], nil
}
func (f *fake) CPUWrite(buf int, at int64, data []byte) error {
	copy(f.m.Buffers[buf][at:], data)
	return nil
}
func (f *fake) CPURead(buf int, at int64, data []byte) error {
	copy(data, f.m.Buffers[buf][at:])
	return nil
}
func (f *fake) Bytes() ([][]byte, []byte, error) { return f.m.Buffers, f.m.File, nil }

const sample = `workload buffers=2 size=8192 file=16384
register b0 b1
write_fixed slot=0 b0+512:1024 off=4096
read_fixed hold slot=1 b1+0:4096 off=4096
update 1 b0
wait
cpu_read b1+0:600
unregister
`

func parse(t *testing.T, text string) *workload.Workload {
	t.Helper()
	w, err := workload.Parse(text)
	require.NoError(t, err)
	return w
}

func TestOutcome(t *testing.T) {
	w := parse(t, sample)
	out, err := workload.Run(newFake(w), w)
	require.NoError(t, err)
	require.NoError(t, workload.Check(w, nvme, out))
	require.Equal(t, `workload buffers=2 size=8192 file=16384
register b0+0:8192 b1+0:8192                                 # 0
write_fixed slot=0 b0+512:1024 off=4096                      # 1024
read_fixed hold slot=1 b1+0:4096 off=4096                    # 4096
update 1 b0+0:8192                                           # 1
wait                                                         # 0
cpu_read b1+0:600                                            # 600 3e3f3c3d3a3b38393637343532333031
unregister                                                   # 0
`, out.Text(w))
}

// Every way in which a machine can be wrong is found, and said where.
func TestCheckFinds(t *testing.T) {
	w := parse(t, sample)
	for name, c := range map[string]struct {
		wrong func(out *workload.Outcome)
		want  string
	}{
		"an errno":   {func(out *workload.Outcome) { out.Results[0].Res = -14 }, "operation 1 differs: -EFAULT instead of 0"},
		"a count":    {func(out *workload.Outcome) { out.Results[2].Res = 512 }, "operation 3 differs: 512 instead of 4096"},
		"cancelled":  {func(out *workload.Outcome) { out.Results[2].Res = -125 }, "operation 3 differs: -ECANCELED instead of 4096"},
		"a read":     {func(out *workload.Outcome) { out.Results[5].Data[3]++ }, "operation 6 differs: byte 3 is"},
		"a buffer":   {func(out *workload.Outcome) { out.Buffers[1][8191]++ }, "byte 8191 of buffer 1 is"},
		"the file":   {func(out *workload.Outcome) { out.File[0]++ }, "byte 0 of the file is"},
		"its length": {func(out *workload.Outcome) { out.Buffers[0] = out.Buffers[0][:100] }, "buffer 0 has 100 bytes"},
	} {
		out, err := workload.Run(newFake(w), w)
		require.NoError(t, err)
		c.wrong(out)
		require.ErrorContains(t, workload.Check(w, nvme, out), c.want, name)
	}
	f := newFake(w)
	f.breakIt = func(_ int, o *workload.Op, res int64) int64 {
		if o.Kind == workload.Update {
			return -14 // and the old buffer stays
		}
		return res
	}
	out, err := workload.Run(f, w)
	require.NoError(t, err)
	require.ErrorContains(t, workload.Check(w, nvme, out), "operation 4 differs: -EFAULT instead of 1")
}

// A machine that answers twice is no machine.
func TestRunRefuses(t *testing.T) {
	w := parse(t, "workload buffers=1 size=4096 file=4096\nnop hold\nnop\n")
	f := newFake(w)
	f.twice = true
	_, err := workload.Run(f, w)
	require.ErrorContains(t, err, "operation 2 completed twice")
}

// What is ambiguous is not run.
func TestValidate(t *testing.T) {
	const head = "workload buffers=2 size=8192 file=16384\nregister b0 b1\n"
	for text, want := range map[string]string{
		"read_fixed hold slot=0 b0+0:1024 off=0\ncpu_read b0+1023:1":                    "operation 3, cpu_read b0+1023:1: operation 2 uses the same memory",
		"write_fixed hold slot=0 b0+0:1024 off=0\ncpu_write b0+0:1 fill=0":              "same memory",
		"write_fixed hold slot=0 b0+0:1024 off=0\nread_fixed slot=1 b1+0:1024 off=512":  "same place of the file",
		"write_fixed hold slot=0 b0+0:1024 off=0\nwrite_fixed slot=1 b1+0:1024 off=512": "same place of the file",
		"read_fixed hold async slot=0 b0+0:1024 off=0\nunregister":                      "is async and looks for its buffer at any time",
		"nop async\ncancel 2":                                                         "operation 2 is async and has completed",
		"nop hold async\ncancel 2":                                                    "",
		"write_fixed hold slot=0 b0+0:1024 off=0\ncpu_read b0+0:1":                    "",
		"read_fixed hold slot=0 b0+0:1024 off=0\nread_fixed slot=1 b1+0:1024 off=512": "",
		"read_fixed hold slot=0 b0+0:1024 off=0\ncpu_read b0+1024:1":                  "",
		"read_fixed hold slot=0 b0+0:1024 off=0\nunregister\nwait\ncpu_read b0+0:1":   "",
		"write_fixed slot=0 b0+0:1024 off=15872":                                      "past the end of the file",
		"read_fixed slot=0 b0+0:1024 off=-1":                                          "the file's own position",
		"read_fixed slot=70000 b0+0:1024 off=0":                                       "slots are 16 bits",
		"read_fixed slot=0 b0+12288:512 off=0":                                        "more than a page away",
		"read b0+8000:1024 off=0":                                                     "not inside the buffer",
		"cpu_read b0-1:1":                                                             "not inside the buffer",
		"cpu_read ro0":                                                                "the CPU has a view of its own",
		"read_fixed slot=0 b0+1:1024 off=15872":                                       "no certain outcome",
		"read_fixed slot=0 b0+0:1025 off=15872":                                       "no certain outcome",
		"read_fixed slot=0 b0+0:1024 off=15872":                                       "",
		"write_fixed hold slot=0 b0+0:1024 off=0\nwrite_fixed hold slot=1 b1+0:512 off=1024\nread_fixed slot=1 b1+512:512 off=2048": "",
	} {
		err := parse(t, head+text).Validate(nvme)
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
	plain := nvme
	plain.DmaBufs = false
	require.ErrorContains(t, parse(t, head+"read_fixed slot=0 dma0+0:512 off=0").Validate(plain), "no dma-bufs here")
	require.ErrorContains(t, parse(t, head+"read_fixed slot=0 b0+0:512 off=0 to=dma0").Validate(plain), "no dma-bufs here")
}

// What is known of real kernels, line by line.
func TestAllowed(t *testing.T) {
	const head = "workload buffers=2 size=8192 file=16384\n"
	for line, want := range map[string]string{
		"register b0 b1\nregister b0":                                  "-EBUSY",
		"register":                                                     "-EINVAL",
		"register -*16384":                                             "0",
		"register -*16385":                                             "-EINVAL",
		"register b0+0:0":                                              "-EFAULT",
		"register b0 null:4096":                                        "-EFAULT",
		"register b0+0:1073741825":                                     "-EFAULT",
		"register b0+0:8193":                                           "-EFAULT",
		"register ro0":                                                 "-EFAULT",
		"register dma0":                                                "-EFAULT",
		"unregister":                                                   "-ENXIO",
		"update 0 b0":                                                  "-ENXIO",
		"register b0 b1\nupdate 1 b0 b0":                               "-EINVAL",
		"register b0 b1\nupdate -1 b0":                                 "-EOVERFLOW",
		"register b0 b1\nupdate 0":                                     "-EINVAL",
		"register b0 b1\nupdate 0 b0 null:1":                           "1",
		"register b0 b1\nupdate 0 null:1 b0":                           "-EFAULT",
		"read_fixed slot=0 b0+0:512 off=0":                             "-EFAULT",
		"register b0 -\nread_fixed slot=1 b0+0:512 off=0":              "-EFAULT",
		"register b0\nread_fixed slot=0 b0+7681:512 off=0":             "-EFAULT",
		"register b0\nread_fixed slot=0 b0-1:512 off=0":                "-EFAULT",
		"register b0+512:512\nread_fixed slot=0 b0+512:512 off=0":      "512",
		"register b0+512:512\nread_fixed slot=0 b0+0:512 off=0":        "-EFAULT",
		"register b0\nread_fixed slot=0 dma0+0:512 off=0":              "-EFAULT",
		"register b0\nread_fixed slot=0 b0+0:512 off=100":              "-EINVAL",
		"register b0\nread_fixed slot=0 b0+0:100 off=0":                "-EINVAL",
		"register b0\nread_fixed slot=0 b0+4:512 off=0":                "512 or -EINVAL",
		"register b0\nread_fixed slot=0 b0+0:0 off=0":                  "0",
		"register b0\nread_fixed slot=0 b0+0:512 off=16384":            "0",
		"register b0\nread_fixed slot=0 b0+0:4096 off=14336":           "2048",
		"register b0\nread_fixed slot=0 b0+0:512 off=0 to=closed":      "-EBADF",
		"register b0\nwrite_fixed slot=0 b0+0:512 off=0 to=readonly":   "-EBADF",
		"register b0\nread_fixed slot=0 b0+0:512 off=0 to=readonly":    "512",
		"register b0\nread_fixed slot=0 b0+0:512 off=0 to=dma0":        "-EINVAL",
		"register b0\nread_fixed slot=9 b0+0:512 off=0 to=closed":      "-EFAULT or -EBADF",
		"read dma0+0:512 off=0":                                        "-EFAULT",
		"read ro0+0:512 off=0":                                         "-EFAULT",
		"write ro0+0:512 off=0":                                        "512",
		"cancel 7":                                                     "-ENOENT",
		"nop hold\ncancel 1":                                           "0 or -ENOENT or -EALREADY",
		"register b0\nunregister\nread_fixed slot=0 b0+0:512 off=0":    "-EFAULT",
		"register - b0\nupdate 0 b1\nread_fixed slot=0 b1+0:512 off=0": "512",
	} {
		w := parse(t, head+line)
		require.NoError(t, w.Validate(nvme), line)
		m := workload.NewModel(w, nvme)
		last := len(w.Ops) - 1
		for i := range last {
			m.Step(i, &w.Ops[i], m.Allowed(&w.Ops[i])[0])
		}
		require.Equal(t, want, workload.Results(m.Allowed(&w.Ops[last])), line)
	}
}
