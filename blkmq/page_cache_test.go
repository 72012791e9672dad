package blkmq

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// cacheUser reads and writes the first sector of pages of a disk, through its page cache or past it.
type cacheUser struct {
	*disk
	through, past *iter.File
	memory        []*hw.Page
}

func newCacheUser(k *kernel.Task) *cacheUser {
	u := &cacheUser{disk: newDisk(k, 4)}
	u.driver.complete = true
	u.through, u.past = u.Open(0), u.Open(iter.O_DIRECT)
	u.memory = (&hw.Memory{}).Alloc(k.Task, "user", 1)
	return u
}

func (u *cacheUser) at(k *kernel.Task, f *iter.File, dir hw.Direction, page int64, flags uint32) (*kernel.Task, *iter.Kiocb, *iter.Iter) {
	i := iter.Kvecs(k, dir, []iter.Kvec{iter.Lowmem(u.memory, 0, block)}, block)
	return k, &iter.Kiocb{File: f, Pos: page * pageSize, Flags: flags}, &i
}

func (u *cacheUser) do(k *kernel.Task, f *iter.File, dir hw.Direction, page int64, flags uint32) string {
	n := Fops{u.Queue}.upTo(u.at(k, f, dir, page, flags))
	if n < 0 {
		return kernel.Errno(-n).String()
	}
	return fmt.Sprint(n)
}

// The calls of one who may not wait: a read through the cache, and what a direct read and a
// direct write do before they begin.
var nowaitCalls = []func(k *kernel.Task, u *cacheUser, page int64) string{
	func(k *kernel.Task, u *cacheUser, page int64) string {
		return u.do(k, u.through, hw.FromDevice, page, iter.IOCB_NOWAIT)
	},
	func(k *kernel.Task, u *cacheUser, page int64) string {
		return u.beforeDirect(u.at(k, u.past, hw.FromDevice, page, iter.IOCB_NOWAIT)).String()
	},
	func(k *kernel.Task, u *cacheUser, page int64) string {
		return u.beforeDirect(u.at(k, u.past, hw.ToDevice, page, iter.IOCB_NOWAIT)).String()
	},
}

// cacheStates are what another task is at. Page 0 is in the cache before, and dirty where that is
// said; page 2 is not. The answers are those to the three calls on page 0, and on page 2: first that in
// the middle of what the other task does, when its I/O is not done, then what else it may be.
var cacheStates = []struct {
	name    string
	dirty   bool
	other   func(k *kernel.Task, u *cacheUser)
	answers [6]string
	large   bool // too large for all interleavings
}{
	{"nothing", false, func(*kernel.Task, *cacheUser) {},
		[6]string{"512", "0", "-EAGAIN", "-EAGAIN", "0", "0"}, false},
	{"nothing, page 0 is dirty", true, func(*kernel.Task, *cacheUser) {},
		[6]string{"512", "-EAGAIN", "-EAGAIN", "-EAGAIN", "0", "0"}, false},
	{"a read of page 2", false, func(k *kernel.Task, u *cacheUser) { u.do(k, u.through, hw.FromDevice, 2, 0) },
		[6]string{"512", "0", "-EAGAIN", "-EAGAIN 512", "0", "-EAGAIN 0"}, false},
	{"a read of page 2, page 0 is dirty", true, func(k *kernel.Task, u *cacheUser) { u.do(k, u.through, hw.FromDevice, 2, 0) },
		[6]string{"512", "-EAGAIN", "-EAGAIN", "-EAGAIN 512", "-EAGAIN 0", "-EAGAIN 0"}, false},
	{"a write to page 0", false, func(k *kernel.Task, u *cacheUser) { u.do(k, u.through, hw.ToDevice, 0, 0) },
		[6]string{"512", "-EAGAIN 0", "-EAGAIN", "-EAGAIN", "0", "0"}, false},
	{"a write to page 2", false, func(k *kernel.Task, u *cacheUser) { u.do(k, u.through, hw.ToDevice, 2, 0) },
		[6]string{"512", "0", "-EAGAIN", "512 -EAGAIN", "-EAGAIN 0", "-EAGAIN 0"}, false},
	{"a sync", true, func(k *kernel.Task, u *cacheUser) { u.Sync(k) },
		[6]string{"512", "-EAGAIN 0", "-EAGAIN", "-EAGAIN", "0", "0"}, false},
	{"a direct write to page 0", true, func(k *kernel.Task, u *cacheUser) { u.do(k, u.past, hw.ToDevice, 0, 0) },
		[6]string{"512 -EAGAIN", "-EAGAIN 0", "-EAGAIN 0", "-EAGAIN", "0", "0"}, true},
}

