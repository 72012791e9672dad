package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/sim/kernel"
)

// Commands that one doorbell makes known depend on what was done before their requests were handed
// over, each for itself.
func TestHandedOverApart(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		r := newRig(k, Config{}, 4)
		since := k.Point()
		depends := map[string][]string{}
		submit := func(k *kernel.Task, name string, at int) {
			var m kernel.Mem
			k.Alloc(kernel.GFP_KERNEL, &m, name)
			k.Free(&m)
			b := r.bio(blkmq.REQ_OP_READ, uint64(100*at), at*4096, 4096)
			b.EndIO = func(k *kernel.Task, _ *blkmq.Bio) {
				depends[name] = []string{}
				for _, n := range k.DependsOn(since).Notes {
					if n.Kind == kernel.NoteAlloc {
						depends[name] = append(depends[name], n.Name)
					}
				}
			}
			r.queue.SubmitBio(k, b)
		}
		k.Go("submitter", func(k *kernel.Task) {
			p := blkmq.StartPlug(k, 2)
			submit(k, "first", 0)
			submit(k, "second", 1)
			p.Finish(k)
		})
		k.Explore()
		require.Equal(t, map[string][]string{"first": {"first"}, "second": {"first", "second"}}, depends)
	})
}
