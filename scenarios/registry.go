package scenarios

import (
	"dmasim/blkmq/dmatoken"
	"dmasim/token"
	"dmasim/token/drain"
)

var designs = []*Design{
	{
		Name: "rfc-v2", Base: "rfc-v2", Repairable: true,
		Doc: "RFC v2 as posted, with the repairs that --fix names",
		new: posted,
	},
	{
		Name: "rfc-v2-repaired", Base: "rfc-v2", Fixes: token.AllFixes(),
		Doc: "RFC v2 with every repair",
		new: posted,
	},
	{
		Name: "drain", Base: "drain",
		Doc: "the invalidation kills the reference, waits for the last request and unmaps in place",
		new: func(token.Fix) token.Design { return drain.Design{} },
	},
}

func posted(f token.Fix) token.Design { return dmatoken.Design{Fixes: f} }

// instance makes the design for one run, with further repairs on.
func (d *Design) instance(f token.Fix) token.Design { return d.new(f | d.Fixes) }

var all = []*Scenario{
	publishAfterUnlock,
	moveWhileBusy,
	pipelinedMove,
	migrateOnMap,
	migratedByNeighbour,
	moveThereAndBack,
	invalidatedRepeatedly,
	preemptedQueues,
	reservedFirst,
	coldReads,
	unregisterInFlight,
	lostTag,
	batchedCompletion,
	noFenceSlot,
	mapAllocFails,
	dmaMapFails,
	lateRegistration,
	removeDevice,
}
