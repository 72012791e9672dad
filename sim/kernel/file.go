package kernel

import (
	"fmt"

	"dmasim/sim"
)

// File is struct file: a reference count, and a release that comes after the last reference
// has gone, in a context that may sleep (fs/file_table.c). Where that was the reference of a
// user task, the task releases the file on its way back to user mode; otherwise a work item
// does that is shared by all files. So whoever drops the last reference may hold locks that
// the release takes, and may not wait for the release.
type File struct {
	Name string

	obj      sim.Object
	count    int
	release  func(*Task)
	work     TaskWork
	released bool
}

// deferredFput is what a kernel has for files whose last reference was dropped where no task
// work can be added: delayed_fput_list, and the item that goes through it. The item is queued
// at once: the one tick that the kernel waits before is short against what any task can be
// delayed by, and a timer that fires last would hide races.
type deferredFput struct {
	obj   sim.Object
	files []*File
	work  Work
}

func (d *deferredFput) init(t *Task) {
	t.Own(&d.obj, "list", "delayed_fput_list")
	d.work.Init(t, nil, "delayed_fput", d.run)
}

// Init makes a file with one reference.
func (f *File) Init(t *Task, name string, release func(*Task)) {
	*f = File{Name: name, count: 1, release: release}
	f.work.Func = f.finish
	t.Own(&f.obj, "file", name)
	t.K.files = append(t.K.files, f)
}

// Get is get_file: the caller has a reference. It is part of the operation before it.
func (f *File) Get(t *Task) {
	t.Touch(&f.obj, RefcountGet)
	if f.count <= 0 {
		t.Fail(UseAfterFree, "get_file of %q, which has no reference left (%s)", f.Name, t.Task)
	}
	f.count++
}

// TryGet is get_file_rcu, as fget calls it: false if the last reference has gone.
func (f *File) TryGet(t *Task) bool {
	t.Step(sim.Op{Verb: "fget", Obj: &f.obj})
	if f.count <= 0 {
		t.Did(sim.Read)
		return false
	}
	t.Did(RefcountGet)
	f.count++
	return true
}

// Put is fput. Any context; the release comes later.
func (f *File) Put(t *Task) {
	if !f.put(t, "fput") {
		return
	}
	// What follows the decrement is part of its operation: nobody else has the file.
	if t.target && t.ctx == InTask && t.bh == 0 {
		t.Touch(&t.twork, sim.Write)
		if t.addTaskWork(t, &f.work, TWA_RESUME) == OK {
			return
		}
	}
	d := &t.K.fput
	t.Touch(&d.obj, sim.Write)
	t.Release(&d.obj)
	d.files = append(d.files, f)
	if len(d.files) == 1 {
		wq := t.K.SystemWq
		if t.K.Profile >= V7_3 {
			wq = t.K.SystemPercpuWq
		}
		wq.Queue(t, &d.work)
	}
}

// PutSync is __fput_sync: the last reference releases the file here and now.
func (f *File) PutSync(t *Task) {
	if f.put(t, "fput") {
		f.finish(t)
	}
}

func (f *File) put(t *Task, verb string) (last bool) {
	t.Step(sim.Op{Verb: verb, Obj: &f.obj})
	if f.count <= 0 {
		t.Fail(RefcountMisuse, "fput of %q without a reference (%s)", f.Name, t.Task)
	}
	f.count--
	t.Release(&f.obj)
	if f.count > 0 {
		return false
	}
	t.Acquire(&f.obj)
	return true
}

// Count is file_count, for auditors.
func (f *File) Count() int { return f.count }

// Released tells whether the release has begun, as part of the operation before it.
func (f *File) Released(t *Task) bool {
	t.Touch(&f.obj, sim.Read)
	return f.released
}

// finish is __fput.
func (f *File) finish(t *Task) {
	t.MightSleep("__fput", f.Name)
	t.Touch(&f.obj, sim.Write)
	f.released = true
	f.release(t)
}

// run is delayed_fput: releases what is on the list, latest first. What is added meanwhile
// waits for the next run of the item.
func (d *deferredFput) run(t *Task) {
	t.Touch(&d.obj, sim.Write)
	t.Acquire(&d.obj)
	files := d.files
	d.files = nil
	for i := len(files) - 1; i >= 0; i-- {
		files[i].finish(t)
	}
}

// FlushDelayedFput is flush_delayed_fput: releases here what waits for the work item. It
// does not wait for what the item is releasing.
func (t *Task) FlushDelayedFput() {
	t.Step(sim.Op{Verb: "flush_delayed_fput", Obj: &t.K.fput.obj})
	t.K.fput.run(t)
}

func (k *Kernel) auditFiles() *sim.Failure {
	for _, f := range k.files {
		if !f.released {
			return &sim.Failure{Kind: Leak, Message: fmt.Sprintf("file %q was never released; %d reference(s) are left", f.Name, f.count)}
		}
	}
	return nil
}
