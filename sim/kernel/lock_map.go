package kernel

// LockMap is a struct lockdep_map of its own: something that is no lock, but can be held
// and waited for like one, such as reclaim or the signalling of fences. It is known by its
// name, to all of the kernel.
type LockMap struct{ dep lockDep }

// LockMap is the map of the name.
func (t *Task) LockMap(name string) *LockMap {
	m := &LockMap{}
	t.initDep(&m.dep, nil, name)
	return m
}

// Acquire is lock_map_acquire. With try, as of a trylock, no order follows from it; what
// is taken inside is after it all the same.
func (m *LockMap) Acquire(t *Task, try bool) {
	how := mayWait
	if try {
		how = trying
	}
	t.acquired(&m.dep, how)
}

// Release is lock_map_release.
func (m *LockMap) Release(t *Task) {
	if !t.released(&m.dep) {
		t.misuse("bad unlock balance: %s releases %s, which it does not hold", t.Task, m.dep.name)
	}
}

// Wait notes a wait for what the map stands for: it is taken and given up at once.
func (m *LockMap) Wait(t *Task) { t.touch(&m.dep) }

// WaitFor is Wait for what others may come to depend on, such as a fence.
func (m *LockMap) WaitFor(t *Task) { t.waits(&m.dep) }

// Held tells whether t holds the map.
func (m *LockMap) Held(t *Task) bool {
	for i := range t.held {
		if t.held[i].class == m.dep.class {
			return true
		}
	}
	return false
}

// Documented says that the maps may be nested in this order, the outermost first, as if a
// run had shown it: what a subsystem primes lockdep with at boot.
func (t *Task) Documented(order ...*LockMap) {
	var classes []*LockClass
	for _, m := range order {
		classes = append(classes, m.dep.class)
	}
	t.documented(classes...)
}

// LockMap is the map of the class's locks; AcquireMap is that of its acquire contexts.
func (c *WWClass) LockMap() *LockMap    { return &LockMap{lockDep{class: c.lock, name: c.lock.name}} }
func (c *WWClass) AcquireMap() *LockMap { return &LockMap{c.acquire} }
