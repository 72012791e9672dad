package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// send has the controller execute a command that no driver has made, and returns the status
// that the driver would be told.
func (r *rig) send(k *kernel.Task, cmd Command) (got Status) {
	q := r.queues[0]
	q.handler = func(_ *kernel.Task, _ *queuePair, _ uint16, s Status, _ *blkmq.Batch) { got = s }
	q.submit(k, true, &cmd)
	k.Explore()
	return got
}

var _ = conform(cases{
	{"C-NVME-07", func(t *testing.T) {
		for blocks, want := range map[int]Status{256: DataTransferError, 257: InvalidField | DNR} {
			passes(t, func(k *kernel.Task) {
				r := newRig(k, Config{MDTS: 5}, 1) // 128 KiB
				require.EqualValues(t, 256, r.queue.Limits.MaxHWSectors)
				require.Equal(t, want, r.send(k, Command{Opcode: Read, NSID: 1, DPTR1: 0x8000, DPTR2: 0x9000, NLB: uint16(blocks - 1)}))
			})
		}
		passes(t, func(k *kernel.Task) { // the block layer splits
			r := newRig(k, Config{MDTS: 5}, 48)
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, 0, 0, 48*4096))
			k.Explore()
			require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_OK}, r.ended)
			require.Equal(t, 2, r.queues[0].ended)
			require.True(t, r.ctrl.Blocks(0, 48*8).Equal(r.buffer()))
		})
	}},
	{"C-NVME-08", func(t *testing.T) {
		for _, pages := range []int{3, 40} {
			for _, useToken := range []bool{false, true} {
				passes(t, func(k *kernel.Task) {
					r := newRig(k, Config{}, pages)
					bio, left := r.bio, 0
					if useToken {
						r.premap(k)
						bio, left = r.tokenBio, 2*pages
					}
					site := r.small.name
					if pages > 33 {
						site = r.large.name
					}
					k.K.FailAlloc(site, 1)
					r.queue.SubmitBio(k, bio(blkmq.REQ_OP_READ, 0, 0, pages*CtrlPageSize))
					require.Empty(t, r.ended, "it is tried again")
					require.LessOrEqual(t, r.small.inUse+r.large.inUse, 1)
					k.Explore()
					require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_OK}, r.ended)
					require.True(t, r.buffer().Equal(r.ctrl.Blocks(0, 8*pages)))
					r.quiet(k, left)
				})
			}
		}
		// A pool that is used up: the others wait, and all come to their end.
		on.Everywhere(t, func(k *kernel.Task) {
			r := newRig(k, Config{MaxDescriptors: 1}, 6)
			for i := range 2 {
				k.Go("submit", func(k *kernel.Task) {
					r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, uint64(i*24), i*3*4096, 3*4096))
				})
			}
			k.Explore()
			require.Len(t, r.ended, 2)
			require.True(t, r.ctrl.Blocks(0, 48).Equal(r.buffer()))
			r.quiet(k, 0)
		})
	}},
	{"C-NVME-12", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{Completion: Shared}, 1)
			q := r.queues[0]
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 512))
			old := r.iods[0][0].cmd.CID
			q.post(k, 0xfff, Success)
			q.post(k, 2, Success) // a tag that nobody has had yet
			k.Explore()
			require.Equal(t, 2, r.ignored)
			require.Len(t, r.ended, 1)
			q.post(k, old, Success)
			q.reap(k)
			require.Equal(t, 3, r.ignored, "the generation has gone on")
		})
		// A second completion of the same id: the tag has another request by then, or none.
		on.Everywhere(t, func(k *kernel.Task) {
			r := newRig(k, Config{Depth: 1}, 1)
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 512))
			r.queues[0].post(k, r.iods[0][0].cmd.CID, Success)
			k.Go("next", func(k *kernel.Task) { r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 1, 512, 512)) })
			k.Explore()
			require.Len(t, r.ended, 2)
			require.Equal(t, 1, r.ignored)
		})
	}},
	{"C-NVME-13", func(t *testing.T) {
		for name, f := range map[string][]Fault{
			"success": nil, "retry": {{Status: InternalError, Times: 2}}, "error": {{Status: WriteFault | DNR}},
			"cancel": {{What: Hang, Deaf: true}}, "retries run out": {{Status: InternalError, Times: -1}},
		} {
			t.Run(name, func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					r := newRig(k, Config{Recovers: true}, 3)
					r.ctrl.Inject(f...)
					b := r.bio(blkmq.REQ_OP_WRITE, 0, 0, 3*4096)
					end := b.EndIO
					b.EndIO = func(k *kernel.Task, b *blkmq.Bio) {
						require.Zero(t, r.ctrl.Mapped(), "unmapped before")
						end(k, b)
					}
					r.queue.SubmitBio(k, b)
					require.Equal(t, 3, r.ctrl.Mapped())
					k.Explore()
					require.Len(t, r.ended, 1)
					r.quiet(k, 0)
				})
			})
		}
	}},
	{"C-NVME-14", func(t *testing.T) {
		for want, statuses := range map[kernel.BlkStatus][]Status{
			kernel.BLK_STS_TARGET:        {LBARange, NamespaceNotReady, CommandInterrupted},
			kernel.BLK_STS_NOTSUPP:       {InvalidField, InvalidOpcode, InvalidNamespace, ConflictingAttribute},
			kernel.BLK_STS_NOSPC:         {CapExceeded},
			kernel.BLK_STS_MEDIUM:        {WriteFault, ReadError, AccessDenied, Unwritten, ReadOnlyRange, CompareFailed},
			kernel.BLK_STS_PROTECTION:    {GuardCheck, AppTagCheck, RefTagCheck, InvalidPI},
			kernel.BLK_STS_RESV_CONFLICT: {ReservationConflict},
			kernel.BLK_STS_TRANSPORT:     {HostPathError},
			kernel.BLK_STS_IOERR:         {DataTransferError, InvalidPRPOffset, InvalidSGLLength, InvalidSGLType, HostAborted, InternalError, 0x7f},
			kernel.BLK_STS_OK:            {Success},
		} {
			for _, s := range statuses {
				require.Equal(t, want, s.BlkStatus(), "%v", s)
				require.Equal(t, want, (s | DNR).BlkStatus(), "%v", s)
			}
		}
		for _, c := range []struct {
			fault Fault
			tries int
			want  kernel.BlkStatus
			after kernel.Jiffies
		}{
			{Fault{Status: WriteFault | DNR}, 1, kernel.BLK_STS_MEDIUM, 0},
			{Fault{Status: WriteFault, Times: 5}, 6, kernel.BLK_STS_OK, 0},
			{Fault{Status: WriteFault, Times: 6}, 6, kernel.BLK_STS_MEDIUM, 0},
			{Fault{Status: CommandInterrupted | 2<<crdShift}, 2, kernel.BLK_STS_OK, 300 * kernel.HZ / 1000},
		} {
			passes(t, func(k *kernel.Task) {
				r := newRig(k, Config{}, 1)
				r.ctrl.CRDT = [3]uint16{1, 3, 5}
				r.ctrl.Inject(c.fault)
				began := k.K.Jiffies(k)
				r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, 0, 0, 512))
				k.Explore()
				require.Equal(t, []kernel.BlkStatus{c.want}, r.ended)
				require.Equal(t, c.tries, r.queues[0].ended)
				require.GreaterOrEqual(t, k.K.Jiffies(k)-began, c.after)
				require.Less(t, k.K.Jiffies(k)-began, c.after+kernel.HZ/10)
			})
		}
	}},
	{"C-NVME-22", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{Depth: 4}, 4)
			q := r.queues[0]
			cmd := Command{Opcode: Flush, NSID: 1, CID: 0xfff}
			q.submit(k, false, &cmd)
			require.Equal(t, [3]int{1, 0, 0}, [3]int{q.tail, q.doorbell, q.busy})
			q.submit(k, true, &cmd)
			require.Equal(t, [3]int{2, 2, 2}, [3]int{q.tail, q.doorbell, q.busy})
			q.submit(k, false, &cmd)
			r.CommitRqs(k, r.queue.Hctxs()[0])
			require.Equal(t, [3]int{3, 3, 3}, [3]int{q.tail, q.doorbell, q.busy})
			r.CommitRqs(k, r.queue.Hctxs()[0]) // nothing to tell
			for i := range 4 {                 // a ring of five has room for four
				q.submit(k, false, &cmd)
				require.Equal(t, i == 3, q.tail == q.doorbell, "the ring looks full")
			}
			k.Explore()
			require.Equal(t, 7, q.ended)
		})
		// A plug's requests are made known together.
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{}, 4)
			p := blkmq.StartPlug(k, 3)
			for i := range 3 {
				r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, uint64(100*i), i*4096, 4096))
			}
			require.Zero(t, r.queues[0].busy)
			p.Finish(k)
			require.Equal(t, 3, r.queues[0].busy)
			k.Explore()
			require.Len(t, r.ended, 3)
		})
	}},
	{"C-NVME-23", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{}, 2)
			r.ctrl.Inject(Fault{Status: ReadError | DNR, Bytes: 4096 + 512})
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 8, 0, 8192))
			k.Explore()
			require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_MEDIUM}, r.ended)
			want := hw.Bytes("buffer", 0, 8192).Overwrite(0, hw.Bytes("nvme0", 4096, 4096+512))
			require.True(t, r.buffer().Equal(want), r.buffer().String())
		})
		passes(t, func(k *kernel.Task) { // so does a page that cannot be reached
			r := newRig(k, Config{}, 2)
			r.premap(k)
			r.array[1] = hw.Poison
			b := r.tokenBio(blkmq.REQ_OP_READ, 8, 0, 8192)
			b.EndIO = func(_ *kernel.Task, b *blkmq.Bio) { r.ended = append(r.ended, b.Status()) }
			r.queue.SubmitBio(k, b)
			k.Explore()
			require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_IOERR}, r.ended)
			require.True(t, r.buffer().Equal(hw.Bytes("buffer", 0, 8192).Overwrite(0, hw.Bytes("nvme0", 4096, 4096))))
			require.Len(t, r.ctrl.IOMMU.Faults(), 6, "one for each try")
		})
	}},
})

