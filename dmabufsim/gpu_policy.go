package dmabufsim

import "dmasim/sim/kernel"

// Waiting says how a move deals with those who use the buffer.
type Waiting uint8

const (
	// Blocking: it waits for their fences with the reservation lock held, and copies then.
	Blocking Waiting = iota
	// Pipelined: the copy is a job of the device that runs after their fences, and has a
	// KERNEL fence of its own, which everybody has to wait for who uses the new pages.
	Pipelined
	// BackingOff: it drops the lock to wait, and begins again, until there is nothing to wait
	// for. The importers are told each time, since they may have mapped again. Inside
	// map_dma_buf, where the lock is not its own to drop, it blocks.
	BackingOff
)

// Leaving says what becomes of the pages that a buffer has left.
type Leaving uint8

const (
	// ToOther: somebody else gets them, and fills them.
	ToOther Leaving = iota
	// Back: they are free, and the next to be handed out, so that the buffer may come to lie
	// where it was before (ABA).
	Back
	// Unused: nobody gets them again.
	Unused
)

// Policy is what drivers of a kind differ in, and what discussions of dma-buf leave open.
// The zero value is a driver that waits for KERNEL fences only: see [Presets] for others.
type Policy struct {
	// WaitFor is the usage class that a move lets finish before the contents are copied;
	// BOOKKEEP is everything.
	WaitFor Usage
	Wait    Waiting
	// Context says that reservation locks are taken with an acquire context.
	Context bool
	// ReserveFirst says that the slot for the KERNEL fence is reserved before the importers
	// are told, as the memory manager of TTM does; else after. It is one slot: importers that
	// add fences of their own without asking for room use it up.
	ReserveFirst bool

	// MapWaits says that map_dma_buf waits for the fences of class MapWaitFor with the lock
	// held: it validates the placement, and may have to clear or to populate memory first.
	MapWaits   bool
	MapWaitFor Usage
	// Refuse says that an importer that cannot reach the device's memory is refused when it
	// attaches. Else the buffer is migrated to system memory when such an importer maps it.
	Refuse bool

	Old Leaving
	// Timeout is when a job that hangs is killed; 0 is never.
	Timeout kernel.Jiffies
}

// Preset is a policy with a name.
type Preset struct {
	Name string
	// Doc says what kind of driver it is.
	Doc string
	Policy
}

// Presets lists the known kinds of drivers, and variants that reviewers have asked about.
func Presets() []Preset {
	return []Preset{
		{"evict-blocking", "waits for everything with the lock held, then copies: a driver that moves with the CPU, or has no copy engine",
			Policy{WaitFor: UsageBookkeep}},
		{"evict-blocking-ctx", "the same in a transaction with an acquire context: validation of several buffers",
			Policy{WaitFor: UsageBookkeep, Context: true}},
		{"evict-implicit", "waits for what implicit synchronisation asks for and not for BOOKKEEP fences",
			Policy{WaitFor: UsageRead}},
		{"evict-kernel", "waits for KERNEL fences only: all that an importer may rely on",
			Policy{WaitFor: UsageKernel}},
		{"pipelined", "the copy engine copies behind all fences (amdgpu, xe, through TTM)",
			Policy{WaitFor: UsageBookkeep, Wait: Pipelined, Context: true}},
		{"pipelined-kernel", "the copy engine copies behind KERNEL fences only",
			Policy{WaitFor: UsageKernel, Wait: Pipelined}},
		{"pipelined-aba", "as pipelined, and freed pages are used again first",
			Policy{WaitFor: UsageBookkeep, Wait: Pipelined, Old: Back}},
		{"pipelined-reserved", "as pipelined, with the slot reserved before the importers are told, as TTM does",
			Policy{WaitFor: UsageBookkeep, Wait: Pipelined, ReserveFirst: true}},
		{"backing-off", "drops the lock to wait, and begins again",
			Policy{WaitFor: UsageBookkeep, Wait: BackingOff}},
		{"validating", "map_dma_buf validates the placement and waits for all fences with the lock held",
			Policy{WaitFor: UsageBookkeep, MapWaits: true, MapWaitFor: UsageBookkeep}},
		{"refusing", "refuses importers that cannot reach its memory",
			Policy{WaitFor: UsageBookkeep, Wait: Pipelined, Refuse: true}},
		{"unused", "blocks, and what it left stays unused: nothing but the mapping's own state tells",
			Policy{WaitFor: UsageBookkeep, Old: Unused}},
	}
}

// PolicyOf is the policy of a preset.
func PolicyOf(name string) Policy {
	for _, p := range Presets() {
		if p.Name == name {
			return p.Policy
		}
	}
	panic("there is no preset " + name)
}
