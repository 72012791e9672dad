//go:build linux

package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Main does the job and switches the machine off. It does not return.
func Main() {
	defer func() { // whatever happens: a first process that ends is a panic of the kernel
		if p := recover(); p != nil {
			fmt.Fprintln(os.Stderr, "init:", p)
		}
		unix.Sync()
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		select {}
	}()
	if os.Getpid() != 1 {
		panic("this program is the first process of a virtual machine")
	}
	g := &guest{}
	if err := g.do(); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		g.say(Message{Problem: err.Error()})
	}
}

type guest struct {
	job            Job
	output, report *os.File
}

// patience is how long a device may take to appear.
const patience = 20 * time.Second

func (g *guest) do() error {
	if err := mounts(); err != nil {
		return err
	}
	var err error
	if g.output, err = port(Output); err != nil {
		return err
	}
	if g.report, err = port(Report); err != nil {
		return err
	}
	text, err := os.ReadFile(JobPath)
	if err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	if err := json.Unmarshal(text, &g.job); err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	missing := load(g.job.Modules)
	if g.job.Drive != "" && !appears(g.job.Drive) {
		return fmt.Errorf("there is no %s after %v: %s", g.job.Drive, patience, strings.Join(append(missing, "the kernel has no driver for it, or it was found wanting"), "; "))
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	g.say(Message{Kernel: unix.ByteSliceToString(uts.Release[:]), Missing: missing})
	for _, p := range g.job.Programs {
		g.say(Message{Result: g.run(p)})
	}
	g.say(Message{End: true})
	return nil
}

func (g *guest) say(m Message) {
	if g.report != nil {
		json.NewEncoder(g.report).Encode(m)
	}
}

// mounts mounts what programs expect. The first file system has the folders.
func mounts() error {
	for _, m := range []struct{ fs, at string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"},
	} {
		if err := unix.Mount(m.fs, m.at, m.fs, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mounting %s at %s: %w", m.fs, m.at, err)
		}
	}
	return nil
}

// port opens a virtio-serial port by its name.
func port(name string) (*os.File, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, n := range names {
			if text, _ := os.ReadFile(n); string(bytes.TrimSpace(text)) == name {
				if f, err := os.OpenFile("/dev/"+filepath.Base(filepath.Dir(n)), os.O_WRONLY, 0); err == nil {
					return f, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("there is no virtio-serial port %q after %v", name, patience)
}

func appears(device string) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(device); err == nil {
			return true
		}
	}
	return false
}

// load loads modules, those first whose needs are there, and says which could not be.
func load(files []string) []string {
	for {
		var failed, sentences []string
		for _, f := range files {
			if err := loadOne(f); err != nil && !errors.Is(err, unix.EEXIST) {
				failed = append(failed, f)
				sentences = append(sentences, fmt.Sprintf("the module %s cannot be loaded: %v", filepath.Base(f), err))
			}
		}
		if len(failed) == 0 || len(failed) == len(files) {
			return sentences
		}
		files = failed
	}
}

func loadOne(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if filepath.Ext(file) != ".ko" {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	return unix.FinitModule(int(f.Fd()), "", flags)
}

// run runs a program to its end.
func (g *guest) run(p Program) *Result {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(p.Seconds)*time.Second)
	defer cancel()
	r := &Result{Program: p.Name}
	out := &lines{to: g.output, each: r.count}
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Dir, cmd.Env = p.Dir, append([]string{"HOME=/", "PATH=/bin", "TMPDIR=/tmp"}, p.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	start := time.Now()
	err := cmd.Run()
	r.Seconds = time.Since(start).Seconds()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		r.Status = exit.ExitCode()
	} else if err != nil {
		r.Status = -1
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(g.output, "%s: killed after %d seconds\n", p.Name, p.Seconds)
	case err != nil:
		fmt.Fprintf(g.output, "%s: %v\n", p.Name, err)
	}
	fmt.Fprintln(g.output, r)
	return r
}

// lines passes on what is written to it, and each whole line to a function.
type lines struct {
	to   io.Writer
	each func(string)
	rest []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		l.each(string(line))
		l.rest = rest
	}
	return l.to.Write(b)
}
