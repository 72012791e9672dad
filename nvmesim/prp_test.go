package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim/hw"
)

// What the driver writes into PRP1 and PRP2 is what the controller reads: the union
// of the segments is the range of the buffer, in order.
func TestPRPsNameTheRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.IntRange(1, 6).Draw(t, "pages")
		array := make([]hw.BusAddr, pages)
		back := map[hw.BusAddr]int{} // page of the buffer by bus address
		for i := range array {
			array[i] = hw.BusAddr(rapid.Uint64Range(0, 1<<20).Draw(t, "address"))*CtrlPageSize*8 + hw.BusAddr(i)*CtrlPageSize
			back[array[i]] = i
		}
		off := rapid.IntRange(0, pages*CtrlPageSize/512-1).Draw(t, "offset") * 512
		length := rapid.IntRange(1, (pages*CtrlPageSize-off)/512).Draw(t, "length") * 512
		prp1, prp2, ok := prps(array, off, length)
		touched := (off+length-1)/CtrlPageSize - off/CtrlPageSize + 1
		require.Equal(t, touched <= 2, ok, "a list is needed for more than two pages")
		if !ok {
			return
		}
		if touched == 1 {
			require.Zero(t, prp2)
		}
		at := off
		for _, s := range walk(prp1, prp2, length) {
			require.Positive(t, s.Len)
			page := s.Addr - s.Addr%CtrlPageSize
			require.LessOrEqual(t, int(s.Addr-page)+s.Len, CtrlPageSize, "a segment stays in its page")
			require.Equal(t, at, back[page]*CtrlPageSize+int(s.Addr-page))
			at += s.Len
		}
		require.Equal(t, off+length, at)
	})
}
