package uringsim

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
)

// RegFile is an entry of a registration or update of files.
type RegFile struct {
	// File is what the descriptor stands for; nil: -1, an empty slot.
	File *iter.File
	// Skip is IORING_REGISTER_FILES_SKIP, Bad a descriptor that is not open.
	Skip, Bad bool
	Tag       uint64
}

// RegisterFiles is IORING_REGISTER_FILES, and FILES2 if there are tags: a new table, with all
// entries or not at all.
func (r *Ring) RegisterFiles(t *kernel.Task, entries []RegFile) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	if err := r.mayRegister(t); err != kernel.OK {
		return err
	}
	switch {
	case r.files.exists():
		return kernel.EBUSY
	case len(entries) == 0:
		return kernel.EINVAL
	case len(entries) > maxFiles:
		return kernel.EMFILE
	}
	r.files.nodes = make([]*node, len(entries))
	for i := range entries {
		e := &entries[i]
		n, err := r.newFileNode(t, e)
		if err == kernel.OK && n == nil && e.Tag != 0 {
			err = kernel.EINVAL
		}
		r.files.nodes[i] = n
		if err != kernel.OK {
			for _, n := range r.files.nodes {
				if n != nil {
					n.tag = 0
				}
			}
			r.dropTable(t, &r.files)
			return err
		}
	}
	return kernel.OK
}

// newFileNode is nil for an empty slot.
func (r *Ring) newFileNode(t *kernel.Task, e *RegFile) (*node, kernel.Errno) {
	switch {
	case e.Bad:
		return nil, kernel.EBADF
	case e.File == nil:
		return nil, kernel.OK
	}
	e.File.Get(t)
	n, err := r.newNode(t)
	if err != kernel.OK {
		e.File.Put(t)
		return nil, err
	}
	n.file, n.tag = e.File, e.Tag
	return n, kernel.OK
}

// UpdateFiles is IORING_REGISTER_FILES_UPDATE: see UpdateBuffers. No flag is allowed. The
// slot is emptied before the new descriptor is looked up, and stays empty if that fails.
func (r *Ring) UpdateFiles(t *kernel.Task, off, flags uint32, entries []RegFile) (int, kernel.Errno) {
	r.lock(t)
	defer r.unlock(t)
	if err := r.mayRegister(t); err != kernel.OK {
		return 0, err
	}
	if err := updateRange(t, &r.files, off, uint32(len(entries)), flags, 0); err != kernel.OK {
		return 0, err
	}
	for done := range entries {
		e := &entries[done]
		slot := int(off) + done
		var n *node
		err := kernel.OK
		switch {
		case (e.Skip || e.File == nil && !e.Bad) && e.Tag != 0:
			err = kernel.EINVAL
		case e.Skip:
			continue
		default:
			r.reset(t, &r.files, slot)
			n, err = r.newFileNode(t, e)
		}
		if err != kernel.OK {
			if done > 0 {
				return done, kernel.OK
			}
			return 0, err
		}
		r.files.nodes[slot] = n
	}
	return len(entries), kernel.OK
}

// UnregisterFiles is IORING_UNREGISTER_FILES, see UnregisterBuffers.
func (r *Ring) UnregisterFiles(t *kernel.Task) kernel.Errno { return r.unregister(t, &r.files) }
