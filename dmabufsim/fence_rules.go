package dmabufsim

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// FenceRule is the kind of what is wrong with the way from the publication of a fence to its
// signal. It is a rule of the contract between drivers that was broken, and no deadlock yet:
// whoever waits for the fence in reclaim, or with the reservation lock held, makes it one.
const FenceRule sim.Kind = "fence-rule"

// lifeOfFence is what the rules know of a fence.
type lifeOfFence struct {
	created, published kernel.Point
	// since is when others began to need the signal: the publication, or the first wait for
	// a fence whose driver has to be asked.
	since kernel.Point
	// importer is whose fence it is, if it was published when that was told of a move, and
	// mappings are what it was told of.
	importer *Attachment
	mappings []int
	// signalled is where; cone what that depended on, in a traced run.
	signalled sim.Place
	cone      *kernel.Cone
}

// isPublished is called when others can see the fence for the first time.
func (f *Fence) isPublished(t *kernel.Task, r *Resv) {
	f.life.published = t.Point()
	f.life.since = f.life.published
	if t.Tracing() {
		s := fenceSystem(t)
		s.published = append(s.published, f)
	}
	if r.buf != nil {
		for _, a := range r.buf.attachments {
			if a.telling == t {
				f.life.importer, f.life.mappings = a, a.losing()
			}
		}
	}
}

// isAsked is called when the driver is asked to see to the signal.
func (f *Fence) isAsked(t *kernel.Task) { f.life.since = t.Point() }

// checkSignal holds what the signal, which t is about to give, depended on since the fence was
// published to the rules.
func (f *Fence) checkSignal(t *kernel.Task) {
	onDemand := f.ops.EnableSignaling != nil && !f.enabled // and nobody wants it yet
	if !f.published || t.K.Deps.Off {
		return
	}
	f.life.signalled = t.Place()
	if onDemand {
		return
	}
	cone := t.DependsOn(f.life.since)
	if t.Tracing() {
		f.life.cone = cone
	}
	if !t.K.NoFenceRules {
		f.checkOrder(t)
		f.checkAccesses(t, fenceSystem(t), cone)
		for i := range cone.Notes {
			d := &cone.Notes[i]
			if rule := broken(cone, d); rule != "" {
				var detail []string
				if t.Tracing() {
					detail = f.tell(t, cone, d)
				}
				t.FlagMinor(FenceRule, detail, "%s; %s cannot signal without that", rule, f)
			}
		}
	}
	t.SignalledBy(fenceSystem(t).signalling, cone, resvClass(t).LockMap())
}

// checkOrder is R2: whoever publishes a fence has everything that it needs before the work
// begins that signals it. What begins the work is what the signal turns out to depend on.
func (f *Fence) checkOrder(t *kernel.Task) {
	life := &f.life
	publisher := life.published.Place.Task
	if life.created.Place.Task != publisher {
		return // somebody else has made it long before
	}
	var cone *kernel.Cone
	between := t.K.Notes(publisher, life.created, life.published)
	for i := range between {
		n := &between[i]
		if n.Kind != kernel.NoteAlloc {
			continue
		}
		if cone == nil {
			cone = t.DependsOn(life.created)
		}
		if at := cone.Started(publisher); at < 0 || at >= int(n.Op) {
			continue
		}
		var detail []string
		if t.Tracing() {
			detail = append([]string{fmt.Sprintf("%s was made %s, published %s, and is signalled %s", f, life.created.Place, life.published.Place, t.Place())},
				append(cone.ChainToStart(publisher), "after that: "+n.Tell())...)
		}
		t.FlagMinor(FenceRule, detail, "R2: the work of %s had begun, and its publisher still allocated %s", f, n.Name)
		return
	}
}

// tell is the way from the signal back to what broke a rule.
func (f *Fence) tell(t *kernel.Task, cone *kernel.Cone, d *kernel.Dep) []string {
	out := []string{
		fmt.Sprintf("%s was published %s, and is signalled %s", f, f.life.published.Place, t.Place()),
	}
	return append(out, cone.Chain(d)...)
}

// broken names the rule that does not allow what was done between the publication of a fence
// and its signal, "" if all do. Who held a reference meanwhile that the fence waits for may go
// on to submit: that is what the fence was published for. But it must not wait before that for
// what other I/O has, which may itself have to wait for the fence (R7). Requests in a plug are
// right: the plug is flushed before its task sleeps.
func broken(c *kernel.Cone, d *kernel.Dep) string {
	n := d.Note
	switch n.Kind {
	case kernel.NoteAlloc:
		return fmt.Sprintf("R3: an allocation of %s with %s may wait for fences in reclaim", n.Name, n.GFP)
	case kernel.NoteLock:
		if n.Class() == reservationLock {
			return fmt.Sprintf("R4: reservation lock %s was taken, which waiters may hold", n.Name)
		}
	case kernel.NoteWork:
		if !n.On.Rescuer() {
			return fmt.Sprintf("R6: work %s ran from workqueue %s, which has no rescuer", n.Name, n.On.Name())
		}
	case kernel.NoteTaskWork:
		return fmt.Sprintf("R6: task work had to run, and only %s can do so", n.Task)
	case kernel.NoteUser:
		return fmt.Sprintf("R6: %s had to come from user space, with %s", n.Task, n.Name)
	case kernel.NoteSubmit:
		if c.Holding(d) {
			return ""
		}
		return fmt.Sprintf("R6: I/O to %s was not submitted yet when the fence was published", n.Name)
	case kernel.NoteBehind:
		if ref := c.Reference(d); ref != "" {
			return fmt.Sprintf("R7: %s held a reference of %s and took %s, for which it may have to wait until other I/O ends", n.Task, ref, n.Name)
		}
	}
	return ""
}

// reservationLock is the class of the locks of all reservation objects.
const reservationLock = "reservation_ww_class_mutex"
