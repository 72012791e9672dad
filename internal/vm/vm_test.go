//go:build linux

package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests of the real path pass in the guest: on one kernel, or, with DMASIM_VM=all, on
// every one that was fetched.
func TestGuest(t *testing.T) {
	which := os.Getenv("DMASIM_VM")
	if which == "" {
		t.Skip("NOT RUN: the tests of the real path in a virtual machine; DMASIM_VM=1 runs them, after bash " + Script)
	}
	kernels, err := Kernels()
	require.NoError(t, err)
	require.NotEmpty(t, kernels, "no kernel was fetched: %v", ErrMissing)
	if which != "all" {
		kernels = kernels[:1]
	}
	for _, k := range kernels {
		t.Run(k.Name, func(t *testing.T) {
			var output, trace bytes.Buffer
			tests, err := Find()
			require.NoError(t, err)
			run := func() (*Outcome, error) {
				output.Reset()
				trace.Reset()
				return Run(t.Context(), Options{Kernel: k, Tests: tests, Output: &output, Trace: &trace, Timeout: 4 * time.Minute})
			}
			out, err := run()
			if err != nil { // no test has failed: an emulated machine can stop while it boots
				t.Logf("ONCE MORE, for the machine ended before its tests did: %v\n%s", err, &output)
				out, err = run()
			}
			if err != nil || !out.OK() {
				t.Logf("%s", &output)
				require.NoError(t, err)
				t.Error("not all tests passed in the guest")
			}
			require.Len(t, out.Results, len(tests))
			for _, r := range out.Results {
				t.Log(r.Result.String())
				require.Positive(t, r.Passed, "%s: no test ran", r.Test.Package)
				require.False(t, r.Nothing, "%s: no test of that name", r.Test.Package)
			}
			for _, m := range out.Missing {
				t.Log(m)
			}
			for l := range bytes.Lines(output.Bytes()) {
				if bytes.Contains(l, []byte("--- SKIP")) || bytes.Contains(l, []byte("workloads")) || bytes.Contains(l, []byte("Runs:")) {
					t.Logf("%s", bytes.TrimSpace(l))
				}
			}
			t.Logf("%s: first test after %.1fs, off after %.1fs", out.Release, out.Boot.Seconds(), out.Whole.Seconds())
			checkTrace(t, trace.Bytes())
		})
	}
}

// checkTrace compares each command that the drive was given with what the model of its driver
// programs for the same pages.
func checkTrace(t *testing.T, trace []byte) {
	name := filepath.Join(t.TempDir(), "trace")
	require.NoError(t, os.WriteFile(name, trace, 0o600))
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run=^TestTraced$", "./nvmesim")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "DMASIM_NVME_TRACE="+name)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for l := range bytes.Lines(out) {
		if bytes.Contains(l, []byte(name)) {
			t.Logf("%s", bytes.TrimSpace(l))
		}
	}
}

// fakeCache is a folder as the script fills it.
func fakeCache(t *testing.T, files ...string) string {
	dir := t.TempDir()
	t.Setenv("DMASIM_VM_DIR", dir)
	for _, f := range files {
		name := filepath.Join(dir, f)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte("x"), 0o755))
	}
	return dir
}

func TestKernels(t *testing.T) {
	dir := fakeCache(t,
		"kernels/linux-image-9-amd64/boot/vmlinuz-9.1-amd64",
		"kernels/linux-image-9-amd64/lib/modules/9.1-amd64/kernel/drivers/nvme/host/nvme.ko.xz",
		"kernels/linux-image-cloud-amd64-x/usr/lib/modules/9.2/vmlinuz",
		"kernels/linux-image-cloud-amd64-x/usr/lib/modules/9.2/kernel/fs/fat.ko",
		"kernels/.linux-image-10.abc/boot/vmlinuz-10")
	all, err := Kernels()
	require.NoError(t, err)
	in := filepath.Join(dir, "kernels")
	require.Equal(t, []Kernel{
		{"9-amd64", in + "/linux-image-9-amd64/boot/vmlinuz-9.1-amd64", in + "/linux-image-9-amd64/lib/modules/9.1-amd64"},
		{"cloud-amd64-x", in + "/linux-image-cloud-amd64-x/usr/lib/modules/9.2/vmlinuz", in + "/linux-image-cloud-amd64-x/usr/lib/modules/9.2"},
	}, all)
	k, err := FindKernel("")
	require.NoError(t, err)
	require.Equal(t, all[0], k)
	k, err = FindKernel("cloud-amd64-x")
	require.NoError(t, err)
	require.Equal(t, all[1], k)
	k, err = FindKernel(all[0].Image)
	require.NoError(t, err)
	require.Equal(t, all[0].Modules, k.Modules)

	_, err = FindKernel("6")
	require.ErrorContains(t, err, `no kernel of that name is fetched; there are 9-amd64, cloud-amd64-x`)
	_, err = FindKernel(dir)
	require.ErrorContains(t, err, "it is not a file")
}

// What is missing is a sentence that names the script.
func TestMissing(t *testing.T) {
	fakeCache(t)
	t.Setenv("PATH", t.TempDir())
	_, err := FindKernel("")
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, "bash internal/vm/install.sh fetches it")
	_, err = Run(t.Context(), Options{})
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorContains(t, err, "there is no qemu-system-x86_64")
	_, err = Find("udmabuf", "nothing")
	require.ErrorContains(t, err, `no tests "nothing" run in the guest; there are udmabuf, `)
	some, err := Find("./uringsim/realpath/", "udmabuf")
	require.NoError(t, err)
	require.Equal(t, []string{"realpath", "udmabuf"}, []string{some[0].Name(), some[1].Name()})
}

// The table names packages that are there, once each.
func TestTable(t *testing.T) {
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	var names []string
	for _, x := range Tests {
		found, err := filepath.Glob(filepath.Join(root, x.Package, "*_test.go"))
		require.NoError(t, err)
		require.NotEmpty(t, found, x.Package)
		require.Positive(t, x.Seconds, x.Package)
		require.False(t, slices.Contains(names, x.Name()), "%s: test binaries have the last part of the name", x.Package)
		names = append(names, x.Name())
	}
	_, err = os.Stat(filepath.Join(root, Script))
	require.NoError(t, err)
}
