package hw

import "dmasim/sim"

// Device is the name of the device.
func (u *IOMMU) Device() string { return u.device }

// Prefetch lets the device read ahead, as one operation: what it reads it throws away, so
// that it does no harm whoever the memory belongs to by now. It needs a translation all the
// same.
func (u *IOMMU) Prefetch(t *sim.Task, segs []Segment) {
	a := access{u: u, t: t, dir: ToDevice}
	t.Step(sim.Op{Verb: "dma prefetch", Obj: &u.obj, Class: sim.Read})
	for _, s := range segs {
		for in := 0; in < s.Len; in += PageSize {
			if p, _, why := a.translate(s.Addr + BusAddr(in)); p == nil {
				u.fault(s.Addr+BusAddr(in), s.Len, ToDevice, why).Fail(t)
			}
		}
	}
}
