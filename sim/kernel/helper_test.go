package kernel

import (
	"testing"

	"dmasim/internal/simtest"
)

// on boots a kernel for every body.
var (
	on                               = simtest.On[*Task](Boot)
	passes, fails, always, sometimes = on.Passes, on.Fails, on.Always, on.Sometimes
	outcomes, set                    = on.Outcomes, simtest.Set
)

// object is something that is allocated.
type object struct {
	Mem
	v Field[int]
}

// get reads the object, as part of the operation that was granted last.
func (o *object) get(k *Task) int {
	k.Access(&o.Mem)
	return o.v.Get(k)
}

func newObject(k *Task, v int) *object {
	o := &object{}
	k.Alloc(GFP_ATOMIC, &o.Mem, "object")
	o.v.Init(k, &o.Mem, "object.v", v)
	return o
}

// raceless is body without the check for data races, which finds a free that races with a
// reader before the reader comes too late.
func raceless(body func(k *Task)) func(k *Task) {
	return func(k *Task) {
		k.K.Races.Off = true
		body(k)
	}
}

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }
