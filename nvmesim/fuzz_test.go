package nvmesim

import (
	"encoding/binary"
	"testing"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// fuzzed has the controller walk a data pointer over memory that the fuzzer has written, and
// transfer what it finds. Memory is four pages that are mapped, at what the fuzzer can know:
// small numbers in its words stand for their addresses.
func fuzzed(t *testing.T, flags uint8, one, two uint64, length uint32, raw []byte) {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(sim.Default{}, on.Body(func(k *kernel.Task) {
		w := newWalk(k)
		var base [4]hw.BusAddr
		for i := range base {
			base[i] = w.put(k, 0)
		}
		known := func(v uint64) uint64 { // the high half chooses a page
			if p := v >> 32; p < 4 {
				return uint64(base[p]) + v&0xffff
			}
			return v
		}
		for i := 0; len(raw) >= 8 && i < 4*hw.WordsPerPage; i++ {
			v := binary.LittleEndian.Uint64(raw)
			if flags != psdtSGL || i%2 == 0 { // else a length and a type
				v = known(v)
			}
			w.words(k, base[i/hw.WordsPerPage]+hw.BusAddr(i%hw.WordsPerPage*8), v)
			raw = raw[8:]
		}
		n := int(length % (maxTransferSize + 1))
		cmd := Command{Opcode: Write, Flags: flags, DPTR1: known(one), DPTR2: two}
		if flags == psdtPRP {
			cmd.DPTR2 = known(two)
		}
		segs, s := w.ctrl.walker.walk(k, &cmd, n, nil)
		if s != Success {
			return
		}
		total := 0
		for _, s := range segs {
			total += s.Len
		}
		if total != n || len(segs) > maxDescriptors+maxTransferSize/CtrlPageSize {
			k.BUG("%d segments of %d bytes for a transfer of %d", len(segs), total, n)
		}
		// Whatever it is, the IOMMU has the last word.
		w.ctrl.IOMMU.TryDMA(k.Task, hw.ToDevice, segs, nil)
	}))
	if r.Failure != nil {
		t.Fatal(r.Failure)
	}
}

// seed makes bytes of words.
func seed(words ...uint64) (out []byte) {
	for _, w := range words {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	return out
}

func FuzzPRPWalk(f *testing.F) {
	f.Add(uint64(0x200), uint64(1<<32), uint32(5000), seed())
	f.Add(uint64(0), uint64(1<<32|0xff8), uint32(20000), seed(2<<32, 3<<32))
	f.Add(uint64(0), uint64(0), uint32(8<<20), seed(0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, prp1, prp2 uint64, length uint32, raw []byte) {
		fuzzed(t, psdtPRP, prp1, prp2, length, raw)
	})
}

func FuzzSGLWalk(f *testing.F) {
	f.Add(uint64(0), descriptor(sglData, 512), uint32(512), seed())
	f.Add(uint64(0), descriptor(sglLastSegment, 32), uint32(4096), seed(1<<32, descriptor(sglData, 4000), 2<<32, descriptor(sglData, 96)))
	f.Add(uint64(0), descriptor(sglSegment, 16), uint32(4096), seed(0, descriptor(sglSegment, 16)))
	f.Add(uint64(0), descriptor(sglSegment, 32), uint32(4096), seed(0, descriptor(sglData, 0), 16, descriptor(sglSegment, 32)))
	f.Fuzz(func(t *testing.T, addr, word uint64, length uint32, raw []byte) {
		fuzzed(t, psdtSGL, addr, word, length, raw)
	})
}
