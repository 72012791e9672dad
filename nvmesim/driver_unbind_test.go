package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// A driver that lets go of all its tokens when it is unbound leaves none behind of those that come
// meanwhile: they are refused, or let go of, too.
func TestAttachWhileUnbinding(t *testing.T) {
	refused, detached := 0, 0
	on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
		token.Repair(k, token.FixDetachOnUnbind)
		w := newWorld(k, 1)
		d := newRig(k, Config{Recovers: true}, 1).Driver
		reg := token.Reg{Params: w.reg.Params, Token: w.tok}
		err := kernel.OK
		k.Go("unbind", func(k *kernel.Task) { d.Unbind(k) })
		k.Go("register", func(k *kernel.Task) { err = d.InitDmaToken(k, &reg) })
		k.Explore()
		switch {
		case reg.Private != nil:
			t.Error("attached to a device without a driver")
		case err == kernel.OK:
			detached++
			d.CleanDmaToken(k, &reg)
		case err == kernel.ENODEV:
			refused++
		default:
			t.Error(err)
		}
		w.teardown(k)
	})
	require.Positive(t, refused)
	require.Positive(t, detached)
}
