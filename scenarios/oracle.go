package scenarios

import (
	"fmt"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A check is no operation: it looks at the state as it is when a transfer completes,
// and at the end. What is wrong only in between, and right again at the end, may be
// missed where exploration is reduced.

// reference is what blocks and buffer must hold, kept apart from the model. It knows
// transfers when they complete; transfers that overlap in time and place have no
// defined result and are not issued by scenarios.
type reference struct {
	w       *world
	buffers []hw.Data          // of each buffer
	blocks  map[uint64]hw.Data // by LBA, those that were written
	asked   uint64             // bytes that were transferred, if all is right
	sure    uint64             // of these, what the drive must have said that it has done
	unsure  uint64             // bytes that may have been transferred besides
}

func newReference(w *world) *reference {
	r := &reference{w: w, blocks: map[uint64]hw.Data{}}
	for _, b := range w.bufs {
		pages := b.backing()
		r.buffers = append(r.buffers, hw.Peek(pages, 0, len(pages)*hw.PageSize))
	}
	return r
}

// drive is n blocks of the drive from an LBA on.
func (r *reference) drive(lba uint64, n int) hw.Data {
	if len(r.blocks) == 0 {
		return r.untouched(lba, n)
	}
	data := make(hw.Data, 0, 1)
	for b := lba; b < lba+uint64(n); b++ {
		if d, ok := r.blocks[b]; ok {
			data = data.Append(d)
		} else {
			data = data.Append(r.untouched(b, 1))
		}
	}
	return data
}

// untouched is what n blocks of the drive hold that were never written.
func (r *reference) untouched(lba uint64, n int) hw.Data {
	return hw.Data{{Source: r.w.ctrl.Name, Byte: lba * sector, Len: uint32(n * sector)}}
}

// transferred notes a completed transfer and checks that it happened.
func (r *reference) transferred(t *kernel.Task, x transfer) {
	r.asked += uint64(x.n) * sector
	r.sure += uint64(x.n) * sector
	if r.w.bufs[x.buf].forgets {
		return
	}
	buffer := &r.buffers[x.buf]
	if x.write {
		for i := range x.n {
			r.blocks[uint64(x.lba+i)] = buffer.Slice((x.at+i)*sector, sector)
		}
	} else {
		*buffer = buffer.Overwrite(x.at*sector, r.drive(uint64(x.lba), x.n))
	}
	f := r.checkBuffer(x.buf, x.at*sector, x.n*sector)
	if f == nil {
		f = r.checkBlocks(uint64(x.lba), x.n)
	}
	if f != nil {
		t.Fail(f.Kind, "after the %s completed, %s", map[bool]string{true: "write", false: "read"}[x.write], f.Message)
	}
}

// perhaps notes a transfer that has failed, of which commands may have succeeded if it was cut: each
// of its sectors was transferred, or is what it was.
func (r *reference) perhaps(t *kernel.Task, x transfer) {
	if r.w.bufs[x.buf].forgets {
		r.unsure += uint64(x.n) * sector
		for b := x.lba; x.write && b < x.lba+x.n; b++ {
			r.blocks[uint64(b)] = r.w.ctrl.Blocks(uint64(b), 1)
		}
		return
	}
	buffer := &r.buffers[x.buf]
	is := hw.Peek(r.w.bufs[x.buf].backing(), x.at*sector, x.n*sector)
	if r.w.bounces && !x.write { // what was in the bounce pages comes back, whoever put it there
		r.unsure += uint64(x.n) * sector
		*buffer = buffer.Overwrite(x.at*sector, is)
		return
	}
	for i := range x.n {
		memory, lba := (x.at+i)*sector, uint64(x.lba+i)
		if x.write {
			if to := buffer.Slice(memory, sector); r.w.ctrl.Blocks(lba, 1).Equal(to) {
				r.happened(r.drive(lba, 1), to)
				r.blocks[lba] = to
			}
		} else if from := r.drive(lba, 1); is.Slice(i*sector, sector).Equal(from) {
			r.happened(buffer.Slice(memory, sector), from)
			*buffer = buffer.Overwrite(memory, from)
		}
	}
	f := r.checkBuffer(x.buf, x.at*sector, x.n*sector)
	if f == nil {
		f = r.checkBlocks(uint64(x.lba), x.n)
	}
	if f != nil {
		t.Fail(f.Kind, "after the transfer failed, %s", f.Message)
	}
}

// happened counts a sector that is now what its transfer makes of it: if it was that before, nobody
// can tell whether it was transferred.
func (r *reference) happened(before, after hw.Data) {
	if before.Equal(after) {
		r.unsure += sector
	} else {
		r.asked += sector
	}
}

// wroteElse notes that n blocks were written by somebody else than a ring.
func (r *reference) wroteElse(lba uint64, n int) {
	for b := lba; b < lba+uint64(n); b++ {
		r.blocks[b] = r.w.ctrl.Blocks(b, 1)
	}
	r.asked += uint64(n) * sector
}

// elseRead notes that bytes were read by somebody else than a ring.
func (r *reference) elseRead(n uint64) { r.asked, r.sure = r.asked+n, r.sure+n }

// elseWrote notes that data were written by somebody else than a ring, and checks that.
func (r *reference) elseWrote(t *kernel.Task, data hw.Data, lba uint64) {
	n := data.Len() / sector
	r.wroteElse(lba, n)
	r.sure += uint64(data.Len())
	if f := compare("the drive", int(lba)*sector, r.w.ctrl.Blocks(lba, n), data); f != nil {
		t.Fail(f.Kind, "after the write completed, %s", f.Message)
	}
}

// elseFailed notes that data were not transferred for somebody else, of which commands may have succeeded.
func (r *reference) elseFailed(dir hw.Direction, data hw.Data, lba uint64) {
	if dir == hw.FromDevice {
		r.unsure += uint64(data.Len())
		return
	}
	for i := range data.Len() / sector {
		at, to := lba+uint64(i), data.Slice(i*sector, sector)
		if r.w.ctrl.Blocks(at, 1).Equal(to) {
			r.happened(r.drive(at, 1), to)
			r.blocks[at] = to
		}
	}
}

// checkAll compares everything with what it must hold, when nothing is in flight.
func (r *reference) checkAll(t *kernel.Task) {
	var f *sim.Failure
	forgets := false
	for b, data := range r.buffers {
		if f == nil {
			f = r.checkBuffer(b, 0, data.Len())
		}
		forgets = forgets || r.w.bufs[b].forgets
	}
	for written := r.w.ctrl.Written(); f == nil && !forgets && len(written) > 0; {
		n := 1 // in a row
		for n < len(written) && written[n] == written[0]+uint64(n) {
			n++
		}
		f = r.checkBlocks(written[0], n)
		written = written[n:]
	}
	if f != nil {
		t.Fail(f.Kind, "at the end, %s", f.Message)
	}
}

// checkBuffer compares n bytes of a buffer, where it is now.
func (r *reference) checkBuffer(b, first, n int) *sim.Failure {
	if r.w.bufs[b].forgets {
		return nil
	}
	return compare("the buffer", first, hw.Peek(r.w.bufs[b].backing(), first, n), r.buffers[b].Slice(first, n))
}

// checkBlocks compares n blocks of the drive.
func (r *reference) checkBlocks(first uint64, n int) *sim.Failure {
	return compare("the drive", int(first)*sector, r.w.ctrl.Blocks(first, n), r.drive(first, n))
}

// compare tells the first byte that is wrong in data which begins at byte first of the
// whole.
func compare(what string, first int, got, want hw.Data) *sim.Failure {
	i := got.Diff(want)
	if i < 0 {
		return nil
	}
	return &sim.Failure{Kind: hw.DataCorruption,
		Message: fmt.Sprintf("byte %d of %s is %s, not %s", first+i, what, got.From(i), want.From(i))}
}

// strangers checks that pages which were given away hold what their owner put there.
func (r *reference) strangers() *sim.Failure {
	owner := r.w.bufs[0].newOwner
	if r.w.exp != nil {
		owner = r.w.exp.NewOwner // a scenario may have changed it
	}
	if owner == "" {
		return nil
	}
	for _, p := range r.w.bus.Memory.Owned(owner) {
		for _, d := range hw.Peek([]*hw.Page{p}, 0, hw.PageSize) {
			if d.Source != p.Owner {
				return &sim.Failure{Kind: hw.DataCorruption,
					Message: fmt.Sprintf("page %#x of %q holds %s", p.PFN, p.Owner, d)}
			}
		}
	}
	return nil
}

// once checks that what was asked for once was transferred once: a second transfer of
// the same bytes leaves no trace in the data. A driver that recovers tries again what it has cancelled:
// there it is what the drive has said, and was heard, that it has done.
func (r *reference) once() *sim.Failure {
	done, least, verb := r.w.ctrl.Moved(), r.asked, "transferred"
	if r.w.recovers {
		done, least, verb = r.w.driver.Answered(), r.sure, "answered for"
	}
	if done < least || done > r.asked+r.unsure {
		return &sim.Failure{Kind: hw.DataCorruption,
			Message: fmt.Sprintf("%s %s %d bytes, and %d were asked for", r.w.ctrl.Name, verb, done, r.asked)}
	}
	return nil
}

// audit registers what must hold at the end of a run.
func (w *world) audit(t *kernel.Task, cfg config) {
	m := t.Machine()
	m.Audit(w.ref.strangers)
	m.Audit(w.ref.once)
	m.Audit(func() *sim.Failure {
		return left(w.ctrl.Mapped(), "page(s) still mapped in the IOMMU of "+w.ctrl.Name)
	})
	m.Audit(func() *sim.Failure {
		n := 0
		for _, r := range w.rings {
			n += r.InFlight()
		}
		if n == 0 {
			return nil
		}
		return &sim.Failure{Kind: iter.LostCompletion, Message: fmt.Sprintf("%d request(s) of a ring were never completed", n)}
	})
	if cfg.auditTags {
		m.Audit(func() *sim.Failure { return left(w.queue.Tags.InUse(), "tag(s) of "+w.queue.Name+" still in use") })
	}
	if cfg.auditQueue {
		m.Audit(func() *sim.Failure {
			return left(w.queue.Refs()-cfg.disk, "reference(s) left on the queue of "+w.queue.Name)
		})
	}
}

func left(n int, what string) *sim.Failure {
	if n == 0 {
		return nil
	}
	return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("%d %s", n, what)}
}
