package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// What a workload can have besides reads and writes finds what is wrong without one of the repairs,
// and passes with all of them.
func TestIngredients(t *testing.T) {
	for text, missed := range map[string]struct {
		fix  token.Fix
		kind []sim.Kind
	}{
		"io=own":                                 {token.FixNoVectors, []sim.Kind{sim.Bug}},
		"io=own/own":                             {token.FixInitImu, []sim.Kind{kernel.Leak}},
		"io=long":                                {token.FixCheckSize, []sim.Kind{iter.WrongErrno}},
		"io=readv":                               {token.FixRefuseVectored, []sim.Kind{sim.Bug}},
		"io=undirect/r0+8":                       {token.FixRefuseBuffered, []sim.Kind{hw.DataCorruption}},
		"io=half":                                {token.FixCountDone, []sim.Kind{iter.WrongErrno}},
		"burst=w0+1/dirty":                       {token.FixRetryBusy, []sim.Kind{iter.WrongErrno}},
		"exporter=swapping,moves=1,io=r0+1/r0+1": {token.FixSetBiosAside, []sim.Kind{sim.Deadlock}},
		"mode=async,moves=1,pipelined,burst=r0+1/stop":                    {token.FixWaitThroughStops, []sim.Kind{iter.WrongErrno}},
		"protected,io=w0+8":                                               {token.FixSkipIntegrity, []sim.Kind{sim.Bug}},
		"exporter=far,io=r0+8":                                            {token.FixWideOffset, []sim.Kind{sim.Bug}},
		"exporter=odd,cuts=1,ragged,io=r0+8":                              {token.FixCheckLayout, []sim.Kind{sim.Bug}},
		"unbound,warm,io=r0+8":                                            {token.FixDetachOnUnbind, []sim.Kind{kernel.Leak}},
		"resets=1,moves=1,reclaims=1,warm,io=r0+8":                        {token.FixResetScope, []sim.Kind{sim.Deadlock, sim.LostWakeup, dmabufsim.FenceRule}},
		"tags=1,moves=1,swap,io=r0+8":                                     {token.FixMapBeforeTag, []sim.Kind{sim.Deadlock, dmabufsim.FenceRule}},
		"moves=1,warm,idle=1,exhausted,io=r0+8":                           {token.FixUnmapApart, []sim.Kind{sim.Deadlock}},
		"pages=3,moves=1,warm,exhausted,io=r0+24":                         {token.FixReserveLists, []sim.Kind{sim.Livelock, dmabufsim.FenceRule}},
		"exporter=revoking,moves=1,warm,io=r0+8/r0+8":                     {token.FixKeepErrno, []sim.Kind{iter.WrongErrno}},
		"exporter=pipelined-reserved,moves=1,warm,idle=5,io=r0+8":         {token.FixSpareSlot, []sim.Kind{sim.Warn, sim.Bug}},
		"pages=514,sectors=4112,segments=1028,warm,failures=2,io=r0+4112": {token.FixFreeList, []sim.Kind{sim.Bug}},
	} {
		t.Run(text, func(t *testing.T) {
			wl, err := scenarios.ParseWorkload(text)
			require.NoError(t, err)
			d, err := scenarios.FindDesign("rfc-v2")
			require.NoError(t, err)
			run := func(fixes token.Fix) *explore.Found {
				opt := explore.Options{Executions: 60, MinimizeRuns: -1, NoObserver: true}
				return explore.Run(t.Context(), scenarios.Program(d, fixes, wl), explore.NewRandom(1), opt).Found
			}
			require.Nil(t, run(token.AllFixes()))
			f := run(token.AllFixes() &^ missed.fix)
			require.NotNil(t, f)
			defer f.Machine.Close()
			require.Contains(t, missed.kind, f.Failure.Kind, f.Failure.Message)
		})
	}
}
