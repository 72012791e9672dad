package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Sizes of the blocks of the descriptor pools, and how much fits in them.
const (
	smallBlock   = 256
	smallEntries = smallBlock / 8
	pageEntries  = CtrlPageSize / 8
	lastEntry    = pageEntries - 1
	// maxLists is NVME_MAX_NR_ALLOCATIONS: the lists of the largest transfer.
	maxLists = 5
)

// CtrlPageSize is NVME_CTRL_PAGE_SIZE: the driver has controllers work with pages of this
// size.
const CtrlPageSize = 4096

// iod is struct nvme_iod with struct nvme_request: what the driver keeps of a request. It
// belongs to the tag, and so does the command in it: what nobody writes is as the tag's last
// request left it.
type iod struct {
	rq    *blkmq.Request
	place int // of its blocks in the pools
	gen   uint8
	cmd   Command
	bytes int // of payload

	lists  []*block // descriptors
	small  bool     // the first one is of the small pool
	single bool     // IOD_SINGLE_SEGMENT
	// mapped are the pages that an ordinary request has mapped, and segs the data in them.
	mapped, segs []hw.Segment

	status  Status
	aborted bool
}

// begin is what nvme_prep_rq and nvme_setup_cmd do (NV-0).
func (io *iod) begin(rq *blkmq.Request) {
	io.rq, io.bytes = rq, int(rq.Bytes)
	io.lists, io.small, io.single, io.aborted = io.lists[:0], false, false, false
	io.mapped, io.segs = nil, io.segs[:0]
	if !rq.DontPrep { // else it is tried again
		rq.DontPrep, rq.Retries, io.status = true, 0, Success
	}
	c := &io.cmd
	c.Opcode, c.Flags, c.NSID, c.CID = opcodes[rq.Op], psdtPRP, 1, io.cid(rq.Tag())
	c.handed = rq.Handed()
	if rq.Op == blkmq.REQ_OP_FLUSH {
		c.SLBA, c.NLB = 0, 0
		return
	}
	c.SLBA, c.NLB = rq.Sector, uint16(rq.Bytes/LogicalBlock-1)
}

var opcodes = map[blkmq.Op]Opcode{
	blkmq.REQ_OP_READ: Read, blkmq.REQ_OP_WRITE: Write, blkmq.REQ_OP_FLUSH: Flush, blkmq.REQ_OP_WRITE_ZEROES: WriteZeroes,
}

// cid is nvme_cid: tag and generation, which tells a late completion from one of the
// tag's next request.
func (io *iod) cid(tag int) uint16 { return uint16(tag) | uint16(io.gen&0xf)<<tagBits }

const tagBits = 12

// list takes a block for descriptors, nil if there is none.
func (d *Driver) list(t *kernel.Task, io *iod, small bool) *block {
	p := d.large
	if small {
		p = d.small
	}
	b := p.alloc(t, io.place*maxLists+len(io.lists))
	if b == nil && p.empty(t) {
		b = d.spare.list(t, io, p)
	}
	if b != nil {
		io.lists = append(io.lists, b)
	}
	return b
}

// spare is the lists that the repaired driver has in reserve, for one request at a time: whoever
// has one of them gets all that it needs. A failure that is no want of memory is left to be tried
// again.
type spare struct {
	place int // behind those of all requests
	owner *iod
	obj   sim.Object
}

func (s *spare) list(t *kernel.Task, io *iod, p *pool) *block {
	if !token.Repaired(t, token.FixReserveLists) {
		return nil
	}
	t.Touch(&s.obj, sim.Write)
	if s.owner != nil && s.owner != io {
		return nil
	}
	s.owner = io
	return p.take(t, s.place*maxLists+len(io.lists))
}

// put gives the reserve back, if the request has it.
func (s *spare) put(t *kernel.Task, io *iod) {
	if s.owner == io {
		t.Touch(&s.obj, sim.Write)
		s.owner = nil
	}
}
