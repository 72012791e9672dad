package iter

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// File status flags, see open(2).
const (
	O_RDONLY   = 0o0
	O_WRONLY   = 0o1
	O_RDWR     = 0o2
	O_APPEND   = 0o2000
	O_NONBLOCK = 0o4000
	O_DSYNC    = 0o10000
	// O_DIRECT: transfers bypass the page cache.
	O_DIRECT = 0o40000
	O_SYNC   = 0o4010000
)

// Modes of files, in f_mode.
const (
	FMODE_READ  = 1 << 0
	FMODE_WRITE = 1 << 1
	// FMODE_CAN_ATOMIC_WRITE: writes with RWF_ATOMIC are possible.
	FMODE_CAN_ATOMIC_WRITE = 1 << 7
	// FMODE_NOWAIT: an I/O that must not block returns -EAGAIN rather than blocking.
	FMODE_NOWAIT = 1 << 27
)

// FileOps is struct file_operations, as far as it is needed. Both functions return
// the number of bytes, or a negative errno; -EIOCBQUEUED means that the kiocb's
// Complete will be called, and may have been already.
type FileOps interface {
	ReadIter(t *kernel.Task, k *Kiocb, i *Iter) int64
	WriteIter(t *kernel.Task, k *Kiocb, i *Iter) int64
}

// DmaMapper is the file operation dma_map, which only raw block devices have.
type DmaMapper interface {
	DmaMap(t *kernel.Task, f *File, p token.Params) (token.Token, kernel.Errno)
}

// File is struct file.
type File struct {
	Name string
	// Ref counts the references; nil for a file that nobody closes while it is in use.
	Ref *kernel.File
	// Flags are f_flags: O_DIRECT and the like. fcntl can change some of them at any
	// time, so they are looked at again for each I/O.
	Flags uint32
	// Mode is f_mode.
	Mode uint32
	// Ops is nil for a file that can be neither read nor written: a dma-buf.
	Ops FileOps

	flags *sim.Object // stands for Flags where they change, see WillChange
}

// Direct tells whether the file has O_DIRECT now. It belongs to the operation that was granted last.
func (f *File) Direct(t *kernel.Task) bool {
	f.look(t)
	return f.Flags&O_DIRECT != 0
}

// WillChange is called in set-up where SetFlags is called later: others see that.
func (f *File) WillChange(t *kernel.Task) {
	f.flags = &sim.Object{}
	t.OwnStatic(f.flags, "f_flags", f.Name)
}

// SetFlags is fcntl(F_SETFL). Without WillChange nobody would see it race with others, which is a misuse.
func (f *File) SetFlags(t *kernel.Task, flags uint32) {
	if f.flags == nil {
		t.Fail(sim.Misuse, "the flags of %s are set, and WillChange was not called in set-up", f.Name)
	}
	t.Step(sim.Op{Verb: "fcntl(F_SETFL)", Obj: f.flags})
	f.Flags = flags
}

func (f *File) look(t *kernel.Task) {
	if f.flags != nil {
		t.Touch(f.flags, sim.Read)
	}
}

// Get is get_file.
func (f *File) Get(t *kernel.Task) {
	if f.Ref != nil {
		f.Ref.Get(t)
	}
}

// Put is fput.
func (f *File) Put(t *kernel.Task) {
	if f.Ref != nil {
		f.Ref.Put(t)
	}
}
