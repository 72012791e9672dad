package scenarios

import (
	"dmasim/blkmq/dmatoken"
	"dmasim/dmabufsim"
	"dmasim/token"
	"dmasim/token/drain"
	"dmasim/token/toy"
)

var designs = []*Design{
	{
		Name: "rfc-v2", Base: "rfc-v2", Repairable: true,
		Doc:   "RFC v2 as posted, with the repairs that --fix names",
		Rules: postedRules,
		maker: dmatoken.Design{}, tokenSite: "blk_mq_dma_token",
	},
	{
		Name: "rfc-v2-repaired", Base: "rfc-v2", Fixes: token.AllFixes(),
		Doc:   "RFC v2 with every repair",
		Rules: postedRules,
		maker: dmatoken.Design{}, tokenSite: "blk_mq_dma_token",
	},
	{
		Name: "drain", Base: "drain", Fixes: token.AllFixes(),
		Doc:   "the invalidation kills the reference, waits for the last request and unmaps in place; on repaired layers",
		maker: drain.Design{}, tokenSite: "drain token",
	},
	{
		Name: "toy", Base: "toy", Fixes: token.AllFixes(),
		Doc:   "each request takes the reservation lock to count itself in; the invalidation waits and unmaps in place; on repaired layers",
		maker: toy.Design{}, tokenSite: "toy token",
	},
}

// postedRules is what RFC v2 does wrong with every fence: it signals them from system_wq (R6).
var postedRules = []Defect{{Kind: dmabufsim.FenceRule, Fix: token.FixReclaimQueue}}

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
	reservedBySubmission,
	lockHeld,
	mapBlocks,
	heldAfterNotify,
	revoked,
	pinnedAtAttach,
	oddLayout,
	sharedWithNic,
	evictedUnderPressure,
	resetUnderPressure,
	delayedDelete,
	hungJob,
	deferredTask,
	waitsForGpu,
	killedTask,
	clonedBuffer,
	fullPool,
	coldReads,
	unregisterInFlight,
	releasedTogether,
	readsAroundAMove,
	lostTag,
	batchedCompletion,
	noFenceSlot,
	mapAllocFails,
	dmaMapFails,
	lateRegistration,
	removeDevice,
	unboundDriver,
	chunkedDrive,
	narrowDrive,
	coarseDrive,
	longList,
	bouncedRead,
	bouncedUnmap,
	recycledBuffer,
	hugePages,
	vectoredRead,
	oddSegments,
	protectedDrive,
	farOffset,
	longBuffer,
	refusedMapping,
	polledRing,
	cancelledMapping,
	retriedCommand,
	wrongRegistrations,
	wrongTransfers,
	pluggedReads,
	frozenQueue,
	noDescriptor,
	noMemoryForLists,
	noLongerDirect,
	noMemoryForWorkers,
	oneRescuer,
	fullWorkqueue,
	swapToTheDrive,
}
