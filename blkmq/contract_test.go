package blkmq

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim/kernel"
	"dmasim/token"
)

// ledger is a token that keeps account of its frags: each that is carved or submitted has to
// be freed once, what is queued has to be requeued or freed, and ranges add up.
type ledger struct {
	token.Token
	live   map[int]string
	next   int
	wrong  []string
	submit []token.Outcome // what Submit says first
	paths  map[token.Path]int
}

func newLedger() *ledger { return &ledger{live: map[int]string{}, paths: map[token.Path]int{}} }

func (l *ledger) birth(f *token.Frag, how string) {
	l.next++
	f.Priv = l.next
	l.live[l.next] = how
}

func (l *ledger) id(f *token.Frag) int {
	n, _ := f.Priv.(int)
	return n
}

func (l *ledger) complain(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

func (l *ledger) Split(_ *kernel.Task, parent, child *token.Frag) {
	if child.Priv != nil {
		l.complain("a child with a history")
	}
	if child.Off+child.Len != parent.Off && (child.Off != parent.Off || child.Len != parent.Len) {
		l.complain("child %d+%d of parent %d+%d", child.Off, child.Len, parent.Off, parent.Len)
	}
	l.birth(child, "carved")
}

func (l *ledger) Submit(_ *kernel.Task, f *token.Frag) (o token.Outcome) {
	if l.id(f) == 0 {
		l.birth(f, "carved")
	}
	l.step(f, "carved", "submitted")
	if len(l.submit) > 0 {
		o, l.submit = l.submit[0], l.submit[1:]
	}
	return
}

func (l *ledger) step(f *token.Frag, from, to string) {
	if s := l.live[l.id(f)]; s != from {
		l.complain("%s comes after %q", to, s)
	}
	l.live[l.id(f)] = to
}

func (l *ledger) Queue(_ *kernel.Task, f *token.Frag) (*token.Map, token.Outcome) {
	l.step(f, "submitted", "queued")
	return nil, token.Outcome{}
}

func (l *ledger) Requeue(_ *kernel.Task, f *token.Frag) { l.step(f, "queued", "submitted") }

func (l *ledger) Free(_ *kernel.Task, f *token.Frag, p token.Path) {
	s, ok := l.live[l.id(f)]
	if !ok {
		l.complain("freed twice")
	}
	if (p == token.NeverQueued) == (s == "queued") {
		l.complain("freed as %d after %q", p, s)
	}
	delete(l.live, l.id(f))
	l.paths[p]++
}

// Whatever becomes of a bio, the stages of its token are called in their order, and each
// frag is freed once.
func TestStages(t *testing.T) {
	statuses := []kernel.BlkStatus{kernel.BLK_STS_OK, kernel.BLK_STS_OK, kernel.BLK_STS_RESOURCE, kernel.BLK_STS_DEV_RESOURCE, kernel.BLK_STS_IOERR, kernel.BLK_STS_TRANSPORT}
	outcomes := []token.Outcome{{}, {}, {}, {Status: kernel.BLK_STS_AGAIN, FreeRequest: true}, {Status: kernel.BLK_STS_IOERR, FreeRequest: true}}
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger()
		var script [2][]kernel.BlkStatus
		for i := range script {
			script[i] = rapid.SliceOfN(rapid.SampledFrom(statuses), 0, 8).Draw(t, "queue_rq")
		}
		l.submit = rapid.SliceOfN(rapid.SampledFrom(outcomes), 0, 4).Draw(t, "submit")
		done := rapid.SliceOfN(rapid.SampledFrom(statuses[1:]), 0, 6).Draw(t, "complete")
		pages := rapid.IntRange(1, 20).Draw(t, "pages")
		offset := rapid.IntRange(0, 9).Draw(t, "offset")
		over := rapid.SampledFrom([]string{"disk", "partition", "linear", "multipath"}).Draw(t, "device")
		batch, plug := rapid.Bool().Draw(t, "batch"), rapid.Bool().Draw(t, "plug")
		nowait := rapid.Bool().Draw(t, "nowait")
		f := on.Run(func(k *kernel.Task) {
			var disks [2]*disk
			for i := range disks {
				d := newDisk(k, 16)
				d.Batch = batch
				d.driver.script = script[i]
				disks[i] = d
			}
			d := disks[0]
			d.use.Token = l
			b := d.bio()
			b.Use.Token = l
			b.Done, b.Size = uint32(offset)*1024, uint32(pages)*4096
			if nowait {
				b.Flags |= REQ_NOWAIT
			}
			var p *Plug
			if plug {
				p = StartPlug(k, 3)
			}
			switch over {
			case "disk":
				d.SubmitBio(k, b)
			case "partition":
				(&Partition{Whole: d.Queue, Start: 100, Sectors: 1000}).SubmitBio(k, b)
			case "linear":
				NewStacked(k, "top", size/2, d.Limits, &Linear{Lower: d.Queue, Start: 8}).SubmitBio(k, b)
			case "multipath":
				m := &Multipath{Paths: []*Queue{disks[0].Queue, disks[1].Queue}}
				m.Init(k, "mpath")
				NewStacked(k, "top", size/2, d.Limits, m).SubmitBio(k, b)
			}
			if p != nil {
				p.Finish(k)
			}
			for range 60 { // whatever the driver gave back comes again
				settle(k, 4)
				for _, d := range disks {
					d.RunQueues(k, false)
					for len(d.driver.queued) > 0 {
						rq := d.driver.queued[0]
						d.driver.queued = d.driver.queued[1:]
						s := kernel.BLK_STS_OK
						if len(done) > 0 {
							s, done = done[0], done[1:]
						}
						if s == kernel.BLK_STS_RESOURCE { // the driver tries again
							rq.Requeue(k, true)
							continue
						}
						rq.Complete(k, s)
					}
				}
			}
			require.Len(t, d.ended, 1)
			for _, d := range disks {
				require.Zero(t, d.Tags.InUse())
				require.Zero(t, d.usage)
			}
		})
		require.Nil(t, f)
		require.Empty(t, l.wrong)
		require.Empty(t, l.live, "frags that were not freed")
	})
}

// A frag that was carved and whose bio gets no request is freed as never queued.
func TestFragOfBioWithoutRequest(t *testing.T) {
	l := newLedger()
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 4)
		d.use.Token = l
		top := NewStacked(k, "top", size, d.Limits, &Linear{Lower: d.Queue, Start: size/sectorSize - 4})
		b := d.bio() // does not fit there
		top.SubmitBio(k, b)
		require.Equal(t, []kernel.Errno{kernel.EIO}, d.ended)
	})
	require.Empty(t, l.live)
	require.Empty(t, l.wrong)
	require.Equal(t, map[token.Path]int{token.NeverQueued: 1}, l.paths)
}
