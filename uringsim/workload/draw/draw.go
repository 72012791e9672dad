// Package draw generates workloads with rapid. It is apart from package workload because
// importing rapid adds flags to a program.
package draw

import (
	"fmt"

	"pgregory.net/rapid"

	"dmasim/uringsim/workload"
)

// Workload generates a workload that is valid on machines with these traits: mostly
// transfers that are right, in flight or not, and every kind of invalid use among them.
func Workload(t workload.Traits) *rapid.Generator[*workload.Workload] {
	return rapid.Custom(func(r *rapid.T) *workload.Workload {
		w := &workload.Workload{
			Buffers: rapid.IntRange(1, 3).Draw(r, "buffers"),
			Size:    4096 * rapid.Int64Range(1, 4).Draw(r, "pages"),
			File:    4096 * rapid.Int64Range(1, 8).Draw(r, "file pages"),
		}
		d := &drawer{r, t, w}
		// A slice, because rapid can shrink it by leaving operations out.
		rapid.SliceOfN(rapid.Custom(func(r *rapid.T) workload.Kind {
			d.T = r
			o := d.op()
			d.add(o)
			return o.Kind
		}), 1, 24).Draw(r, "operations")
		return w
	})
}

type drawer struct {
	*rapid.T
	traits workload.Traits
	w      *workload.Workload
}

// add appends an operation, after a wait if it would race with what is in flight, and
// leaves out what is not valid here.
func (d *drawer) add(o workload.Op) {
	for _, more := range [][]workload.Op{{o}, {{Kind: workload.Wait}, o}} {
		with := *d.w
		with.Ops = append(with.Ops[:len(with.Ops):len(with.Ops)], more...)
		if with.Validate(d.traits) == nil {
			*d.w = with
			return
		}
	}
}

// one draws with these odds: a label and its weight, in turn.
func (d *drawer) one(what string, odds ...any) string {
	sum := 0
	for i := 1; i < len(odds); i += 2 {
		sum += odds[i].(int)
	}
	n := rapid.IntRange(0, sum-1).Draw(d.T, what)
	for i := 0; ; i += 2 {
		if n -= odds[i+1].(int); n < 0 {
			return odds[i].(string)
		}
	}
}

func (d *drawer) op() workload.Op {
	o := workload.Op{Kind: workload.Kind(d.one("kind",
		"register", 4, "read_fixed", 8, "write_fixed", 8, "cpu_write", 3, "cpu_read", 2, "update", 3,
		"unregister", 1, "wait", 1, "read", 1, "write", 1, "nop", 1, "cancel", 1))}
	switch o.Kind {
	case workload.Register:
		o.Regions = d.regions(4)
	case workload.Update:
		o.Slot = rapid.IntRange(-1, 4).Draw(d.T, "slot")
		o.Regions = d.regions(2)
	case workload.Cancel:
		o.Of = rapid.IntRange(1, len(d.w.Ops)+1).Draw(d.T, "of")
		o.Async = false
	case workload.CPUWrite, workload.CPURead:
		o.Mem = d.inside(1)
		if o.Kind == workload.CPUWrite {
			o.Fill = rapid.Byte().Draw(d.T, "fill")
		}
	case workload.ReadFixed, workload.WriteFixed, workload.Read, workload.Write:
		d.transfer(&o)
	}
	if o.Request() && o.Kind != workload.Cancel {
		o.Hold = d.one("hold", "", 1, "hold", 1) != ""
		o.Async = d.one("async", "", 4, "async", 1) != ""
	}
	return o
}

