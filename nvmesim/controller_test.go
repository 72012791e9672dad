package nvmesim

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Any range of sectors that fits the limits goes where it belongs, both ways, and
// nothing else changes.
func TestTransfers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		write := rapid.Bool().Draw(t, "write")
		off := rapid.IntRange(0, 23).Draw(t, "offset")
		n := rapid.IntRange(1, min(24-off, 16-off%8)).Draw(t, "sectors")
		lba := rapid.Uint64Range(1, 1000).Draw(t, "lba")
		var wrong string
		passes(t, func(k *kernel.Task) {
			w := newWorld(k, 1, 2)
			w.dmaMap(k)
			dir := hw.FromDevice
			if write {
				dir = hw.ToDevice
			}
			var ended []kernel.BlkStatus
			w.submit(k, dir, lba, uint32(off*512), uint32(n*512), func(s kernel.BlkStatus) { ended = append(ended, s) })
			k.Explore()
			buffer, drive := hw.Bytes("vram", 0, 24*512), hw.Bytes("nvme0", (lba-1)*512, (n+2)*512)
			if write {
				drive = drive.Overwrite(512, buffer.Slice(off*512, n*512))
			} else {
				buffer = buffer.Overwrite(off*512, drive.Slice(512, n*512))
			}
			if got := hw.Peek(w.exp.pages, 0, 24*512); !got.Equal(buffer) {
				wrong += fmt.Sprintf("the buffer holds %v; ", got)
			}
			if got := w.ctrl.Blocks(lba-1, n+2); !got.Equal(drive) {
				wrong += fmt.Sprintf("the drive holds %v; ", got)
			}
			if fmt.Sprint(ended) != "[BLK_STS_OK]" || fmt.Sprint(w.tok.completed) != "[hardirq]" {
				wrong += fmt.Sprint(ended, w.tok.completed)
			}
			w.teardown(k)
		})
		require.Empty(t, wrong)
	})
}

// Three pages need a PRP list, which goes back to its pool.
func TestTransferOfThreePages(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k, 3)
		w.dmaMap(k)
		var ended []kernel.BlkStatus
		w.submit(k, hw.ToDevice, 0, 512, 8192, func(s kernel.BlkStatus) { ended = append(ended, s) })
		k.Explore()
		require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_OK}, ended)
		require.Len(t, w.tok.completed, 1, "one request")
		require.Zero(t, w.driver.small.inUse)
		require.Len(t, w.driver.small.blocks, 1)
		require.True(t, w.ctrl.Blocks(0, 16).Equal(hw.Peek(w.exp.pages, 512, 8192)))
		w.teardown(k)
	})
}

// NV-1: a request without a map has a token where a vector should be, and the
// controller gets an address that is nobody's.
func TestRequestWithoutMap(t *testing.T) {
	for _, dir := range []hw.Direction{hw.FromDevice, hw.ToDevice} {
		fails(t, hw.IOMMUFault, "at bus address 0xdead00000000 faults; it was never mapped", func(k *kernel.Task) {
			w := newWorld(k, 1)
			w.submit(k, dir, 0, 0, 4096, func(kernel.BlkStatus) {})
			k.Explore()
		})
	}
}

// A map that was freed is not to be programmed.
func TestRequestWithFreedMap(t *testing.T) {
	fails(t, kernel.UseAfterFree, "uses dma map#1", func(k *kernel.Task) {
		w := newWorld(k, 1)
		w.dmaMap(k)
		k.Alloc(kernel.GFP_KERNEL, &w.tok.m.Mem, "dma map")
		k.Free(&w.tok.m.Mem)
		w.submit(k, hw.ToDevice, 0, 0, 4096, func(kernel.BlkStatus) {})
	})
}

// A range of the buffer that begins inside a sector is refused by the block layer, and
// does not end in a panic of the model.
func TestTransferBetweenSectors(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWorld(k, 2)
		w.dmaMap(k)
		w.submit(k, hw.FromDevice, 0, 3840, 512, func(kernel.BlkStatus) {})
		k.Explore()
		w.teardown(k)
	})
}

// commands run two commands, in one order of their transfers, and tell what is then in
// memory and on the drive, and whether any of their operations conflict.
func commands(t *testing.T, cmds [2]func(k *kernel.Task, w *world), first string) (result string, conflict bool) {
	t.Helper()
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(simtest.Order{first}, on.Body(func(k *kernel.Task) {
		w := newWorld(k, 2)
		w.dmaMap(k)
		for i, name := range []string{"a", "b"} {
			w.ctrl.Name = name // the device's tasks are named after it
			cmds[i](k, w)
		}
		w.ctrl.Name = "nvme0"
		k.Explore()
		result = hw.Peek(w.exp.pages, 0, 2*hw.PageSize).String()
		for _, b := range w.ctrl.Written() {
			result += fmt.Sprint(" ", b, "=", w.ctrl.Blocks(b, 1))
		}
		w.teardown(k)
	}))
	require.Nil(t, r.Failure, "%v", r.Failure)
	require.NotEmpty(t, simtest.Accesses(m, "a"))
	_, conflict = simtest.Overlap(m, "a", "b")
	return result, conflict
}

// Commands declare that what they do to the queues commutes. Where no other conflict
// is declared, both orders must leave the same in memory and on the drive.
func TestCommandsCommute(t *testing.T) {
	cmd := func(dir hw.Direction, lba uint64, off uint32) func(k *kernel.Task, w *world) {
		return func(k *kernel.Task, w *world) { w.submit(k, dir, lba, off, 512, func(kernel.BlkStatus) {}) }
	}
	proved := 0
	for name, cmds := range map[string][2]func(k *kernel.Task, w *world){
		"reads of two pages":        {cmd(hw.FromDevice, 1, 0), cmd(hw.FromDevice, 2, 4096)},
		"reads of one page":         {cmd(hw.FromDevice, 1, 0), cmd(hw.FromDevice, 2, 0)},
		"writes of two blocks":      {cmd(hw.ToDevice, 1, 0), cmd(hw.ToDevice, 2, 0)},
		"read and write, one page":  {cmd(hw.FromDevice, 1, 0), cmd(hw.ToDevice, 2, 0)},
		"read and write, two pages": {cmd(hw.FromDevice, 1, 0), cmd(hw.ToDevice, 2, 4096)},
		"writes of one block":       {cmd(hw.ToDevice, 1, 0), cmd(hw.ToDevice, 1, 4096)},
		"read and write, one block": {cmd(hw.FromDevice, 1, 0), cmd(hw.ToDevice, 1, 4096)},
	} {
		t.Run(name, func(t *testing.T) {
			ab, conflict := commands(t, cmds, "a")
			ba, too := commands(t, cmds, "b")
			if !conflict || !too {
				require.Equal(t, ab, ba)
				proved++
			}
		})
	}
	require.Positive(t, proved)
}
