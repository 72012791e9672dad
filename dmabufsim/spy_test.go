package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// spy is a dynamic exporter with every op, which notes what the core calls and whether the
// reservation lock is held.
type spy struct {
	buf   *DmaBuf
	calls []spied

	pinErr, mapErr, attachErr kernel.Errno
	none, caches              bool
	mapped                    func()
	attached                  func(k *kernel.Task)
}

type spied struct {
	op     string
	locked bool
}

func newSpied(k *kernel.Task) (*world, *spy) {
	w, s := newWorld(k), &spy{}
	w.buf.Put(k)
	w.buf = w.bus.Export(k, "spied", hw.PageSize, s)
	s.buf = w.buf
	return w, s
}

func (s *spy) note(k *kernel.Task, op string) {
	s.calls = append(s.calls, spied{op, s.buf.Resv.Held(k)})
}

// names are the calls so far.
func (s *spy) names() (out []string) {
	for _, c := range s.calls {
		out = append(out, c.op)
	}
	return out
}

func (s *spy) seen() map[string]bool { return set(s.names()...) }

func (s *spy) Attach(k *kernel.Task, a *Attachment) kernel.Errno {
	s.note(k, "attach")
	if s.attached != nil {
		s.attached(k)
	}
	return s.attachErr
}
func (s *spy) Detach(k *kernel.Task, a *Attachment)           { s.note(k, "detach") }
func (s *spy) Pin(k *kernel.Task, a *Attachment) kernel.Errno { s.note(k, "pin"); return s.pinErr }
func (s *spy) Unpin(k *kernel.Task, a *Attachment)            { s.note(k, "unpin") }
func (s *spy) MapDmaBuf(k *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	s.note(k, "map")
	if s.mapErr != kernel.OK || s.none {
		return nil, s.mapErr
	}
	if s.mapped != nil {
		s.mapped()
	}
	return &SgTable{}, kernel.OK
}
func (s *spy) UnmapDmaBuf(k *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	s.note(k, "unmap")
}
func (s *spy) Release(k *kernel.Task) { s.note(k, "release") }
func (s *spy) BeginCPUAccess(k *kernel.Task, dir hw.Direction) kernel.Errno {
	s.note(k, "begin")
	return kernel.OK
}
func (s *spy) EndCPUAccess(k *kernel.Task, dir hw.Direction) kernel.Errno {
	s.note(k, "end")
	return kernel.OK
}
func (s *spy) Mmap(k *kernel.Task, v *VMA) kernel.Errno { s.note(k, "mmap"); return kernel.OK }
func (s *spy) Fault(*kernel.Task, int) *hw.Page         { return nil }
func (s *spy) Vmap(k *kernel.Task) ([]*hw.Page, kernel.Errno) {
	s.note(k, "vmap")
	return nil, kernel.OK
}
func (s *spy) Vunmap(k *kernel.Task) { s.note(k, "vunmap") }
func (s *spy) CacheSgtMapping() bool { return s.caches }

// deafened is a dynamic importer that does nothing about a move, in every kernel.
var deafened = notified(func(*kernel.Task, *Attachment) {})
