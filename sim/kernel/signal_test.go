package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func TestSignalPending(t *testing.T) {
	passes(t, func(k *Task) {
		require.False(t, k.SignalPending())
		k.SendSignal(k, false)
		require.True(t, k.SignalPending())
		require.False(t, k.FatalSignalPending())
		require.False(t, k.DeliverSignals())
		require.False(t, k.SignalPending())
		k.SendSignal(k, true)
		require.True(t, k.SignalPending())
		require.True(t, k.FatalSignalPending())
		require.True(t, k.DeliverSignals())
		require.False(t, k.FatalSignalPending())
	})
}

// What ends interruptible waits is told apart: a stop is a signal that neither kills nor notifies.
func TestStopPending(t *testing.T) {
	passes(t, func(k *Task) {
		require.False(t, k.StopPending())
		k.SetNotifySignal(k)
		require.True(t, k.SignalPending())
		require.False(t, k.TaskSigpending())
		require.False(t, k.StopPending())
		k.RunTaskWork()
		require.False(t, k.SignalPending())
		k.SendSignal(k, false)
		require.True(t, k.StopPending())
		k.SetNotifySignal(k)
		require.False(t, k.StopPending())
		k.RunTaskWork()
		k.SendSignal(k, true)
		require.False(t, k.StopPending())
	})
}

// A return to user mode delivers signals and runs task work; get_signal alone leaves the
// notification of task work.
func TestSignalsAndTaskWork(t *testing.T) {
	passes(t, func(k *Task) {
		ran := 0
		k.Go("task", func(k *Task) {
			k.TaskWorkAdd(k, work(func(*Task) { ran++ }), TWA_SIGNAL)
			k.DeliverSignals()
			require.True(t, k.SignalPending())
			require.False(t, k.ReturnToUser())
			require.Equal(t, 1, ran)
			require.False(t, k.SignalPending())

			k.SendSignal(k, true)
			require.True(t, k.ReturnToUser())
			require.False(t, k.SignalPending())
			require.False(t, k.ReturnToUser())
		})
		k.Explore()
	})
}

// Which signal ends which sleep.
func TestSignalEndsSleep(t *testing.T) {
	for _, c := range []struct {
		state State
		fatal bool
		wakes bool
	}{
		{Uninterruptible, false, false},
		{Uninterruptible, true, false},
		{Killable, false, false},
		{Killable, true, true},
		{Interruptible, false, true},
		{Interruptible, true, true},
	} {
		want := set(string(sim.LostWakeup))
		if c.wakes {
			want = set("")
		}
		gives(t, want, func(k *Task, say func(string, ...any)) {
			target := k.Go("sleeper", func(k *Task) {
				k.SetCurrentState(c.state)
				k.Schedule()
			})
			k.Go("killer", func(k *Task) { k.SendSignal(target, c.fatal) })
			k.Explore()
		})
	}
}

// A task that a signal has woken is not woken by a wake-up: that goes to the next one.
func TestSignalledTaskIsNotWoken(t *testing.T) {
	gives(t, set("true"), func(k *Task, say func(string, ...any)) {
		var q WaitQueue
		q.Init(k, nil, "q")
		sleep := func(k *Task) {
			var w WaitEntry
			q.PrepareToWaitExclusive(k, &w, Interruptible)
			k.Schedule()
			q.FinishWait(k, &w)
		}
		first := k.Go("first", sleep)
		quiet(k, "second", 1, sleep)
		quiet(k, "killer", 2, func(k *Task) {
			k.SendSignal(first, false)
			q.WakeUp(k)
		})
		k.Explore()
		say("%v", len(q.entries) == 0)
	})
}
