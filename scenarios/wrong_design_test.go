package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq/dmatoken"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/token/toy"
)

// mistake is what is wrong with a design that is right otherwise.
type mistake uint8

const (
	early    mistake = iota // drops its reference before the data is through
	late                    // drops it when the ring's task has done with the request
	locks                   // takes the reservation lock to drop it
	reclaims                // allocates memory to drop it
	hasty                   // fails where the reservation lock is taken, also if it may wait
	keeps                   // does not unregister
	mixed                   // has two pages of the mapping in the wrong order
)

// wrong is a design with a mistake.
type wrong struct {
	token.Design
	mistake mistake
}

func (d wrong) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok, err := d.Design.Register(t, p, q, drv)
	if err != kernel.OK {
		return nil, err
	}
	return &wrongToken{Token: tok, p: p, mistake: d.mistake, kept: map[*token.Use][]*token.Frag{}}, kernel.OK
}

type wrongToken struct {
	token.Token
	p       token.Params
	mistake mistake
	kept    map[*token.Use][]*token.Frag
	mixed   *token.Map
}

func (w *wrongToken) Submit(t *kernel.Task, f *token.Frag) token.Outcome {
	if w.mistake == hasty {
		if !w.p.DmaBuf.Resv.Trylock(t) {
			return token.Outcome{Status: kernel.BLK_STS_RESOURCE, FreeRequest: true}
		}
		w.p.DmaBuf.Resv.Unlock(t)
	}
	o := w.Token.Submit(t, f)
	if f.Map == nil {
		return o
	}
	switch w.mistake {
	case early:
		gone := *f
		w.Token.Free(t, &gone, token.Single)
	case mixed:
		if array := f.Map.Private.Get(t).(*nvmesim.Array).Pages; w.mixed != f.Map {
			w.mixed = f.Map
			array[0], array[1] = array[1], array[0]
		}
	}
	return o
}

func (w *wrongToken) Free(t *kernel.Task, f *token.Frag, p token.Path) {
	if f.Map == nil {
		return
	}
	gone := *f
	f.Map, f.Priv = nil, nil
	drop := func(t *kernel.Task) { w.Token.Free(t, &gone, p) }
	switch w.mistake {
	case early:
	case late:
		w.kept[f.Use] = append(w.kept[f.Use], &gone)
	case locks:
		t.Kthread("dropper", sim.Op{Verb: "run"}, func(t *kernel.Task) {
			w.p.DmaBuf.Resv.Lock(t, nil)
			drop(t)
			w.p.DmaBuf.Resv.Unlock(t)
		})
	case reclaims:
		t.Kthread("dropper", sim.Op{Verb: "run"}, func(t *kernel.Task) {
			t.MayFail(kernel.GFP_KERNEL, "what it does not need")
			drop(t)
		})
	default:
		drop(t)
	}
}

func (w *wrongToken) Finish(t *kernel.Task, u *token.Use) {
	for _, f := range w.kept[u] {
		w.Token.Free(t, f, token.Single)
	}
	delete(w.kept, u)
}

func (w *wrongToken) Unregister(t *kernel.Task) {
	if w.mistake != keeps {
		w.Token.Unregister(t)
	}
}

// TestWrongDesigns has every scenario of exporters and users show a mistake that it is there for,
// within what it promises at the quick level.
func TestWrongDesigns(t *testing.T) {
	moved := []sim.Kind{hw.StaleDMA, hw.IOMMUFault, kernel.DataRace}
	stuck := []sim.Kind{sim.Deadlock, sim.LostWakeup, kernel.LockOrder} // lockdep may be first
	for _, c := range []struct {
		scenario *Scenario
		mistake  mistake
		kinds    []sim.Kind
	}{
		{lockHeld, hasty, []sim.Kind{iter.WrongErrno}},
		{mapBlocks, hasty, []sim.Kind{iter.WrongErrno}},
		{heldAfterNotify, locks, stuck},
		{revoked, early, moved},
		{pinnedAtAttach, keeps, []sim.Kind{kernel.Leak}},
		{oddLayout, mixed, []sim.Kind{hw.DataCorruption}},
		{sharedWithNic, early, moved},
		{evictedUnderPressure, reclaims, stuck},
		{delayedDelete, keeps, []sim.Kind{kernel.Leak}},
		{hungJob, early, moved},
		{deferredTask, late, stuck},
		{waitsForGpu, late, stuck},
		{killedTask, early, moved},
		{clonedBuffer, early, moved},
	} {
		t.Run(c.scenario.Name, func(t *testing.T) {
			t.Parallel()
			var right token.Design = toy.Design{}
			if c.mistake == reclaims { // which takes a fence
				right = dmatoken.Design{}
			}
			d := &Design{Name: "wrong", Fixes: token.AllFixes(), maker: wrong{right, c.mistake}}
			r := explore.Run(t.Context(), Case{Scenario: c.scenario, Design: d}.Program(), explore.NewDeepen(c.scenario.Quick),
				explore.Options{MinimizeRuns: -1})
			require.NotNil(t, r.Found, "nothing was found in %d executions", r.Executions)
			defer r.Found.Machine.Close()
			require.Contains(t, c.kinds, r.Found.Failure.Kind, r.Found.Failure.Message)
		})
	}
}
