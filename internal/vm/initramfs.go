package vm

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/cavaliergopher/cpio"

	"dmasim/internal/vm/guest"
)

// archive writes a first file system, in the format that kernels unpack (newc).
type archive struct {
	w       *cpio.Writer
	folders map[string]bool
}

func newArchive(to io.Writer) *archive {
	return &archive{cpio.NewWriter(to), map[string]bool{".": true}}
}

// folder adds a folder, and those that it is in.
func (a *archive) folder(name string) error {
	if a.folders[name] {
		return nil
	}
	if err := a.folder(path.Dir(name)); err != nil {
		return err
	}
	a.folders[name] = true
	return a.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2})
}

// bytes adds a file.
func (a *archive) bytes(name string, mode cpio.FileMode, b []byte) error {
	if err := a.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := a.w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err := a.w.Write(b)
	return err
}

// file adds a copy of a file.
func (a *archive) file(name string, mode cpio.FileMode, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return a.bytes(name, mode, b)
}

// tree adds a folder with all that is in it, if it exists.
func (a *archive) tree(name, from string) error {
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return nil
	}
	return filepath.WalkDir(from, func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		return a.file(path.Join(name, filepath.ToSlash(rel)), 0o644, at)
	})
}

// driverModules are the modules, where a kernel does not have them built in, of the drive,
// of vgem, whose fences are pending for as long as a test likes, and of what they stand on.
var driverModules = map[string]bool{
	"nvme-auth": true, "nvme-keyring": true, "nvme-core": true, "nvme": true,
	"drm": true, "drm_kms_helper": true, "drm_shmem_helper": true, "vgem": true,
}

// modules adds what driverModules names, and returns where.
func (a *archive) modules(from string) ([]string, error) {
	if from == "" {
		return nil, nil
	}
	var out []string
	err := filepath.WalkDir(filepath.Join(from, "kernel", "drivers"), func(at string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() || !driverModules[moduleName(at)] {
			return err
		}
		name := path.Join("modules", filepath.Base(at))
		out = append(out, "/"+name)
		return a.file(name, 0o644, at)
	})
	return out, err
}

// moduleName is the name of a module from its file, x of x.ko.xz.
func moduleName(file string) string {
	base := filepath.Base(file)
	for ext := filepath.Ext(base); ext != ""; ext = filepath.Ext(base) {
		base = base[:len(base)-len(ext)]
	}
	return base
}

// pack writes the first file system: the first process, the tests from the folder that
// they were built into, and the job.
func pack(to io.Writer, root, built string, o *Options) error {
	a := newArchive(to)
	for _, dir := range []string{"dev", "proc", "sys", "tmp"} {
		if err := a.folder(dir); err != nil {
			return err
		}
	}
	if err := a.file("init", 0o755, filepath.Join(built, "init")); err != nil {
		return err
	}
	modules, err := a.modules(o.Kernel.Modules)
	if err != nil {
		return err
	}
	job := guest.Job{Modules: modules, Drive: Drive}
	for _, t := range o.Tests {
		p := t.program(o)
		if err := a.file(p.Path[1:], 0o755, filepath.Join(built, t.Name()+".test")); err != nil {
			return err
		}
		if err := a.folder(p.Dir[1:]); err != nil {
			return err
		}
		if err := a.tree(path.Join(p.Dir[1:], "testdata"), filepath.Join(root, t.Package, "testdata")); err != nil {
			return err
		}
		job.Programs = append(job.Programs, p)
	}
	text, err := json.Marshal(job)
	if err != nil {
		return err
	}
	if err := a.bytes(guest.JobPath[1:], 0o644, text); err != nil {
		return err
	}
	return a.w.Close()
}
