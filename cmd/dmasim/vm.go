package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"dmasim/internal/vm"
)

// vm runs the tests of the real path in a virtual machine.
func (a *app) vm(args []string) (int, error) {
	var more []string
	if at := slices.Index(args, "--"); at >= 0 {
		args, more = args[:at], args[at+1:]
	}
	fs := flags("vm")
	kernel := fs.String("kernel", "", "")
	kvm := fs.Bool("kvm", false, "")
	trace := fs.String("trace", "", "")
	timeout := fs.Duration("timeout", 10*time.Minute, "")
	names, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	if *timeout <= 0 {
		return 0, fmt.Errorf("--timeout is how long the machine may run, as 5m, not %v", *timeout)
	}
	o := vm.Options{Flags: more, KVM: *kvm, Timeout: *timeout, Output: a.stdout}
	if o.Tests, err = vm.Find(names...); err != nil {
		return 0, err
	}
	if o.Kernel, err = vm.FindKernel(*kernel); err != nil {
		return 0, err
	}
	if *trace != "" {
		f, err := os.Create(*trace)
		if err != nil {
			return 0, fmt.Errorf("the file for the trace: %w", err)
		}
		defer f.Close()
		o.Trace = f
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out, err := vm.Run(ctx, o)
	if err != nil && (out == nil || out.Release == "") {
		return 0, err
	}
	for _, m := range out.Missing {
		fmt.Fprintln(a.stdout, "missing:", m)
	}
	verdict, status := "all passed", exitOK
	if err != nil || !out.OK() {
		verdict, status = "not all passed", exitDiffers
	}
	fmt.Fprintf(a.stdout, "\nkernel %s: %d of %d packages ran, %s; first test %.1fs after power on, off after %.1fs\n",
		out.Release, len(out.Results), len(o.Tests), verdict, out.Boot.Seconds(), out.Whole.Seconds())
	if err != nil {
		fmt.Fprintf(a.stderr, "dmasim vm: %v\n", err)
	}
	return status, nil
}
