package token

import (
	"strconv"

	"dmasim/dmabufsim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Design makes tokens; a machine has one.
type Design interface {
	// Name is the name of the design, for reports.
	Name() string
	// Register makes a token for a dma-buf on a queue. On failure it returns a nil
	// token and an errno.
	Register(t *kernel.Task, p Params, q Queue, d Driver) (Token, kernel.Errno)
}

// Params is struct dma_token_params.
type Params struct {
	DmaBuf *dmabufsim.DmaBuf
	Dir    hw.Direction
}

// Token is one registration. The layers call every stage; most designs ignore most of
// them. The contexts are in the package documentation.
type Token interface {
	Import(t *kernel.Task, u *Use) kernel.Errno
	Split(t *kernel.Task, parent, child *Frag)
	Submit(t *kernel.Task, f *Frag) Outcome
	// Queue returns the map that the driver programs; nil means that the request has
	// none, and the driver treats it as an ordinary one.
	Queue(t *kernel.Task, f *Frag) (*Map, Outcome)
	Requeue(t *kernel.Task, f *Frag)
	Complete(t *kernel.Task, f *Frag)
	Free(t *kernel.Task, f *Frag, p Path)
	Finish(t *kernel.Task, u *Use)
	Invalidate(t *kernel.Task)
	Unregister(t *kernel.Task)
}

// Use is one import of a token by the ring: what the iterator carries.
type Use struct {
	Token Token
	Dir   hw.Direction
	// Off and Len are the range of the buffer, in bytes.
	Off, Len uint64
	Nowait   bool
	// Map is for designs that take the mapping at import.
	Map *Map
}

// Frag is the part of a use that one bio, and then one request, carries.
type Frag struct {
	Use *Use
	// Off and Len are the range of the buffer, in bytes.
	Off, Len uint64
	Nowait   bool
	// Map is the request's map generation: rq->dma_map.
	Map *Map
	// Priv is the design's own view of Map.
	Priv any
}

// Path is how a request comes to be freed.
type Path uint8

const (
	// Single: by itself, after its completion.
	Single Path = iota
	// Batch: with others of the same completion batch.
	Batch
	// NeverQueued: it failed before the driver saw it.
	NeverQueued
	// Cancelled: by itself, because the device was reset or has gone.
	Cancelled
)

// Outcome is what Submit and Queue say.
type Outcome struct {
	Status kernel.BlkStatus
	// FreeRequest tells the block layer to free the request of a failed Submit.
	FreeRequest bool
}

// MapSite is the allocation site of a map, in every design: fault injection names it.
const MapSite = "dma map"

// Map is one generation of the mapping. A design embeds it in what it keeps about a
// generation.
type Map struct {
	kernel.Mem
	// Gen numbers the generations of a token, from 1.
	Gen int
	// Sgt is the mapped attachment, nil if there is none.
	Sgt kernel.Field[*dmabufsim.SgTable]
	// Private is the driver's: for NVMe the bus address of every page.
	Private kernel.Field[any]
}

// Alloc allocates the map with all that is part of it.
func (m *Map) Alloc(t *kernel.Task) kernel.Errno {
	if err := t.Alloc(kernel.GFP_KERNEL, &m.Mem, MapSite); err != kernel.OK {
		return err
	}
	m.Sgt.Init(t, &m.Mem, "map.sgt", nil)
	m.Private.Init(t, &m.Mem, "map.private", nil)
	return kernel.OK
}

func (m *Map) String() string {
	if m == nil {
		return "NULL"
	}
	return "map#" + strconv.Itoa(m.Gen)
}

// Reg is what a design shares with the driver about a registration.
type Reg struct {
	Params
	// Token is what the driver's move_notify invalidates.
	Token Token
	// Private is the driver's: its attachment.
	Private *dmabufsim.Attachment
	// Gone is set by a driver whose device has gone. The reservation lock protects it.
	Gone bool
}

// Driver is what RFC v2 adds to struct blk_mq_ops.
type Driver interface {
	// InitDmaToken attaches the driver's device to the dma-buf.
	InitDmaToken(t *kernel.Task, r *Reg) kernel.Errno
	// CleanDmaToken detaches. It takes the reservation lock.
	CleanDmaToken(t *kernel.Task, r *Reg)
	// DmaMap maps the attachment and fills in m.Sgt and m.Private. The reservation
	// lock is held.
	DmaMap(t *kernel.Task, r *Reg, m *Map) kernel.Errno
	// DmaUnmap undoes DmaMap. It takes the reservation lock unless the caller holds
	// it and says so.
	DmaUnmap(t *kernel.Task, r *Reg, m *Map, held bool)
}

// Queue is what a design may ask of the block layer.
type Queue interface {
	// Get is blk_get_queue: false if the queue is dying.
	Get(t *kernel.Task) bool
	// Put is blk_put_queue.
	Put(t *kernel.Task)
}
