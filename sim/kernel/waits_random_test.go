package kernel

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim/explore"
)

// Drawn programs of waits that can end in several ways: whatever they can come to in any
// interleaving they come to in one that the reduction by commuting operations tries.
func TestRandomWaits(t *testing.T) {
	programs := 30
	if s := os.Getenv("WAITS_PROGRAMS"); s != "" {
		programs, _ = strconv.Atoi(s)
	}
	compared := 0
	for seed := range programs {
		p := drawWaits(rand.New(rand.NewSource(int64(seed))))
		all, _, ok := collect(simtest.Within(explore.All, 0), p.body, 4_000)
		if !ok {
			continue // too large
		}
		compared++
		reduced, _, ok := collect(explore.NewDPOR(), p.body, 4_000)
		require.True(t, ok)
		require.Equal(t, all, reduced, "seed %d: %v", seed, p.tasks)
	}
	require.Greater(t, compared, programs/4)
}

// waitsProgram is what each task does, and whether timeouts race.
type waitsProgram struct {
	race  bool
	tasks [][]string
}

func drawWaits(r *rand.Rand) waitsProgram {
	calls := []string{
		"complete", "complete", "complete_all", "reinit", "try_wait", "wait_timeout", "wait_interruptible", "wait_killable_timeout",
		"wait_interruptible_timeout", "signal", "kill", "raise", "raise", "event_timeout", "event_interruptible_timeout",
		"event_exclusive", "work", "return", "arm", "disarm", "wake_up_process", "sleep",
	}
	p := waitsProgram{race: r.Intn(3) > 0}
	for range 2 + r.Intn(2) {
		var task []string
		for range 1 + r.Intn(2) {
			task = append(task, calls[r.Intn(len(calls))])
		}
		p.tasks = append(p.tasks, task)
	}
	return p
}

func (p waitsProgram) body(k *Task, say func(string, ...any)) {
	if p.race {
		k.K.Race("wait_for_completion_timeout", "wait_for_completion_killable_timeout", "wait_for_completion_interruptible_timeout",
			"wait_event_timeout", "wait_event_interruptible_timeout", "schedule_timeout", "tm")
	}
	c, e := newCompletion(k), newEvent(k)
	tm := newTimer(k, nil, c.Complete)
	tasks := make([]*Task, len(p.tasks))
	got := make([]string, len(p.tasks))
	for i, calls := range p.tasks {
		tasks[i] = k.Go(fmt.Sprint("task ", i), func(k *Task) {
			note := func(v ...any) { got[i] += fmt.Sprintln(v...) }
			other := tasks[(i+1)%len(tasks)]
			for _, call := range calls {
				switch call {
				case "complete":
					c.Complete(k)
				case "complete_all":
					c.CompleteAll(k)
				case "reinit":
					c.Reinit(k)
				case "try_wait":
					note(c.TryWait(k))
				case "wait_timeout":
					note(c.WaitTimeout(k, 3))
				case "wait_interruptible":
					note(c.WaitInterruptible(k))
				case "wait_killable_timeout":
					note(c.WaitKillableTimeout(k, 2))
				case "wait_interruptible_timeout":
					note(c.WaitInterruptibleTimeout(k, 4))
				case "signal", "kill":
					k.SendSignal(other, call == "kill")
				case "raise":
					e.raise(k)
				case "event_timeout":
					note(e.q.WaitEventTimeout(k, e.take, 3))
				case "event_interruptible_timeout":
					note(e.q.WaitEventInterruptibleTimeout(k, e.take, 2))
				case "event_exclusive":
					note(e.q.WaitEventInterruptibleExclusive(k, e.take))
				case "work":
					note(k.TaskWorkAdd(other, work(c.Complete), TWA_SIGNAL))
				case "return":
					note(k.ReturnToUser())
				case "arm":
					note(tm.Mod(k, 2))
				case "disarm":
					note(tm.DelSync(k))
				case "wake_up_process":
					note(k.WakeUpProcess(other))
				case "sleep":
					note(k.ScheduleTimeoutUninterruptible(2))
				}
			}
		})
	}
	k.Explore()
	say("%q %d %d", got, c.done, e.x.Peek())
}
