//go:build linux

package realring

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// READ_FIXED of 4 KiB from a file with O_DIRECT, so many in flight.
func BenchmarkReadFixed(b *testing.B) {
	for _, depth := range []int{1, 32} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			const block, blocks = 4096, 1024
			r := newRing(b, Options{Entries: uint32(depth)})
			fd, buf := file(b, block*blocks, unix.O_DIRECT), memory(b, block*depth)
			table(b, r, vec(buf))
			n := 0
			issue := func(place uint64) {
				off := uint64(n%blocks) * block
				if err := r.Prepare(ReadFixed(fd, buf.IO.Addr()+place*block, block, off, 0, place)); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ResetTimer()
			for place := range min(depth, b.N) {
				issue(uint64(place))
			}
			for done := 0; done < b.N; {
				if _, err := r.Submit(); err != nil {
					b.Fatal(err)
				}
				if _, err := r.Wait(1); err != nil {
					b.Fatal(err)
				}
				for {
					c, ok := r.Reap()
					if !ok {
						break
					}
					if c.Res != block {
						b.Fatalf("read: %d", c.Res)
					}
					if done++; n < b.N {
						issue(c.UserData)
					}
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}
