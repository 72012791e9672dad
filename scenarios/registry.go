package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/token"
)

var designs = []*Design{
	{Name: "rfc-v2", Base: "rfc-v2", Doc: "RFC v2 as posted", Repairable: true},
	{Name: "rfc-v2-repaired", Base: "rfc-v2", Doc: "RFC v2 with every repair on", Fixes: token.AllFixes()},
	{Name: "drain", Base: "drain", Doc: "the invalidation kills the reference, waits for the last request and unmaps in place"},
}

// TEMPORARY toy scenario, replaced by the real ones.
var all = []*Scenario{
	{
		Name: "publish-after-unlock", Story: "A toy stand-in.",
		Quick: explore.Coverage{Bound: explore.Delays, N: 2}, Full: explore.Coverage{Bound: explore.Delays, N: 3},
		Defects: map[string][]Defect{"rfc-v2": {{Kind: "stale-dma", Fix: token.FixPublishUnderResv}}},
		body: func(c Case) func(*sim.Task) {
			broken := c.Design.Base == "rfc-v2" && !(c.Fixes | c.Design.Fixes).Has(token.FixPublishUnderResv)
			return func(t *sim.Task) {
				var o, p sim.Object
				t.Own(&o, "ww_mutex", "dma_resv")
				t.Own(&p, "pointer", "token->map")
				moved, published := false, false
				t.Go("io_uring", func(t *sim.Task) {
					t.At("CREATE-4", "dma_resv_lock()")
					t.Step(sim.Op{Verb: "lock", Obj: &o})
					if !broken {
						published = true
					}
					t.At("CREATE-7", "dma_resv_unlock()")
					t.Step(sim.Op{Verb: "unlock", Obj: &o})
					t.At("CREATE-10", "token->map = map#1")
					t.Step(sim.Op{Verb: "store", Obj: &p})
					published = true
					if moved && broken {
						t.Fail("stale-dma", "nvme0 wrote 4096 bytes to page 0x2a3, which belongs to \"evicted\"")
					}
				})
				t.Go("exporter", func(t *sim.Task) {
					t.At("", "dma_resv_lock()")
					t.Step(sim.Op{Verb: "lock", Obj: &o})
					if !published {
						moved = true
						t.Say("REM-3", "token->map == NULL, return")
					}
					t.At("", "dma_resv_unlock()")
					t.Step(sim.Op{Verb: "unlock", Obj: &o})
				})
				t.Explore()
			}
		},
	},
}
