//go:build linux

package realring

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Both rings wrap around many times, in batches of every size, and every completion comes
// once and in order.
func TestWrapAround(t *testing.T) {
	r := newRing(t, Options{Entries: 4, CQEntries: 8})
	rng := rand.New(rand.NewPCG(1, 2))
	var sent, got uint64
	for got < 20000 {
		for range rng.IntN(r.Room() + 1) {
			require.NoError(t, r.Prepare(Nop(sent)))
			sent++
		}
		if rng.IntN(2) == 0 || r.Room() == 0 {
			_, err := r.Submit()
			require.NoError(t, err)
		}
		for range rng.IntN(9) {
			c, ok := r.Reap()
			if !ok {
				break
			}
			require.Equal(t, got, c.UserData)
			require.Zero(t, c.Res)
			got++
		}
	}
}

// Entries that the completion ring has no room for are not lost.
func TestOverflow(t *testing.T) {
	r := newRing(t, Options{Entries: 4, CQEntries: 4})
	const n = 64
	for i := range uint64(n) {
		if r.Room() == 0 {
			_, err := r.Submit()
			require.NoError(t, err)
		}
		require.NoError(t, r.Prepare(Nop(i)))
	}
	_, err := r.Submit()
	require.NoError(t, err)
	require.True(t, r.Overflowing())
	require.Equal(t, n, r.InFlight())
	ready, err := r.Wait(n)
	require.NoError(t, err)
	require.Equal(t, 4, ready, "a wait for more than the ring holds is for what it holds")
	for i := range uint64(n) {
		c, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, i, c.UserData)
	}
	require.Zero(t, r.InFlight())
	_, ok := r.Reap()
	require.False(t, ok)
	require.False(t, r.Overflowing())
}

// signals sends the calling thread Go's preemption signal as fast as it can, until stop.
// The goroutine stays on the thread.
func signals(t *testing.T) (sent *atomic.Int64, stop func()) {
	t.Helper()
	runtime.LockOSThread()
	pid, tid := unix.Getpid(), unix.Gettid()
	sent = &atomic.Int64{}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				unix.Tgkill(pid, tid, unix.SIGURG)
				sent.Add(1)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	return sent, func() { close(quit); <-done; runtime.UnlockOSThread() }
}

// Waits under a hail of preemption signals lose nothing: requests that complete late, in
// the order that the other side chooses, each exactly once.
func TestSignals(t *testing.T) {
	for name, flags := range map[string]uint32{
		"plain":    0,
		"deferred": uapi.IORING_SETUP_SINGLE_ISSUER | uapi.IORING_SETUP_DEFER_TASKRUN,
	} {
		t.Run(name, func(t *testing.T) {
			newRing(t, Options{Entries: 1})
			r, err := Setup(Options{Entries: 8, CQEntries: 8, Flags: flags})
			if err != nil {
				t.Skip(err)
			}
			defer func() { require.NoError(t, r.Close()) }()
			sent, stop := signals(t)
			defer stop()
			buf := memory(t, 4096)
			var in, out [8]int
			for i := range in {
				in[i], out[i] = pipe(t)
			}
			for round := range 40 {
				for i := range in {
					require.NoError(t, r.Prepare(Read(in[i], buf.IO.Addr()+uint64(i), 1, 0, uint64(i))))
				}
				_, err := r.Submit()
				require.NoError(t, err)
				go func() {
					for _, i := range rand.Perm(len(out)) {
						time.Sleep(100 * time.Microsecond)
						unix.Write(out[i], []byte{byte(round)})
					}
				}()
				n, err := r.WaitTimeout(8, time.Minute)
				require.NoError(t, err)
				require.Equal(t, 8, n)
				seen := map[uint64]bool{}
				for range 8 {
					c, ok := r.Reap()
					require.True(t, ok)
					require.EqualValues(t, 1, c.Res)
					seen[c.UserData] = true
				}
				require.Len(t, seen, 8)
				for i := range in {
					require.Equal(t, byte(round), buf.IO.Bytes[i])
				}
			}
			require.Positive(t, sent.Load())
		})
	}
}

// Many transfers in flight on a file, with workers and without, signals, and a completion
// ring that is too small: every byte where it belongs.
func TestManyInFlight(t *testing.T) {
	const block, blocks, depth = 4096, 256, 64
	r := newRing(t, Options{Entries: 16, CQEntries: 16})
	_, stop := signals(t)
	defer stop()
	fd := file(t, block*blocks, unix.O_DIRECT)
	src, dst := memory(t, block*blocks), memory(t, block*blocks)
	for i := range src.IO.Bytes {
		src.IO.Bytes[i] = byte(i / block * 7)
	}
	table(t, r, vec(src), vec(dst))
	for slot, write := range []bool{true, false} {
		seen := [blocks]bool{}
		reap := func() {
			c, err := r.Next()
			require.NoError(t, err)
			require.EqualValues(t, block, c.Res)
			require.False(t, seen[c.UserData])
			seen[c.UserData] = true
		}
		for _, i := range rand.Perm(blocks) {
			at := uint64(i * block)
			e := ReadFixed(fd, dst.IO.Addr()+at, block, at, uint16(slot), uint64(i))
			if write {
				e = WriteFixed(fd, src.IO.Addr()+at, block, at, uint16(slot), uint64(i))
			}
			if i%4 == 0 {
				e.Flags |= uapi.IOSQE_ASYNC
			}
			require.NoError(t, r.Prepare(e))
			if r.Room() == 0 {
				_, err := r.Submit()
				require.NoError(t, err)
			}
			for r.InFlight() >= depth {
				reap()
			}
		}
		_, err := r.Submit()
		require.NoError(t, err)
		for r.InFlight() > 0 {
			reap()
		}
	}
	require.Equal(t, src.IO.Bytes, dst.IO.Bytes)
}

// Unregistering with a request in flight returns at once or, up to 6.12, when the request
// is done; a signal ends neither, and the request completes with its bytes.
func TestUnregisterInFlight(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	_, stop := signals(t)
	defer stop()
	buf := memory(t, 4096)
	in, out := pipe(t)
	for round := range byte(20) {
		require.NoError(t, r.RegisterBuffers([]uapi.Iovec{vec(buf)}))
		require.NoError(t, r.Prepare(ReadFixed(in, buf.IO.Addr(), 1, 0, 0, 1)))
		_, err := r.Submit()
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(5 * time.Millisecond)
			unix.Write(out, []byte{round})
		}()
		require.NoError(t, r.UnregisterBuffers())
		require.ErrorIs(t, r.UnregisterBuffers(), unix.ENXIO)
		c, err := r.Next()
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Res)
		require.Equal(t, round, buf.IO.Bytes[0])
		<-done
	}
}
