package vm

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/stretchr/testify/require"

	"dmasim/internal/vm/guest"
)

// The first file system has what the guest needs, folders before what is in them.
func TestPack(t *testing.T) {
	root, built, modules := t.TempDir(), t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		built + "/init": "the init", built + "/one.test": "one", built + "/two.test": "two",
		root + "/a/one/testdata/deep/x.txt":                  "some data",
		modules + "/kernel/drivers/nvme/host/nvme.ko.xz":     "driver",
		modules + "/kernel/drivers/nvme/host/nvme-rdma.ko":   "not needed",
		modules + "/kernel/drivers/gpu/drm/vgem/vgem.ko.zst": "vgem",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	var b bytes.Buffer
	require.NoError(t, pack(&b, root, built, &Options{
		Kernel: Kernel{Modules: modules},
		Tests:  []Test{{Package: "a/one", Flags: []string{"-test.run=X"}, Drive: true, Seconds: 5}, {Package: "two", Env: []string{"A=b"}}},
		Flags:  []string{"-test.short"},
	}))
	got, seen := map[string]string{}, map[string]bool{".": true}
	for r := cpio.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.True(t, seen[filepath.Dir(h.Name)], h.Name)
		require.False(t, seen[h.Name], h.Name)
		seen[h.Name] = true
		if !h.Mode.IsDir() {
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			got[h.Name] = string(text)
		}
	}
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "src/two"} {
		require.True(t, seen[dir], dir)
	}
	var job guest.Job
	require.NoError(t, json.Unmarshal([]byte(got["job.json"]), &job))
	delete(got, "job.json")
	require.Equal(t, map[string]string{"init": "the init", "bin/one.test": "one", "bin/two.test": "two",
		"src/a/one/testdata/deep/x.txt": "some data", "modules/nvme.ko.xz": "driver", "modules/vgem.ko.zst": "vgem"}, got)
	require.ElementsMatch(t, []string{"/modules/nvme.ko.xz", "/modules/vgem.ko.zst"}, job.Modules)
	job.Modules = nil
	require.Equal(t, guest.Job{Drive: "/dev/nvme0n1", Programs: []guest.Program{
		{Name: "a/one", Path: "/bin/one.test", Dir: "/src/a/one", Args: []string{"-test.v", "-test.run=X", "-test.short"},
			Env: []string{"DMASIM_GUEST=1", "DMASIM_DRIVE=/dev/nvme0n1"}, Seconds: 5},
		{Name: "two", Path: "/bin/two.test", Dir: "/src/two", Args: []string{"-test.v", "-test.short"}, Env: []string{"DMASIM_GUEST=1", "A=b"}},
	}}, job)
}
