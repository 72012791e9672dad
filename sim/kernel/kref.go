package kernel

// Kref is struct kref (include/linux/kref.h): the count of an object that is released with
// its last reference.
type Kref struct{ refs Refcount }

// Init is kref_init: one reference, the caller's; as part of in (nil: static storage).
func (k *Kref) Init(t *Task, in *Mem, name string) { k.refs.Init(t, in, name, 1) }

// Read is kref_read.
func (k *Kref) Read(t *Task) int32 { return k.refs.Read(t) }

// Get is kref_get: the caller has a reference, or something else that keeps the object from
// its release.
func (k *Kref) Get(t *Task) { k.refs.Inc(t) }

// GetUnlessZero is kref_get_unless_zero: false if the object is being released. It is for
// those who found the object in a lookup structure.
func (k *Kref) GetUnlessZero(t *Task) bool { return k.refs.IncNotZero(t) }

// Put is kref_put: true if this call released the object. False says nothing: by then it
// may be gone all the same.
func (k *Kref) Put(t *Task, release func(*Task)) bool {
	return k.released(t, k.refs.DecAndTest(t), release)
}

// PutMutex is kref_put_mutex: release is called with the mutex held, and unlocks it.
func (k *Kref) PutMutex(t *Task, release func(*Task), mu *Mutex) bool {
	return k.released(t, k.refs.DecAndMutexLock(t, mu), release)
}

// PutLock is kref_put_lock: release is called with the lock held, and unlocks it.
func (k *Kref) PutLock(t *Task, release func(*Task), l *Spinlock) bool {
	return k.released(t, k.refs.DecAndLock(t, l), release)
}

func (k *Kref) released(t *Task, last bool, release func(*Task)) bool {
	if last && release == nil {
		t.BUG("kernel NULL pointer dereference: %s has no release function", k.refs.obj.Name)
	}
	if last {
		release(t)
	}
	return last
}

// Peek reads the count as an auditor does.
func (k *Kref) Peek() int32 { return k.refs.Peek() }
