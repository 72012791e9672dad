package kernel

import (
	"hash/fnv"

	"dmasim/sim"
)

// Subsystem returns what a subsystem keeps once for all of the kernel under the key. It is
// made by the first call.
func (t *Task) Subsystem(key any, boot func() any) any {
	k := t.K
	if s, ok := k.subsystems[key]; ok {
		return s
	}
	if k.subsystems == nil {
		k.subsystems = map[any]any{}
	}
	s := boot()
	k.subsystems[key] = s
	return s
}

// OwnStatic initialises an object that exists from boot on, whoever is the first to use
// it.
func (t *Task) OwnStatic(o *sim.Object, typ, name string) {
	h := fnv.New32a()
	h.Write([]byte(typ + " " + name))
	t.OwnPart(o, &t.K.injection, uint64(h.Sum32()), typ, name)
}

// FindSubsystem is what Subsystem made under the key, nil if it was never asked for.
func (k *Kernel) FindSubsystem(key any) any { return k.subsystems[key] }