// transfer draws a request that is right in most cases and has one fault in the others.
func (d *drawer) transfer(o *workload.Op) {
	m := workload.NewModel(d.w, d.traits)
	for i := range d.w.Ops {
		m.Step(i, &d.w.Ops[i], m.Allowed(&d.w.Ops[i])[0])
	}
	o.Mem = d.inside(512)
	if slots := m.Slots(); o.Fixed() && len(slots) > 0 {
		o.Slot = rapid.SampledFrom(slots).Draw(d.T, "slot")
		o.Mem = d.part(m.Slot(o.Slot), 512)
	}
	unit := max(512, d.traits.Block)
	o.Mem.Len -= o.Mem.Len % unit
	if o.ToFile() {
		o.Mem.Len = min(o.Mem.Len, d.w.File)
		o.Off = unit * rapid.Int64Range(0, (d.w.File-o.Mem.Len)/unit).Draw(d.T, "offset")
	} else {
		o.Off = unit * rapid.Int64Range(0, d.w.File/unit).Draw(d.T, "offset")
	}
	switch d.one("fault", "", 14, "slot", 1, "before", 1, "past", 1, "address", 1, "offset", 1, "length", 1, "nothing", 1,
		"closed", 1, "readonly", 1, "dmabuf", 1, "view", 1) {
	case "slot":
		o.Slot = rapid.SampledFrom([]int{0, 1, 2, 3, 4, 16384, 65535}).Draw(d.T, "another slot")
	case "before":
		o.Mem.At = -rapid.Int64Range(1, 512).Draw(d.T, "before")
	case "past":
		o.Mem.At = d.w.Size - max(0, o.Mem.Len-rapid.Int64Range(1, 512).Draw(d.T, "past"))
	case "address":
		o.Mem.At += rapid.Int64Range(1, 511).Draw(d.T, "address")
		o.Mem.Len = max(0, o.Mem.Len-unit)
	case "offset":
		o.Off += rapid.Int64Range(1, unit-1).Draw(d.T, "odd offset")
		o.Mem.Len = max(0, o.Mem.Len-unit)
	case "length":
		o.Mem.Len = max(0, o.Mem.Len-rapid.Int64Range(1, unit-1).Draw(d.T, "odd length"))
	case "nothing":
		o.Mem.Len = 0
	case "closed":
		o.To = workload.Closed
	case "readonly":
		o.To = workload.ReadOnlyFile
	case "dmabuf":
		o.To = workload.ADmaBuf
	case "view":
		o.Mem.View = rapid.SampledFrom([]workload.View{workload.ReadOnly, workload.DmaBuf}).Draw(d.T, "view")
	}
}

// inside draws memory in some buffer, at a multiple of unit.
func (d *drawer) inside(unit int64) workload.Region {
	return d.part(workload.Region{
		View: workload.Plain, Buf: rapid.IntRange(0, d.w.Buffers-1).Draw(d.T, "buffer"), Len: d.w.Size,
	}, unit)
}

// part draws a part of a region.
func (d *drawer) part(of workload.Region, unit int64) workload.Region {
	at := unit * rapid.Int64Range(0, of.Len/unit).Draw(d.T, "at")
	length := rapid.Int64Range(0, of.Len-at).Draw(d.T, "len")
	of.At, of.Len = of.At+at, length
	return of
}

// regions draws what is registered: mostly right.
func (d *drawer) regions(most int) []workload.Region {
	var out []workload.Region
	for range rapid.IntRange(1, most).Draw(d.T, "regions") {
		out = append(out, d.region())
	}
	switch d.one("how many", "", 30, "none", 1, "limit", 1, "too many", 1) {
	case "none":
		return nil
	case "limit":
		return []workload.Region{{View: workload.Empty, Times: 16384}}
	case "too many":
		return []workload.Region{{View: workload.Empty, Times: 16385}}
	}
	return out
}

func (d *drawer) region() workload.Region {
	r := d.inside(512)
	kind := d.one("region", "whole", 12, "part", 6, "empty", 3, "null", 1, "nothing", 1, "past", 1, "huge", 1, "readonly", 1, "dmabuf", 1)
	whole := workload.Region{View: workload.Plain, Buf: r.Buf, Len: d.w.Size}
	switch kind {
	case "whole":
		return whole
	case "part":
		r.Len = max(r.Len, 1)
		r.At = min(r.At, d.w.Size-r.Len)
		return r
	case "empty":
		return workload.Region{View: workload.Empty}
	case "null":
		return workload.Region{View: workload.Null, Len: 4096}
	case "nothing":
		whole.Len = 0
	case "past":
		whole.Len++
	case "huge":
		whole.Len = 1<<30 + 1
	case "readonly":
		whole.View = workload.ReadOnly
	case "dmabuf":
		whole.View = workload.DmaBuf
	default:
		panic(fmt.Sprintf("no region %q", kind))
	}
	return whole
}
