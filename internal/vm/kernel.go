package vm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Script is what fetches QEMU and kernels, in the module.
const Script = "internal/vm/install.sh"

// ErrMissing is that QEMU or a kernel is not there.
var ErrMissing = errors.New("bash " + Script + " fetches it")

// Dir is the folder that the script fills: DMASIM_VM_DIR, or dmasim/vm in the user's cache.
func Dir() (string, error) {
	if dir := os.Getenv("DMASIM_VM_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("DMASIM_VM_DIR is not set, and there is no cache folder: %w", err)
	}
	return filepath.Join(cache, "dmasim", "vm"), nil
}

// Kernel is a kernel to boot.
type Kernel struct {
	// Name is how it is asked for: that of its package, or its path.
	Name string
	// Image is the file, and Modules the folder of its modules, "" if there is none.
	Image, Modules string
}

// Kernels are those that the script has fetched, by name.
func Kernels() ([]Kernel, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	var out []Kernel
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz", "lib/modules/*/vmlinuz"} {
		images, err := filepath.Glob(filepath.Join(dir, "kernels", "*", pattern))
		if err != nil {
			return nil, err
		}
		for _, image := range images {
			rest, _ := filepath.Rel(filepath.Join(dir, "kernels"), image)
			name, _, _ := strings.Cut(rest, string(filepath.Separator))
			if short, whole := strings.CutPrefix(name, "linux-image-"); whole {
				out = append(out, Kernel{short, image, modules(image)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Kernel) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// modules finds the modules of a kernel from where distributions put it.
func modules(image string) string {
	if filepath.Base(image) == "vmlinuz" {
		return folder(filepath.Dir(image), "kernel")
	}
	release := strings.TrimPrefix(filepath.Base(image), "vmlinuz-")
	for _, lib := range []string{"lib", "usr/lib"} {
		if dir := folder(filepath.Join(filepath.Dir(image), "..", lib, "modules", release), "kernel"); dir != "" {
			return dir
		}
	}
	return ""
}

// folder returns dir if it has something of that name in it.
func folder(dir, in string) string {
	if _, err := os.Stat(filepath.Join(dir, in)); err != nil {
		return ""
	}
	return dir
}

// FindKernel returns the kernel of a path or a name; "" is the first of those fetched.
func FindKernel(name string) (Kernel, error) {
	if info, err := os.Stat(name); name != "" && err == nil {
		if !info.Mode().IsRegular() {
			return Kernel{}, fmt.Errorf("%s is no kernel image: it is not a file", name)
		}
		return Kernel{name, name, modules(name)}, nil
	}
	all, err := Kernels()
	if err != nil {
		return Kernel{}, err
	}
	var known []string
	for _, k := range all {
		if k.Name == name || name == "" {
			return k, nil
		}
		known = append(known, k.Name)
	}
	switch {
	case name == "":
		dir, _ := Dir()
		return Kernel{}, fmt.Errorf("there is no kernel in %s: %w", filepath.Join(dir, "kernels"), ErrMissing)
	case len(known) == 0:
		return Kernel{}, fmt.Errorf("there is no kernel image %q: name a bzImage or vmlinuz", name)
	}
	return Kernel{}, fmt.Errorf("there is no kernel image %q, and no kernel of that name is fetched; there are %s", name, strings.Join(known, ", "))
}

// emulator finds QEMU.
func emulator() (string, error) {
	const name = "qemu-system-x86_64"
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no %s: %w", name, ErrMissing)
	}
	return path, nil
}