// What a command asks for, and what is wrong with it.
func TestCommands(t *testing.T) {
	for name, c := range map[string]struct {
		cmd  Command
		want Status
	}{
		"read":                       {Command{Opcode: Read, NSID: 1, SLBA: 8, NLB: 7}, Success},
		"flush":                      {Command{Opcode: Flush, NSID: 1}, Success},
		"write zeroes":               {Command{Opcode: WriteZeroes, NSID: 1, SLBA: 8, NLB: 7}, Success},
		"compare, different":         {Command{Opcode: Compare, NSID: 1, SLBA: 8, NLB: 7}, CompareFailed},
		"unknown opcode":             {Command{Opcode: 0x42, NSID: 1}, InvalidOpcode | DNR},
		"namespace":                  {Command{Opcode: Read, NSID: 2}, InvalidNamespace | DNR},
		"the last block":             {Command{Opcode: Read, NSID: 1, SLBA: 1<<21 - 1}, Success},
		"beyond the end":             {Command{Opcode: Read, NSID: 1, SLBA: 1<<21 - 1, NLB: 1}, LBARange | DNR},
		"far beyond the end":         {Command{Opcode: WriteZeroes, NSID: 1, SLBA: 1<<64 - 1, NLB: 1}, LBARange | DNR},
		"SGL, and none is known":     {Command{Opcode: Read, NSID: 1, Flags: psdtSGL}, InvalidField | DNR},
		"both kinds of data pointer": {Command{Opcode: Read, NSID: 1, Flags: psdtMask}, InvalidField | DNR},
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, func(k *kernel.Task) {
				r := newRig(k, Config{}, 1)
				r.premap(k)
				c.cmd.DPTR1 = uint64(r.array[0])
				require.Equal(t, c.want, r.send(k, c.cmd))
				switch name {
				case "read":
					require.True(t, r.buffer().Equal(hw.Bytes("nvme0", 4096, 4096)))
				case "write zeroes":
					require.True(t, r.ctrl.Blocks(8, 8).Equal(hw.Zeroes(4096)))
				default:
					require.Empty(t, r.ctrl.Written())
				}
			})
		})
	}
	passes(t, func(k *kernel.Task) {
		r := newRig(k, Config{}, 1)
		r.premap(k)
		hw.Poke(r.pages, 0, hw.Bytes("nvme0", 4096, 4096))
		require.Equal(t, Success, r.send(k, Command{Opcode: Compare, NSID: 1, SLBA: 8, NLB: 7, DPTR1: uint64(r.array[0])}))
	})
}

// A drive of a TiB costs what was written.
func TestSparse(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		r := newRig(k, Config{Size: 1 << 40}, 2)
		r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, 1<<30, 0, 512))
		r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 1<<31-8, 4096, 4096))
		k.Explore()
		require.Equal(t, []uint64{1 << 30}, r.ctrl.Written())
		require.Len(t, r.ctrl.ns.pages, 2)
		require.Nil(t, r.ctrl.ns.pages[1<<28-1].contents)
		require.True(t, hw.Peek(r.pages, 4096, 4096).Equal(hw.Bytes("nvme0", 1<<40-4096, 4096)))
	})
}

// The ring goes round, and the phase tells what is new, whoever asks.
func TestPhase(t *testing.T) {
	for _, mode := range []Completion{Apart, Shared, Polled} {
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{Depth: 2, Completion: mode}, 1)
			q := r.queues[0]
			k.Go("submitter", func(k *kernel.Task) {
				for i := range 20 {
					r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, uint64(i), 0, 512))
					k.Step(sim.Op{Verb: "wait", Obj: &q.obj, Guard: posts{q, i + 1}})
					if mode == Polled {
						require.Equal(t, 1, r.Poll(k, r.queue.Hctxs()[0]))
						require.Zero(t, r.Poll(k, r.queue.Hctxs()[0]))
					}
				}
			})
			k.Explore()
			require.Len(t, r.ended, 20)
			require.Zero(t, r.ignored)
		})
	}
}

// posts is the guard of somebody who waits for a number of completions.
type posts struct {
	q *queuePair
	n int
}

func (p posts) Ready(*sim.Task) bool { return p.q.ended >= p.n }

// One handler takes all that is there, in a batch if the queue collects them.
func TestSharedInterrupt(t *testing.T) {
	for _, batch := range []bool{false, true} {
		most := 0
		on.Survives(t, delays(), func(k *kernel.Task) {
			r := newRig(k, Config{Completion: Shared, Queues: 2}, 2)
			r.queue.Batch = batch
			q := r.queues[0]
			flush := q.flush
			q.flush = func(k *kernel.Task, b *blkmq.Batch) { most = max(most, b.Len()); flush(k, b) }
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096))
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 8, 4096, 4096))
			k.Explore()
			require.Len(t, r.ended, 2)
			require.True(t, r.buffer().Equal(hw.Bytes("nvme0", 0, 8192)))
			r.quiet(k, 0)
		})
		require.Equal(t, map[bool]int{false: 0, true: 2}[batch], most)
	}
}

// A request that is polled for raises no interrupt.
func TestPolledQueue(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		r := newRig(k, Config{PollQueues: 1}, 1)
		b := r.bio(blkmq.REQ_OP_READ, 0, 0, 4096)
		b.Flags |= blkmq.REQ_POLLED
		k.Go("poller", func(k *kernel.Task) {
			r.queue.SubmitBio(k, b)
			k.Step(sim.Op{Verb: "wait", Obj: &r.queues[1].obj, Guard: posts{r.queues[1], 1}})
			require.Empty(t, r.ended)
			require.Equal(t, 1, b.Poll(k))
		})
		k.Explore()
		require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_OK}, r.ended)
		r.quiet(k, 0)
	})
}

// A delayed command comes after others, and alone if there are none.
func TestDelay(t *testing.T) {
	for n := range 3 {
		explored := on.Everywhere
		if n == 0 {
			explored = on.Passes
		}
		explored(t, func(k *kernel.Task) {
			r := newRig(k, Config{Completion: Shared}, 3)
			r.ctrl.Inject(Fault{What: Delay, To: 8, After: 2})
			var order []int
			p := blkmq.StartPlug(k, n+1)
			for i := range n + 1 {
				b := r.bio(blkmq.REQ_OP_READ, uint64(8*i), 4096*i, 512)
				end := b.EndIO
				b.EndIO = func(k *kernel.Task, b *blkmq.Bio) { order = append(order, i); end(k, b) }
				r.queue.SubmitBio(k, b)
			}
			p.Finish(k)
			k.Explore()
			require.Len(t, r.ended, n+1)
			require.Zero(t, order[n], "the delayed one is the last")
		})
	}
}
