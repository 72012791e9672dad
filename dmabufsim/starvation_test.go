package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// An exporter that issues moves which the device carries out later, faster than it does, adds a new
// fence each time. Who wants a mapping has made progress when the buffer stays where it is until he has
// it: once he holds the lock no further move can come in. If he waits for the fences with the lock
// held, that is as soon as he has it, whatever the exporter does. If he lets go of it to wait, and
// looks again, as many moves come in between as the exporter likes to make: there is no bound.
func TestMappingUnderEndlessMoves(t *testing.T) {
	for moves := 1; moves <= 3; moves++ {
		for _, drops := range []bool{false, true} {
			most := 0
			on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
				b := NewGPU(k, NewBus(k), "gpu", 0, Policy{WaitFor: UsageBookkeep, Wait: Pipelined}).Export(k, "bo", 1, System)
				a, _ := b.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), deafened, nil)
				resv, made := &b.Buf.Resv, 0 // moves, under the lock
				k.Go("importer", func(k *kernel.Task) {
					resv.Lock(k, nil)
					first := made
					for drops {
						busy := resv.fencesOf(k, UsageKernel)
						if len(busy) == 0 {
							break
						}
						resv.Unlock(k)
						waitAll(k, busy)
						resv.Lock(k, nil)
					}
					sgt, _ := a.Map(k, hw.Bidirectional)
					resv.Wait(k, UsageKernel)
					most = max(most, made-first)
					a.Unmap(k, sgt, hw.Bidirectional)
					resv.Unlock(k)
				})
				k.Go("exporter", func(k *kernel.Task) {
					for range moves {
						resv.Lock(k, nil)
						b.moveTo(k, System)
						made++
						resv.Unlock(k)
					}
				})
				k.Explore()
				b.Buf.Detach(k, a)
				b.Buf.Put(k)
			})
			if drops {
				require.Equal(t, moves-1, most, "all that come after the first")
			} else {
				require.Zero(t, most)
			}
		}
	}
}
