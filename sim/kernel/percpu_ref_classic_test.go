package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// device is an object that is found by way of a pointer, as a queue is by a driver, and
// goes when it has been killed and nobody uses it any more.
type device struct {
	Mem
	ref  PercpuRef
	v    Field[int]
	done Completion
}

// removal says how a device is removed, and how it is found meanwhile.
type removal struct {
	flags RefFlags
	// release is called with the last reference.
	release func(d *device, k *Task)
	// remove ends the life of the device that p publishes.
	remove func(d *device, p *RCU[device], k *Task)
}

// run is a user who looks the device up, and somebody who removes it.
func (rm removal) run(k *Task) {
	d := &device{}
	k.Alloc(GFP_KERNEL, &d.Mem, "device")
	d.ref.InitFlags(k, &d.Mem, "device.ref", rm.flags, GFP_KERNEL, func(k *Task) { rm.release(d, k) })
	d.v.Init(k, &d.Mem, "data.v", 1)
	var p RCU[device]
	p.Init(k, nil, "p")
	p.Assign(k, d)
	k.Go("user", func(k *Task) {
		k.RCUReadLock()
		d := p.Dereference(k)
		live := d != nil && d.ref.TrygetLive(k)
		k.RCUReadUnlock()
		if live {
			d.v.Set(k, 2)
			d.ref.Put(k)
		}
	})
	k.Go("remover", func(k *Task) { rm.remove(d, &p, k) })
	k.Explore()
}

func freeAtOnce(d *device, k *Task) {
	d.ref.Exit(k)
	k.Free(&d.Mem)
}

func freeInWorker(d *device, k *Task) {
	w := &Work{}
	w.Init(k, nil, "free", func(k *Task) { freeAtOnce(d, k) })
	k.K.SystemWq.Queue(k, w)
}

func freeLater(d *device, k *Task) {
	k.CallRCU("free", func(k *Task) { freeAtOnce(d, k) })
}

func unpublishFirst(d *device, p *RCU[device], k *Task) {
	p.Assign(k, nil)
	d.ref.Kill(k)
}

// A device that is killed but can still be found is used after it was freed: the failing
// tryget itself is the use. Unpublishing it after the kill is too late; before it is right,
// since the grace period of the kill is one of the unpublishing too.
func TestClassicPercpuRefKillWithoutUnpublish(t *testing.T) {
	never := removal{release: freeAtOnce, remove: func(d *device, _ *RCU[device], k *Task) { d.ref.Kill(k) }}
	late := removal{release: freeAtOnce, remove: func(d *device, p *RCU[device], k *Task) {
		d.ref.Kill(k)
		p.Assign(k, nil)
	}}
	for _, wrong := range []removal{never, late} {
		sometimes(t, UseAfterFree, "user (task 1) uses device#1, which was freed", wrong.run)
		on.Finds(t, explore.NewDPOR(), wrong.run, UseAfterFree)
	}
	repaired := removal{release: freeAtOnce, remove: unpublishFirst}
	always(t, repaired.run)
	on.Survives(t, explore.NewDPOR(), repaired.run)
}

// A ref that is in atomic mode dies without a grace period. So even what was unpublished
// first needs one before the free; and its exit cannot be in a release that the kill calls.
func TestClassicPercpuRefWithoutGracePeriod(t *testing.T) {
	wrong := removal{RefInitAtomic, freeInWorker, unpublishFirst}
	sometimes(t, UseAfterFree, "user (task 1) uses device#1, which was freed by kworker", wrong.run)
	on.Finds(t, explore.NewDPOR(), wrong.run, UseAfterFree)
	inTime := removal{0, freeInWorker, unpublishFirst}
	always(t, inTime.run)
	exits := removal{RefInitAtomic, freeAtOnce, unpublishFirst}
	require.Contains(t, findings(t, exits.run), string(sim.Deadlock))
	repaired := removal{RefInitAtomic, freeLater, unpublishFirst}
	always(t, repaired.run)
	on.Survives(t, explore.NewDPOR(), repaired.run)
}

// A remover that wants the confirmation, and exits then: the callback, and users, are not
// done with the ref. What to wait for is the release.
func TestClassicPercpuRefExitAfterConfirm(t *testing.T) {
	wait := func(confirm, release bool) func(k *Task) {
		return removal{
			release: func(d *device, k *Task) {
				if release {
					d.done.Complete(k)
				}
			},
			remove: func(d *device, p *RCU[device], k *Task) {
				d.done.Init(k, &d.Mem, "device.done")
				p.Assign(k, nil)
				d.ref.KillAndConfirm(k, func(k *Task) {
					if confirm {
						d.done.Complete(k)
					}
				})
				d.done.Wait(k)
				freeAtOnce(d, k)
			},
		}.run
	}
	require.Contains(t, findings(t, wait(true, false)), string(UseAfterFree))
	on.Finds(t, explore.NewDPOR(), wait(true, false), UseAfterFree, RefcountMisuse)
	always(t, wait(false, true))
	on.Survives(t, explore.NewDPOR(), wait(false, true))
}

// tryget, where tryget_live is meant, hands a device out that is going, so it may never go.
func TestClassicPercpuRefTrygetOfDying(t *testing.T) {
	use := func(tryget func(r *PercpuRef, k *Task) bool) func(k *Task) {
		return func(k *Task) {
			r := newPref(k)
			confirmed := false
			r.Get(k) // a user who stays a while
			k.Go("remover", func(k *Task) { r.KillAndConfirm(k, func(*Task) { confirmed = true }) })
			k.Go("user", func(k *Task) {
				k.RCUReadLock()
				defer k.RCUReadUnlock()
				k.Step(sim.Op{Verb: "look", Obj: &r.obj, Class: sim.Read})
				dying := confirmed
				if tryget(&r.PercpuRef, k) {
					if dying {
						k.BUG("a use of what is going has begun")
					}
					r.Put(k)
				}
			})
			k.Explore()
			r.Put(k)
			r.Exit(k)
		}
	}
	sometimes(t, sim.Bug, "a use of what is going has begun", use((*PercpuRef).Tryget))
	always(t, use((*PercpuRef).TrygetLive))
}
