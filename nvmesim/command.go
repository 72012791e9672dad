package nvmesim

import (
	"fmt"

	"dmasim/sim/kernel"
)

// Opcode is what a command asks for.
type Opcode uint8

const (
	Flush       Opcode = 0x00
	Write       Opcode = 0x01
	Read        Opcode = 0x02
	Compare     Opcode = 0x05
	WriteZeroes Opcode = 0x08
)

func (o Opcode) String() string {
	switch o {
	case Flush:
		return "FLUSH"
	case Write:
		return "WRITE"
	case Read:
		return "READ"
	case Compare:
		return "COMPARE"
	case WriteZeroes:
		return "WRITE ZEROES"
	}
	return fmt.Sprintf("opcode %#x", uint8(o))
}

// How the data pointer is to be read: PSDT, the two highest bits of the flags.
const (
	psdtMask       = 0xc0
	psdtPRP        = 0x00
	psdtSGL        = 0x40 // metadata, if any, is one buffer
	psdtSGLSegment = 0x80 // metadata has an SGL of its own
)

// Command is a submission queue entry.
type Command struct {
	Opcode Opcode
	Flags  uint8
	// CID is what the completion names the command by: tag and generation.
	CID  uint16
	NSID uint32
	// DPTR1 and DPTR2 are the data pointer: PRP1 and PRP2, or an SGL descriptor.
	DPTR1, DPTR2 uint64
	SLBA         uint64
	// NLB is the number of blocks less one.
	NLB uint16

	handed kernel.Point // see blkmq.Request.Handed; no part of the entry
}

// Blocks is the number of blocks.
func (c *Command) Blocks() int { return int(c.NLB) + 1 }

// hasData tells whether the command has a data pointer.
func (c *Command) hasData() bool {
	return c.Opcode == Read || c.Opcode == Write || c.Opcode == Compare
}

// entry is the 64 bytes of a submission queue entry, as little-endian words.
type entry [8]uint64

// encode writes the command as the controller will read it.
func (c *Command) encode() entry {
	return entry{
		0: uint64(c.Opcode) | uint64(c.Flags)<<8 | uint64(c.CID)<<16 | uint64(c.NSID)<<32,
		3: c.DPTR1, 4: c.DPTR2, 5: c.SLBA, 6: uint64(c.NLB),
	}
}

// decode is the controller's reading of an entry.
func decode(e *entry) Command {
	return Command{
		Opcode: Opcode(e[0]), Flags: uint8(e[0] >> 8), CID: uint16(e[0] >> 16), NSID: uint32(e[0] >> 32),
		DPTR1: e[3], DPTR2: e[4], SLBA: e[5], NLB: uint16(e[6]),
	}
}
