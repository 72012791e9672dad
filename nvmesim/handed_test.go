package nvmesim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/sim/explore"
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

// A command that is done depends on what was done before its request was handed over, and not on who reset the drive
// before its interrupt came, and found that it was done.
func TestReapedByReset(t *testing.T) {
	reaped := 0
	r := explore.Run(t.Context(), on.Body(func(k *kernel.Task) {
		r := newRig(k, Config{Recovers: true}, 1)
		since := k.Point()
		alloc := func(k *kernel.Task, name string) {
			var m kernel.Mem
			k.Alloc(kernel.GFP_KERNEL, &m, name)
			k.Free(&m)
		}
		k.Go("submitter", func(k *kernel.Task) {
			alloc(k, "submitter")
			b := r.bio(blkmq.REQ_OP_READ, 0, 0, 4096)
			b.EndIO = func(k *kernel.Task, _ *blkmq.Bio) {
				if !strings.Contains(k.Name, "nvme-reset-wq") {
					return
				}
				reaped++
				var names []string
				for _, n := range k.DependsOn(since).Notes {
					if n.Kind == kernel.NoteAlloc {
						names = append(names, n.Name)
					}
				}
				require.Equal(t, []string{"submitter"}, names)
			}
			r.queue.SubmitBio(k, b)
		})
		k.Go("reset", func(k *kernel.Task) {
			alloc(k, "reset")
			r.Reset(k)
		})
		k.Explore()
	}), explore.NewRandom(1), explore.Options{Executions: 500})
	if r.Found != nil {
		defer r.Found.Machine.Close()
		t.Fatal(r.Found.Failure)
	}
	require.Positive(t, reaped)
}
