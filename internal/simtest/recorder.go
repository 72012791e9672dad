package simtest

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Recorder stands in for a test, for a check that is to fail: it takes the verdict and does not pass
// it on.
type Recorder struct {
	Test   string // its name
	Logged strings.Builder
	failed bool
}

func (r *Recorder) Helper()                           {}
func (r *Recorder) Name() string                      { return r.Test }
func (r *Recorder) Logf(format string, args ...any)   { fmt.Fprintf(&r.Logged, format+"\n", args...) }
func (r *Recorder) Log(args ...any)                   { fmt.Fprintln(&r.Logged, args...) }
func (r *Recorder) Skipf(format string, args ...any)  { panic("skipped") }
func (r *Recorder) Skip(args ...any)                  { panic("skipped") }
func (r *Recorder) SkipNow()                          { panic("skipped") }
func (r *Recorder) Errorf(format string, args ...any) { r.Logf(format, args...); r.failed = true }
func (r *Recorder) Error(args ...any)                 { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *Recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }
func (r *Recorder) Fatal(args ...any)                 { r.Error(args...) }
func (r *Recorder) FailNow()                          { r.failed = true } // rapid does nothing after it
func (r *Recorder) Fail()                             { r.failed = true }
func (r *Recorder) Failed() bool                      { return r.failed }

// Flags sets flags, given as names and values, until the end of the test. They are global: a test
// that calls this is not parallel.
func Flags(t testing.TB, kv ...string) {
	for i := 0; i < len(kv); i += 2 {
		f := flag.Lookup(kv[i])
		before := f.Value.String()
		require.NoError(t, f.Value.Set(kv[i+1]))
		t.Cleanup(func() { require.NoError(t, f.Value.Set(before)) })
	}
}
