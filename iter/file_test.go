package iter

import (
	"testing"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Flags that change where nobody has said so would be a race that no strategy sees.
func TestSetFlags(t *testing.T) {
	fails(t, sim.Misuse, "WillChange was not called", func(k *kernel.Task) {
		(&File{Name: "nvme0n1"}).SetFlags(k, O_DIRECT)
	})
	passes(t, func(k *kernel.Task) {
		f := &File{Name: "nvme0n1"}
		f.WillChange(k)
		f.SetFlags(k, O_DIRECT)
		if !f.Direct(k) {
			k.Fail(sim.Misuse, "the flag is not set")
		}
	})
}
