package scenarios

import (
	"dmasim/blkmq/dmatoken"
	"dmasim/token"
	"dmasim/token/drain"
)

var designs = []*Design{
	{
		Name: "rfc-v2", Base: "rfc-v2", Repairable: true,
		Doc:   "RFC v2 as posted, with the repairs that --fix names",
		maker: dmatoken.Design{},
	},
	{
		Name: "rfc-v2-repaired", Base: "rfc-v2", Fixes: token.AllFixes(),
		Doc:   "RFC v2 with every repair",
		maker: dmatoken.Design{},
	},
	{
		Name: "drain", Base: "drain", Fixes: token.AllFixes(),
		Doc:   "the invalidation kills the reference, waits for the last request and unmaps in place; on repaired layers",
		maker: drain.Design{},
	},
}

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
	chunkedDrive,
	narrowDrive,
	coarseDrive,
	longList,
	bouncedRead,
	recycledBuffer,
	vectoredRead,
	retriedCommand,
	noLongerDirect,
	noMemoryForWorkers,
	swapToTheDrive,
}
