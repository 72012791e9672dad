package vm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"dmasim/internal/vm/guest"
)

// Run builds the tests and runs them in a machine of their own. An error is a sentence that
// says why not all of them have a result; ErrMissing is that something has to be fetched.
func Run(ctx context.Context, o Options) (*Outcome, error) {
	qemu, err := emulator()
	if err != nil {
		return nil, err
	}
	out := &Outcome{}
	start := time.Now()
	m, err := newMachine()
	if err != nil {
		return nil, err
	}
	defer m.close()
	if err := assemble(ctx, m.initrd, &o); err != nil {
		return nil, err
	}
	out.Build = time.Since(start)

	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if o.Output == nil {
		o.Output = io.Discard
	}
	start = time.Now()
	r := &reader{o: &o, out: out, start: start}
	err = m.boot(limited, qemu, &o, o.Output, r)
	out.Whole = time.Since(start)
	if o.Trace != nil {
		b, e := contents(m.trace)
		if e == nil {
			_, e = fmt.Fprintf(o.Trace, "kernel %s\n%s", out.Release, b)
		}
		err = errors.Join(err, e)
	}
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("interrupted %s: %w", r.where(), ctx.Err())
	case limited.Err() != nil:
		return out, fmt.Errorf("the machine was not off after %v, %s; %s", o.Timeout, r.where(), m.said())
	case err != nil:
		return out, err
	case r.problem != "":
		return out, fmt.Errorf("in the guest: %s", r.problem)
	case !r.end:
		return out, fmt.Errorf("the machine stopped %s; %s", r.where(), m.said())
	}
	return out, nil
}

// said is the end of what the kernel wrote, for an error.
func (m *machine) said() string {
	if words := m.lastWords(25); words != "" {
		return "the last that the kernel wrote:\n" + words
	}
	return "the kernel wrote nothing"
}

// assemble builds the tests and packs them.
func assemble(ctx context.Context, to *os.File, o *Options) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	built, err := os.MkdirTemp("", "dmasim-vm-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(built)
	if err := build(ctx, root, built, o.Tests); err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 1<<20)
	if err := pack(w, root, built, o); err != nil {
		return err
	}
	return w.Flush()
}

// reader takes the messages of the guest.
type reader struct {
	o       *Options
	out     *Outcome
	start   time.Time
	rest    []byte
	problem string
	end     bool
}

func (r *reader) Write(b []byte) (int, error) {
	r.rest = append(r.rest, b...)
	for {
		line, rest, whole := bytes.Cut(r.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		r.rest = rest
		var m guest.Message
		if err := json.Unmarshal(line, &m); err != nil {
			return 0, fmt.Errorf("a message of the guest: %w", err)
		}
		r.take(m)
	}
}

func (r *reader) take(m guest.Message) {
	switch {
	case m.Kernel != "":
		r.out.Release, r.out.Missing, r.out.Boot = m.Kernel, m.Missing, time.Since(r.start)
	case m.Problem != "":
		r.problem = m.Problem
	case m.End:
		r.end = true
	case m.Result != nil && len(r.out.Results) < len(r.o.Tests):
		r.out.Results = append(r.out.Results, Result{Test: r.o.Tests[len(r.out.Results)], Result: *m.Result})
	}
}

// where says what the guest was doing.
func (r *reader) where() string {
	switch done := len(r.out.Results); {
	case r.out.Release == "":
		return "before it ran any test"
	case done < len(r.o.Tests):
		return "in the tests of " + r.o.Tests[done].Package
	}
	return "after the tests"
}
