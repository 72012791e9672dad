package iter

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Prot says what a user may do with memory, as mmap does.
type Prot uint8

const (
	PROT_READ  Prot = 1
	PROT_WRITE Prot = 2
)

// Mm is struct mm_struct: which page is at which user address. Its pages are its own: one
// that is unmapped is free, unless it is pinned.
type Mm struct {
	Name string

	obj   sim.Object
	ptes  map[uint64]*pte // by page of the address space
	frame map[*hw.Page]*frame
}

// pte is what is known of a page of the address space.
type pte struct {
	page    *hw.Page
	prot    Prot
	present bool
	pfn     bool // VM_PFNMAP
}

// frame counts who has a page.
type frame struct{ mapped, pins int }

// NewMm makes an address space without memory.
func NewMm(t *kernel.Task, name string) *Mm {
	m := &Mm{Name: name, ptes: map[uint64]*pte{}, frame: map[*hw.Page]*frame{}}
	t.Own(&m.obj, "mm", name)
	t.Machine().Audit(m.audit)
	return m
}

// Mmap puts pages at an address, which is a multiple of the page size. It is part of the
// operation that was granted last, as it is mostly the setting up of a test.
func (m *Mm) Mmap(t *kernel.Task, addr uint64, pages []*hw.Page, prot Prot) {
	m.mmap(t, addr, pages, prot, false)
}

// MmapPFN is Mmap of page frames (remap_pfn_range), as dma-bufs do it: the kernel knows of no
// pages behind the addresses, so that they can be copied from and to, and not pinned.
func (m *Mm) MmapPFN(t *kernel.Task, addr uint64, pages []*hw.Page, prot Prot) {
	m.mmap(t, addr, pages, prot, true)
}

func (m *Mm) mmap(t *kernel.Task, addr uint64, pages []*hw.Page, prot Prot, pfn bool) {
	t.Touch(&m.obj, sim.Write)
	for k, p := range pages {
		f := m.frame[p]
		if f == nil {
			f = &frame{}
			m.frame[p] = f
		}
		f.mapped++
		m.ptes[addr/hw.PageSize+uint64(k)] = &pte{p, prot, true, pfn}
	}
}

// Munmap is munmap of n bytes. What is pinned stays with those who pinned it.
func (m *Mm) Munmap(t *kernel.Task, addr, n uint64) {
	t.Step(sim.Op{Verb: "munmap", Obj: &m.obj})
	var free []*hw.Page
	for k := addr / hw.PageSize; k < (addr+n)/hw.PageSize; k++ {
		if e := m.ptes[k]; e != nil {
			delete(m.ptes, k)
			m.frame[e.page].mapped--
			free = m.release(free, e.page)
		}
	}
	hw.Give(t.Task, free, "")
}

// release adds the page to those that are free if nobody has it.
func (m *Mm) release(free []*hw.Page, p *hw.Page) []*hw.Page {
	if f := m.frame[p]; f.mapped+f.pins > 0 {
		return free
	}
	delete(m.frame, p)
	return append(free, p)
}

// PageOut makes whoever uses n bytes next fault them in.
func (m *Mm) PageOut(t *kernel.Task, addr, n uint64) {
	t.Step(sim.Op{Verb: "page out", Obj: &m.obj})
	for k := addr / hw.PageSize; k < (addr+n)/hw.PageSize; k++ {
		m.ptes[k].present = false
	}
}

// page is the page that a task in the kernel gets to at a user address, faulting it in if
// it may. nil is -EFAULT.
func (m *Mm) page(t *kernel.Task, addr uint64, want Prot, mayFault bool) *hw.Page {
	t.Touch(&m.obj, sim.Read)
	e := m.ptes[addr/hw.PageSize]
	if e == nil || e.prot&want == 0 || !e.present && !mayFault {
		return nil
	}
	if !e.present {
		t.Touch(&m.obj, sim.Write)
		e.present = true
	}
	return e.page
}

// pin is pin_user_pages_fast: at most n pages from the address on, which stay where they
// are until they are unpinned.
func (m *Mm) pin(t *kernel.Task, addr uint64, n int, want Prot, mayFault, p2p bool) ([]*hw.Page, kernel.Errno) {
	t.MightSleep("pin_user_pages_fast", m.Name)
	t.Step(sim.Op{Verb: "pin", Obj: &m.obj})
	var pages []*hw.Page
	err := kernel.OK
	for a := addr &^ (hw.PageSize - 1); len(pages) < n; a += hw.PageSize {
		p := m.page(t, a, want, mayFault)
		if p == nil || m.ptes[a/hw.PageSize].pfn {
			err = kernel.EFAULT
			break
		}
		if p.Region != nil && !p2p {
			err = kernel.EREMOTEIO
			break
		}
		m.frame[p].pins++
		pages = append(pages, p)
	}
	if len(pages) > 0 {
		err = kernel.OK
	}
	return pages, err
}

// Unpin is unpin_user_pages, in any context. It is part of the operation that was granted
// last, unless it frees pages.
func (m *Mm) Unpin(t *kernel.Task, pages ...*hw.Page) {
	t.Touch(&m.obj, sim.Write)
	var free []*hw.Page
	for _, p := range pages {
		f := m.frame[p]
		if f == nil || f.pins == 0 {
			t.Fail(kernel.RefcountMisuse, "unpin of page %#x of %s, which is not pinned", p.PFN, m.Name)
		}
		f.pins--
		free = m.release(free, p)
	}
	hw.Give(t.Task, free, "")
}

// Pins is how often the page is pinned, for auditors.
func (m *Mm) Pins(p *hw.Page) int {
	if f := m.frame[p]; f != nil {
		return f.pins
	}
	return 0
}

func (m *Mm) audit() *sim.Failure {
	n := 0
	for _, f := range m.frame {
		n += f.pins
	}
	if n == 0 {
		return nil
	}
	return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("user memory of %s is still pinned, %d time(s)", m.Name, n)}
}
