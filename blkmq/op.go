package blkmq

import (
	"fmt"
	"strings"

	"dmasim/sim/hw"
)

// Op is enum req_op: what a bio or a request asks for. Odd ones send data to the device.
type Op uint8

const (
	REQ_OP_READ         Op = 0
	REQ_OP_WRITE        Op = 1
	REQ_OP_FLUSH        Op = 2
	REQ_OP_WRITE_ZEROES Op = 9
	REQ_OP_DRV_IN       Op = 34 // passthrough of a command, with data from the device
	REQ_OP_DRV_OUT      Op = 35 // passthrough, with data to the device or none
)

// IsWrite is op_is_write.
func (o Op) IsWrite() bool { return o&1 != 0 }

// Passthrough is blk_op_is_passthrough: the driver is given a command that nobody else
// looks into.
func (o Op) Passthrough() bool { return o == REQ_OP_DRV_IN || o == REQ_OP_DRV_OUT }

// Dir is the direction of the data.
func (o Op) Dir() hw.Direction {
	if o.IsWrite() {
		return hw.ToDevice
	}
	return hw.FromDevice
}

// OpFor is the operation that reads or writes in a direction.
func OpFor(d hw.Direction) Op {
	if d == hw.ToDevice {
		return REQ_OP_WRITE
	}
	return REQ_OP_READ
}

// data tells whether the operation moves a payload that can be iterated over.
func (o Op) data() bool { return o != REQ_OP_WRITE_ZEROES && o != REQ_OP_FLUSH }

func (o Op) String() string {
	switch o {
	case REQ_OP_READ:
		return "READ"
	case REQ_OP_WRITE:
		return "WRITE"
	case REQ_OP_FLUSH:
		return "FLUSH"
	case REQ_OP_WRITE_ZEROES:
		return "WRITE_ZEROES"
	case REQ_OP_DRV_IN:
		return "DRV_IN"
	case REQ_OP_DRV_OUT:
		return "DRV_OUT"
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// Flags are the flags of bi_opf and cmd_flags.
type Flags uint32

const (
	REQ_SYNC     Flags = 1 << iota
	REQ_NOMERGE        // never merged
	REQ_FUA            // is on the medium when it completes
	REQ_PREFLUSH       // the write cache is flushed before
	REQ_NOWAIT         // fails with BLK_STS_AGAIN instead of waiting
	REQ_POLLED         // the submitter asks for the completion
	REQ_ATOMIC         // is never split
)

// nomerge is REQ_NOMERGE_FLAGS.
const nomerge = REQ_NOMERGE | REQ_PREFLUSH | REQ_FUA

var flagNames = [...]string{"SYNC", "NOMERGE", "FUA", "PREFLUSH", "NOWAIT", "POLLED", "ATOMIC"}

// String joins the flags with '|'.
func (f Flags) String() string {
	var out []string
	for i, n := range flagNames {
		if f>>i&1 != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, "|")
}

// Has tells whether all of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }
