package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// recovery is a rig with a driver that recovers.
func recovery(k *kernel.Task, pages int, faults ...Fault) *rig {
	r := newRig(k, Config{Recovers: true}, pages)
	r.ctrl.Inject(faults...)
	return r
}

// ok are n good ends.
func ok(n int) []kernel.BlkStatus { return make([]kernel.BlkStatus, n) }

var _ = conform(cases{
	{"C-NVME-15", func(t *testing.T) {
		// The first timeout aborts, and the command is tried again.
		passes(t, func(k *kernel.Task) {
			r := recovery(k, 1, Fault{What: Hang})
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, 0, 0, 4096))
			k.Explore()
			require.Equal(t, ok(1), r.ended)
			require.Equal(t, NVME_CTRL_LIVE, r.state)
			require.Zero(t, r.queues[0].epoch, "no reset")
			require.Equal(t, r.ctrl.AbortLimit, r.aborts)
			require.Equal(t, 30*kernel.HZ, r.last)
			r.quiet(k, 0)
		})
		// The second one resets. All that is in flight is cancelled, and tried again.
		passes(t, func(k *kernel.Task) {
			r := recovery(k, 3, Fault{What: Hang, Deaf: true, Times: 2})
			for i := range 3 {
				r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, uint64(8*i), 4096*i, 4096))
			}
			k.Explore()
			require.Equal(t, ok(3), r.ended)
			require.Equal(t, NVME_CTRL_LIVE, r.state)
			require.Equal(t, 1, r.queues[0].epoch, "a reset")
			require.GreaterOrEqual(t, r.last, 60*kernel.HZ)
			require.True(t, r.ctrl.Blocks(0, 24).Equal(r.buffer()))
			r.quiet(k, 0)
		})
		// A controller that says that it is broken is reset at once.
		passes(t, func(k *kernel.Task) {
			r := recovery(k, 1, Fault{What: Crash})
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096))
			k.Explore()
			require.Equal(t, ok(1), r.ended)
			require.Less(t, r.last, 60*kernel.HZ)
			require.True(t, r.buffer().Equal(hw.Bytes("nvme0", 0, 4096)))
		})
	}},
	{"C-NVME-16", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{Recovers: true, Completion: Polled}, 1) // its interrupt is lost
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096))
			k.Explore()
			require.Equal(t, ok(1), r.ended)
			require.Equal(t, 1, r.queues[0].ended, "nothing was tried again")
			require.False(t, r.iods[0][0].aborted)
			r.quiet(k, 0)
		})
	}},
	{"C-NVME-17", func(t *testing.T) {
		// A reset at any time of two commands.
		seen := map[int]bool{}
		on.Survives(t, delays(), func(k *kernel.Task) {
			r := recovery(k, 2)
			for i := range 2 {
				r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, uint64(8*i), 4096*i, 4096))
			}
			k.Go("reset", func(k *kernel.Task) { r.Reset(k) })
			k.Explore()
			require.Equal(t, ok(2), r.ended)
			require.True(t, r.ctrl.Blocks(0, 16).Equal(r.buffer()))
			seen[r.queues[0].ended] = true
			r.quiet(k, 0)
		})
		require.True(t, seen[2], "nothing was tried again")
	}},
	{"C-NVME-18", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := recovery(k, 1, Fault{What: Hang})
			r.aborts = 0
			rq := func() *blkmq.Request { return r.iods[0][0].rq }
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096))
			k.Go("timeout", func(k *kernel.Task) {
				require.Equal(t, blkmq.BLK_EH_RESET_TIMER, recovering{r.Driver}.Timeout(k, rq()))
				require.False(t, r.iods[0][0].aborted)
				r.aborts = 1
				require.Equal(t, blkmq.BLK_EH_RESET_TIMER, recovering{r.Driver}.Timeout(k, rq()))
				require.True(t, r.iods[0][0].aborted)
				require.Zero(t, r.aborts)
			})
			k.Explore()
			require.Equal(t, ok(1), r.ended)
			require.Equal(t, 1, r.aborts, "it comes back with the end of the Abort")
		})
	}},
	{"C-NVME-19", func(t *testing.T) {
		on.Survives(t, delays(), func(k *kernel.Task) {
			r := recovery(k, 1)
			k.Go("reset", func(k *kernel.Task) { r.Reset(k) })
			k.Go("submit", func(k *kernel.Task) { r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096)) })
			k.Explore()
			require.Equal(t, ok(1), r.ended)
			require.Equal(t, NVME_CTRL_LIVE, r.state)
		})
		passes(t, func(k *kernel.Task) { // frozen: who may not wait is told so
			r := recovery(k, 1)
			k.Go("disable", func(k *kernel.Task) {
				r.disable(k, false)
				b := r.bio(blkmq.REQ_OP_READ, 0, 0, 4096)
				b.Flags |= blkmq.REQ_NOWAIT
				r.queue.SubmitBio(k, b)
				require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_AGAIN}, r.ended)
			})
			k.Explore()
		})
		passes(t, func(k *kernel.Task) { // dead, and not quiesced any more
			r := recovery(k, 1, Fault{What: Unplug})
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096))
			k.Explore()
			require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_IOERR}, r.ended)
			require.True(t, r.state.terminal())
			r.quiet(k, 0)
		})
	}},
	{"C-NVME-20", func(t *testing.T) {
		// The pages of a cancelled request are given away as soon as it ends: the device
		// does not reach them any more, whatever it was about to do.
		on.Survives(t, delays(), func(k *kernel.Task) {
			r := recovery(k, 1)
			r.ctrl.Answers = false
			b := r.bio(blkmq.REQ_OP_READ, 0, 0, 4096)
			b.EndIO = func(k *kernel.Task, b *blkmq.Bio) {
				r.ended = append(r.ended, b.Status())
				hw.Give(k.Task, r.pages, "somebody else")
			}
			r.queue.SubmitBio(k, b)
			k.Go("timeouts", func(k *kernel.Task) {
				r.changeState(k, NVME_CTRL_DELETING)
				r.disable(k, true)
			})
			k.Explore()
			require.Len(t, r.ended, 1)
			require.True(t, r.buffer().Equal(hw.Bytes("somebody else", 0, 4096)))
		})
		// Without waiting for the controller it would.
		on.Finds(t, delays(), func(k *kernel.Task) {
			r := recovery(k, 1)
			r.ctrl.Answers = false
			r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, 0, 0, 4096))
			k.Go("wrong", func(k *kernel.Task) {
				rq := r.iods[0][0].rq
				r.queue.Quiesce(k)
				rq.Retries = maxRetries
				r.iods[0][0].gen++ // what comes late is ignored
				r.cancel(k, rq)
			})
			k.Explore()
		}, hw.IOMMUFault)
	}},
	{"C-NVME-21", func(t *testing.T) {
		allowed := map[State]map[State]bool{
			NVME_CTRL_NEW:           {NVME_CTRL_RESETTING: true, NVME_CTRL_CONNECTING: true},
			NVME_CTRL_LIVE:          {NVME_CTRL_RESETTING: true, NVME_CTRL_DELETING: true},
			NVME_CTRL_RESETTING:     {NVME_CTRL_CONNECTING: true, NVME_CTRL_DELETING: true},
			NVME_CTRL_CONNECTING:    {NVME_CTRL_LIVE: true, NVME_CTRL_DELETING: true},
			NVME_CTRL_DELETING:      {NVME_CTRL_DEAD: true, NVME_CTRL_DELETING_NOIO: true},
			NVME_CTRL_DELETING_NOIO: {},
			NVME_CTRL_DEAD:          {NVME_CTRL_DELETING_NOIO: true},
		}
		passes(t, func(k *kernel.Task) {
			r := recovery(k, 0)
			for a := NVME_CTRL_NEW; a <= NVME_CTRL_DEAD; a++ {
				for b := NVME_CTRL_NEW; b <= NVME_CTRL_DEAD; b++ {
					r.state = a
					require.Equal(t, allowed[a][b], r.changeState(k, b), "%v to %v", a, b)
					require.Equal(t, map[bool]State{true: b, false: a}[allowed[a][b]], r.State(k))
				}
			}
		})
	}},
})

// A controller that goes away ends everything, and can be removed.
func TestRemoval(t *testing.T) {
	for name, faults := range map[string][]Fault{
		"orderly": nil, "unplugged": {{What: Unplug}}, "unplugged later": {{What: Unplug, Nth: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			on.Survives(t, delays(), func(k *kernel.Task) {
				r := recovery(k, 6, faults...)
				for i := range 2 {
					r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, uint64(24*i), 3*4096*i, 3*4096))
				}
				k.Go("remove", func(k *kernel.Task) { r.Remove(k) })
				k.Explore()
				require.Len(t, r.ended, 2)
				if faults == nil {
					require.Equal(t, ok(2), r.ended)
				}
				require.Zero(t, r.ctrl.IOMMU.Mapped(), "the pools are gone, too")
				require.Zero(t, r.queue.Tags.InUse())
			})
		})
	}
}

// A reset that has been allowed when the removal begins, and is queued when that has looked for it, is
// no reset any more; but it stops the queues, which the removal lets go. In Linux 6.12 the one comes into
// the middle of the other: the queue stays stopped, and the removal waits for what is in it.
func TestRemovalDuringReset(t *testing.T) {
	program := func(stopsFirst bool, io int) func(*kernel.Task) {
		return func(k *kernel.Task) {
			r := recovery(k, 2)
			r.stopsFirst = stopsFirst
			for i := range io {
				k.Go("submitter", func(k *kernel.Task) {
					r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_READ, uint64(8*i), 4096*i, 4096))
				})
			}
			r.changeState(k, NVME_CTRL_RESETTING)
			k.Go("reset", func(k *kernel.Task) { r.resetWq.Queue(k, &r.resetWork) })
			k.Go("remove", func(k *kernel.Task) { r.Remove(k) })
			k.Explore()
			require.Len(t, r.ended, io)
			require.Zero(t, r.queue.Tags.InUse())
			require.Zero(t, r.ctrl.IOMMU.Mapped())
		}
	}
	ends := func(runs int, stopsFirst bool, io int) map[string]bool {
		ends, _, _ := on.Ends(explore.NewRandom(1), runs, func(k *kernel.Task, _ func(string, ...any)) { program(stopsFirst, io)(k) },
			func(f *sim.Failure) string { return string(f.Kind) })
		return ends
	}
	require.Equal(t, simtest.Set("", string(sim.Warn), string(sim.LostWakeup)), ends(8_000, false, 1))
	on.Finds(t, delays(), program(false, 1), sim.Warn)
	on.Survives(t, simtest.Within(explore.Delays, 3), program(true, 1))
	require.Equal(t, simtest.Set(""), ends(2_000, true, 2))
}

// Whenever a timeout fires, the command is completed once: well, or with an error if it was
// tried again by a reset and timed out before that was over, which is the controller's end.
func TestRacingTimeout(t *testing.T) {
	on.Survives(t, delays(), func(k *kernel.Task) {
		k.K.Race("nvme0n1 timeout")
		r := recovery(k, 1)
		r.queue.SubmitBio(k, r.bio(blkmq.REQ_OP_WRITE, 0, 0, 4096))
		k.Explore()
		require.Len(t, r.ended, 1)
		if r.ended[0] == kernel.BLK_STS_OK {
			require.True(t, r.ctrl.Blocks(0, 8).Equal(r.buffer()))
		} else {
			require.True(t, r.state.terminal())
		}
		r.quiet(k, 0)
	})
}