// One who may not wait gets what is there, or -EAGAIN, wherever another task is: it never sleeps.
func TestPageCacheNowait(t *testing.T) {
	for _, s := range cacheStates {
		for n, want := range s.answers {
			name := fmt.Sprintf("%s, call %d on page %d", s.name, n%3, n/3*2)
			body := func(k *kernel.Task, say func(format string, args ...any)) {
				u := newCacheUser(k)
				u.do(k, u.through, hw.FromDevice, 0, 0)
				if s.dirty {
					u.do(k, u.through, hw.ToDevice, 0, 0)
				}
				k.Go("other", func(k *kernel.Task) { s.other(k, u) })
				k.Go("nowait", func(k *kernel.Task) {
					k.PreemptDisable()
					defer k.PreemptEnable()
					say("%s", nowaitCalls[n%3](k, u, int64(n/3*2)))
				})
				k.Explore()
			}
			answers := strings.Fields(want)
			out, _, all := on.Ends(explore.NewDPOR(), 1_000, body, (*sim.Failure).Error)
			require.True(t, all, name)
			require.Equal(t, simtest.Set(answers...), out, name)
			if !s.large && !testing.Short() {
				require.Equal(t, out, on.Outcomes(t, body), name)
			}
			ends, _, _ := on.Ends(simtest.Order{"other", "nowait"}, 1, body, (*sim.Failure).Error)
			require.Equal(t, simtest.Set(answers[0]), ends, name)
		}
	}
}

// Those who may wait get what they ask for, in any order, and do not wait for each other for ever.
func TestPageCacheWaits(t *testing.T) {
	var calls []func(k *kernel.Task, u *cacheUser)
	for _, dir := range []hw.Direction{hw.FromDevice, hw.ToDevice} {
		calls = append(calls,
			func(k *kernel.Task, u *cacheUser) { require.Equal(t, "512", u.do(k, u.through, dir, 0, 0)) },
			func(k *kernel.Task, u *cacheUser) { require.Equal(t, "512", u.do(k, u.past, dir, 0, 0)) })
	}
	calls = append(calls, func(k *kernel.Task, u *cacheUser) { require.Equal(t, kernel.OK, u.Sync(k)) })
	for n, one := range calls {
		for _, other := range calls[n:] {
			body := func(k *kernel.Task) {
				u := newCacheUser(k)
				u.do(k, u.through, hw.ToDevice, 0, 0) // dirty
				k.Go("one", func(k *kernel.Task) { one(k, u) })
				k.Go("other", func(k *kernel.Task) { other(k, u) })
				k.Explore()
			}
			on.Survives(t, explore.NewDPOR(), body)
			on.Survives(t, simtest.Within(explore.Delays, 2), body)
		}
	}
}

// A direct write to a page that becomes dirty again, in another sector, goes through the cache, with its data.
func TestDirectWriteFallsBack(t *testing.T) {
	body := func(k *kernel.Task, say func(string, ...any)) {
		u := newCacheUser(k)
		hw.Fill(u.memory, "user")
		all := iter.Kvecs(k, hw.FromDevice, []iter.Kvec{iter.Lowmem((&hw.Memory{}).Alloc(k.Task, "all", 1), 0, pageSize)}, pageSize)
		Fops{u.Queue}.upTo(k, &iter.Kiocb{File: u.through}, &all) // the page is there, and clean
		k.Go("through", func(k *kernel.Task) {
			k, c, i := u.at(k, u.through, hw.ToDevice, 0, 0)
			c.Pos = block
			require.EqualValues(t, block, Fops{u.Queue}.upTo(k, c, i))
		})
		k.Go("past", func(k *kernel.Task) {
			require.Equal(t, "512", u.do(k, u.past, hw.ToDevice, 0, 0))
			f := u.cache.find(k, 0)
			if f != nil && f.uptodate&1 != 0 {
				require.True(t, hw.Peek(f.page, 0, block).Equal(hw.Peek(u.memory, 0, block)))
				require.Zero(t, f.dirty&1)
				say("fell back")
				return
			}
			say("direct")
		})
		k.Explore()
	}
	out, _, all := on.Ends(explore.NewDPOR(), 10_000, body, (*sim.Failure).Error)
	require.True(t, all)
	require.Equal(t, simtest.Set("direct", "fell back"), out)
}
