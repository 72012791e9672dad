//go:build linux

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dmasim/internal/vm/guest"
)

// driveSize is the size of the drive. It takes memory as far as it is written.
const driveSize = 256 << 20

// traced are QEMU's events that Options.Trace gets.
var traced = []string{"pci_nvme_read", "pci_nvme_write", "pci_nvme_map_prp", "pci_nvme_map_sgl", "pci_nvme_map_addr"}

// memory is a file in memory that has no name.
func memory(name string, size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate("dmasim-"+name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory for the virtual machine: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// machine is a virtual machine: the files that QEMU gets as open descriptors.
type machine struct {
	// initrd is the first file system. console is what the kernel wrote, trace what QEMU
	// was told to trace.
	initrd, drive, console, trace *os.File
}

func newMachine() (*machine, error) {
	m := &machine{}
	for _, f := range []struct {
		to   **os.File
		name string
		size int64
	}{{&m.initrd, "initrd", 0}, {&m.drive, "drive", driveSize}, {&m.console, "console", 0}, {&m.trace, "trace", 0}} {
		var err error
		if *f.to, err = memory(f.name, f.size); err != nil {
			m.close()
			return nil, err
		}
	}
	return m, nil
}

func (m *machine) close() {
	for _, f := range []*os.File{m.initrd, m.drive, m.console, m.trace} {
		if f != nil {
			f.Close()
		}
	}
}

// boot runs the machine until it is off. What the programs write goes to output, the
// guest's messages to report.
func (m *machine) boot(ctx context.Context, qemu string, o *Options, output, report io.Writer) error {
	cmd := exec.CommandContext(ctx, qemu)
	pass := func(f *os.File) string { // the path that QEMU opens it by
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		return fmt.Sprintf("/dev/fd/%d", 2+len(cmd.ExtraFiles))
	}
	var pipes [2]struct{ read, write *os.File }
	for i := range pipes {
		p := &pipes[i]
		var err error
		if p.read, p.write, err = os.Pipe(); err != nil {
			return err
		}
		defer p.read.Close()
		defer p.write.Close()
	}
	cmd.Args = append(cmd.Args, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "pc", "-smp", "2", "-m", "1024",
		"-kernel", o.Kernel.Image, "-initrd", pass(m.initrd),
		"-append", strings.TrimSpace("console=ttyS0 quiet panic=-1 mitigations=off hugepages=16 "+o.Append),
		"-serial", "file:"+pass(m.console),
		"-drive", "if=none,id=drive,format=raw,file.locking=off,file="+pass(m.drive), "-device", "nvme,drive=drive,serial=dmasim,mdts=0",
		"-device", "virtio-serial-pci",
		"-chardev", "file,id=output,path="+pass(pipes[0].write), "-device", "virtserialport,chardev=output,name="+guest.Output,
		"-chardev", "file,id=report,path="+pass(pipes[1].write), "-device", "virtserialport,chardev=report,name="+guest.Report)
	if o.KVM {
		cmd.Args = append(cmd.Args, "-accel", "kvm", "-cpu", "host")
	} else {
		cmd.Args = append(cmd.Args, "-accel", "tcg,thread=multi", "-cpu", "max")
	}
	if o.Trace != nil {
		cmd.Args = append(cmd.Args, "-D", pass(m.trace))
		for _, e := range traced {
			cmd.Args = append(cmd.Args, "-trace", "enable="+e)
		}
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 5 * time.Second
	// The kernel kills QEMU when the thread that made it is gone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting QEMU: %w", err)
	}
	copied := make(chan error, len(pipes))
	for i, to := range []io.Writer{output, report} {
		pipes[i].write.Close()
		go func() {
			_, err := io.Copy(to, pipes[i].read)
			copied <- err
		}()
	}
	err := cmd.Wait()
	for range pipes {
		if e := <-copied; e != nil && err == nil {
			err = e
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("QEMU: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return err
}

// lastWords are the last lines that the kernel wrote to its console.
func (m *machine) lastWords(n int) string {
	b, err := contents(m.console)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(b), "\r", "")), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// contents is all of a file, wherever it was read or written last.
func contents(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
}
