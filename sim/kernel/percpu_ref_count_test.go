package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The last put may be anybody's: release runs in its context, never twice.
func TestPercpuRefLastPut(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		r := newPref(k)
		r.Get(k)
		k.Go("killer", func(k *Task) { r.Kill(k) })
		k.Interrupt("irq", func(k *Task) { r.Put(k) })
		k.Explore()
		say("%v", r.released)
		r.end(k)
	})
	require.Equal(t, set("[RCU callback]", "[hardirq]"), out)
}

// release runs in a read section, so it may not sleep, wherever the put was.
func TestPercpuRefReleaseMayNotSleep(t *testing.T) {
	fails(t, Context, "sleeping function called from invalid context", func(k *Task) {
		var r PercpuRef
		r.Init(k, nil, "r", GFP_KERNEL, func(k *Task) { k.MayFail(GFP_KERNEL, "x") })
		r.Get(k)
		r.Kill(k)
		k.Explore()
		r.Put(k)
	})
}

func TestPercpuRefTrygetLiveRCU(t *testing.T) {
	try := func(k *Task) {
		r := newPref(k)
		require.True(t, r.TrygetLiveRCU(k))
		r.Put(k)
		r.end(k)
	}
	fails(t, Context, "percpu_ref_tryget_live_rcu(r) outside an RCU read section", try)
	passes(t, func(k *Task) {
		r := newPref(k)
		k.RCUReadLock()
		require.True(t, r.TrygetLiveRCU(k))
		k.RCUReadUnlock()
		r.Put(k)
		r.end(k)
	})
}

func TestPercpuRefInitFails(t *testing.T) {
	passes(t, func(k *Task) {
		k.K.FailAlloc("percpu_ref", 1)
		var r PercpuRef
		require.Equal(t, ENOMEM, r.Init(k, nil, "r", GFP_KERNEL, nil))
	})
}

// An object that goes with a reference that was not exited leaks the per-CPU counters.
func TestPercpuRefInFreedObject(t *testing.T) {
	f := on.Run(func(k *Task) {
		o := newObject(k, 0)
		var r PercpuRef
		r.Init(k, &o.Mem, "object.refs", GFP_KERNEL, func(*Task) {})
		k.Free(&o.Mem)
	})
	require.NotNil(t, f)
	require.Equal(t, Leak, f.Kind)
	require.Contains(t, f.Message, "percpu_ref_exit was never called for object.refs")
}

// The bias makes counts that are never zero, and never leave their range.
func TestPercpuRefCount(t *testing.T) {
	passes(t, func(k *Task) {
		r := newPrefFlags(k, RefAllowReinit)
		for _, mode := range []string{"per-CPU", "switching", "atomic", "per-CPU again"} {
			switch mode {
			case "switching":
				r.SwitchToAtomic(k, nil)
			case "atomic":
				r.settle(k)
			case "per-CPU again":
				r.SwitchToPercpu(k)
			}
			require.Equal(t, 1, r.Count(), mode)
			r.Get(k)
			require.Equal(t, 2, r.Count(), mode)
			require.False(t, r.IsZero(k), mode)
			require.True(t, r.TrygetLive(k), mode)
			r.PutMany(k, 2)
			require.Equal(t, 1, r.Count(), mode)
		}
		require.Empty(t, r.released)
		r.end(k)
		require.Len(t, r.released, 1)
		require.Equal(t, 0, r.Count())
	})
}
