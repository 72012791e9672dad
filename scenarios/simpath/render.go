package simpath

import (
	"fmt"
	"strconv"
	"strings"

	"dmasim/sim/hw"
	"dmasim/uringsim/workload"
)

// origin is the name of the bytes of a pattern.
func origin(seed byte) string { return "pattern " + strconv.Itoa(int(seed)) }

// pattern is n bytes of a pattern from the first one on.
func pattern(seed byte, n int) hw.Data { return hw.Bytes(origin(seed), 0, n) }

// render gives bytes the value that they have on the real path. What has no business in a
// buffer or in the file, as the bytes of a page's next owner, is an error.
func (s *store) render(d hw.Data) ([]byte, error) {
	out := make([]byte, 0, d.Len())
	for _, r := range d {
		seed, ok := seedOf(r.Source)
		for i := range uint64(r.Len) {
			switch at := r.Byte + i; {
			case r.Source == "":
				out = append(out, 0)
			case r.Source == drive:
				out = append(out, workload.Pattern(workload.FilePattern, int64(s.origin(at))))
			case ok:
				out = append(out, workload.Pattern(seed, int64(at)))
			default:
				return nil, fmt.Errorf("byte %d is %s", len(out), r)
			}
		}
	}
	return out, nil
}

func seedOf(source string) (byte, bool) {
	n, ok := strings.CutPrefix(source, origin(0)[:len(origin(0))-1])
	v, err := strconv.ParseUint(n, 10, 8)
	return byte(v), ok && err == nil
}
