package nvmesim

import (
	"maps"
	"slices"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// pool is a dma_pool (mm/dmapool.c): blocks of one size in memory that the controller
// reads, each within a page.
//
// Where a block lies is nobody's business, so the model keeps one for every place that a
// request can need one in, in a page of its own: then requests do not meet in the pool. What
// is behind the block in its page is poisoned, so that whoever reads beyond the end is found.
type pool struct {
	name   string
	size   int // of a block, in bytes
	obj    sim.Object
	iommu  *hw.IOMMU
	memory *hw.Memory
	blocks map[int]*block
	// limit is how many blocks can be in use at once, 0 for as many as there is need for.
	limit int
	inUse int
}

// block is a block of a pool.
type block struct {
	pool  *pool
	page  []*hw.Page
	first int // word of the page
	addr  hw.BusAddr
	inUse bool
}

func newPool(t *kernel.Task, name string, size int, u *hw.IOMMU, m *hw.Memory) *pool {
	p := &pool{name: name, size: size, iommu: u, memory: m, blocks: map[int]*block{}}
	t.Own(&p.obj, "dma_pool", name)
	return p
}

// touch declares an access to the pool. As long as blocks cannot run out, allocations and
// frees have nothing to do with each other.
func (p *pool) touch(t *kernel.Task) {
	if p.limit > 0 {
		t.Touch(&p.obj, sim.Write)
	}
}

// alloc is dma_pool_alloc(GFP_ATOMIC): nil if there is no block. The place says which of all
// blocks it is. It is part of the operation that was granted last.
func (p *pool) alloc(t *kernel.Task, place int) *block {
	p.touch(t)
	if t.MayFail(kernel.GFP_ATOMIC, p.name) != kernel.OK || p.limit > 0 && p.inUse == p.limit || p.empty(t) {
		return nil
	}
	return p.take(t, place)
}

// empty tells whether there is no block left of earlier requests, and no memory for another one.
func (p *pool) empty(t *kernel.Task) bool { return len(p.blocks) == p.inUse && t.NoMemory() }

// take is alloc of a block that there is.
func (p *pool) take(t *kernel.Task, place int) *block {
	b := p.blocks[place]
	if b == nil {
		b = p.newBlock(t, place)
	}
	if b.inUse {
		t.BUG("dma_pool_alloc %s: block %#x is in use", p.name, uint64(b.addr))
	}
	b.inUse = true
	p.inUse++
	return b
}

func (p *pool) newBlock(t *kernel.Task, place int) *block {
	page := p.memory.Table(t.Task, p.name, 1)
	at := place % (hw.PageSize / p.size) * p.size
	b := &block{pool: p, page: page, first: at / 8, addr: p.iommu.MapCoherent(t.Task, page)[0].Addr + hw.BusAddr(at)}
	var poison [hw.WordsPerPage]uint64
	for i := range poison {
		poison[i] = uint64(hw.Poison)
	}
	hw.StoreWords(t.Task, page, 0, poison[:]...)
	p.blocks[place] = b
	return b
}

// put is dma_pool_free, which is told the bus address too. It is part of the operation that
// was granted last.
func (p *pool) put(t *kernel.Task, b *block, addr hw.BusAddr) {
	p.touch(t)
	switch {
	case b.pool != p:
		t.Fail(sim.Bug, "dma_pool_free %s, %#x (bad vaddr): the block is of %s", p.name, uint64(b.addr), b.pool.name)
	case b.addr != addr:
		t.Fail(sim.Bug, "dma_pool_free %s, %#x (bad dma): the block is at %#x", p.name, uint64(addr), uint64(b.addr))
	case !b.inUse:
		t.Fail(kernel.DoubleFree, "dma_pool_free %s, dma %#x already free", p.name, uint64(addr))
	}
	b.inUse = false
	p.inUse--
	var poison [32]uint64
	for i := range poison {
		poison[i] = uint64(hw.Poison)
	}
	for n := b.pool.size / 8; n > 0; n -= len(poison) {
		hw.StoreWords(t.Task, b.page, b.first+n-len(poison), poison[:]...)
	}
}

// store writes words into the block, from the i-th on.
func (b *block) store(t *kernel.Task, i int, words ...uint64) {
	hw.StoreWords(t.Task, b.page, b.first+i, words...)
}

// load is the i-th word of the block.
func (b *block) load(t *kernel.Task, i int) uint64 { return hw.LoadWord(t.Task, b.page, b.first+i) }

// destroy is dma_pool_destroy: what is in use is lost.
func (p *pool) destroy(t *kernel.Task) {
	if p.inUse > 0 {
		t.Warn("dma_pool_destroy %s: %d block(s) busy", p.name, p.inUse)
	}
	for _, place := range slices.Sorted(maps.Keys(p.blocks)) {
		b := p.blocks[place]
		p.iommu.Unmap(t.Task, []hw.Segment{{Addr: b.addr - b.addr%hw.PageSize, Len: hw.PageSize}})
		delete(p.blocks, place)
	}
}
