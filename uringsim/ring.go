package uringsim

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Flags of io_uring_setup.
const (
	// IORING_SETUP_IOPOLL: completions are found by polling.
	IORING_SETUP_IOPOLL = 1 << 0
	// IORING_SETUP_SQPOLL: a kernel thread submits.
	IORING_SETUP_SQPOLL     = 1 << 1
	IORING_SETUP_CQSIZE     = 1 << 3
	IORING_SETUP_CLAMP      = 1 << 4
	IORING_SETUP_R_DISABLED = 1 << 6
	// IORING_SETUP_SUBMIT_ALL goes on behind an entry that is refused.
	IORING_SETUP_SUBMIT_ALL = 1 << 7
	// IORING_SETUP_COOP_TASKRUN: task work waits until the task enters the kernel.
	IORING_SETUP_COOP_TASKRUN  = 1 << 8
	IORING_SETUP_TASKRUN_FLAG  = 1 << 9
	IORING_SETUP_SINGLE_ISSUER = 1 << 12
	// IORING_SETUP_DEFER_TASKRUN: completions are handled only when the submitting task
	// asks for events.
	IORING_SETUP_DEFER_TASKRUN = 1 << 13

	setupFlags = IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED |
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
)

// What a ring has at most (IORING_MAX_ENTRIES, IORING_MAX_CQ_ENTRIES).
const (
	maxEntries   = 32768
	maxCQEntries = 2 * maxEntries
)

// Params is struct io_uring_params, and what the ring finds in its environment.
type Params struct {
	Flags            uint32
	Entries          int
	CQEntries        int // with IORING_SETUP_CQSIZE
	IdleImmediately  bool
	Mm               *iter.Mm // of the process
	User             *User    // whose memory is accounted; nil: may pin any amount
	BoundedWorkers   int      // 0: what the kernel takes
	RestrictRegister bool     // no register call is allowed
}

// Ring is one io_uring instance: struct io_ring_ctx.
type Ring struct {
	Params
	// uringLock protects the tables, node references and completions.
	uringLock kernel.Mutex
	number    int

	buffers, files table
	imuCache       []*imu
	generations    generations // until 6.12

	sq     submissionQueue
	cq     completionQueue
	wq     ioWq
	local  localWork // of DEFER_TASKRUN
	poll   pollList
	sqpoll sqThread

	submitter *kernel.Task // the only one, with SINGLE_ISSUER
	tasks     []*tctx
	linking   link // of the submission that is going on
	compl     []*request
	spare     []*request // the memory of an earlier list

	refs     sim.Object // what ring exit waits for
	exit     sim.Object // whether the ring is dying
	inFlight int        // requests that were submitted and are not freed
	noted    int        // requests without a completion entry
	dying    bool
	exited   bool

	seed seeds
}

// seeds are mistakes that tests have a ring make.
type seeds struct {
	loseCompletion bool // from an interrupt that comes while another one is handled
	postTwice      bool
	putEarly       bool // the node, at the completion and not when the request is freed
	importAgain    bool // after a part was transferred
	forgetIter     bool // the iterator is not restored
	refsUnlocked   bool
}

// ringCount numbers the rings of a kernel.
type ringCount struct{ n int }

// NewRing sets up a ring in default mode, with an empty table of slots buffers.
func NewRing(t *kernel.Task, slots int) *Ring {
	r, err := Setup(t, Params{Entries: 64})
	if err != kernel.OK {
		t.BUG("io_uring_setup: %v", err)
	}
	if slots > 0 {
		r.buffers.nodes = make([]*node, slots)
	}
	return r
}

// Setup is io_uring_setup.
func Setup(t *kernel.Task, p Params) (*Ring, kernel.Errno) {
	if err := p.check(); err != kernel.OK {
		return nil, err
	}
	if p.CQEntries == 0 {
		p.CQEntries = 2 * p.Entries
	}
	r := &Ring{Params: p}
	c := t.Subsystem(ringCount{}, func() any { return &ringCount{} }).(*ringCount)
	c.n++
	r.number = c.n
	r.uringLock.Init(t, nil, "uring_lock")
	t.Own(&r.wq.obj, "io-wq", "io-wq")
	t.Own(&r.cq.obj, "cq", "cq ring")
	t.Own(&r.refs, "percpu_ref", "io_ring_ctx.refs")
	t.Own(&r.exit, "flag", "ring is dying")
	r.cq.size = p.CQEntries
	r.sq.size = p.Entries
	r.wq.limit = p.BoundedWorkers
	if r.wq.limit == 0 {
		r.wq.limit = defaultBoundedWorkers
	}
	if p.Flags&IORING_SETUP_DEFER_TASKRUN != 0 {
		t.Own(&r.local.obj, "llist", "work_llist")
	}
	if p.Flags&IORING_SETUP_IOPOLL != 0 {
		t.Own(&r.poll.obj, "list", "iopoll_list")
	}
	if p.Flags&IORING_SETUP_SINGLE_ISSUER != 0 && p.Flags&IORING_SETUP_R_DISABLED == 0 {
		r.submitter = t
	}
	if t.K.Profile == kernel.V6_12 {
		r.generations.init(t)
	}
	if p.Flags&IORING_SETUP_SQPOLL != 0 {
		r.startSqThread(t)
	}
	return r, kernel.OK
}

// EnableRings is IORING_REGISTER_ENABLE_RINGS: ends IORING_SETUP_R_DISABLED. The calling task is
// the one that submits, with IORING_SETUP_SINGLE_ISSUER.
func (r *Ring) EnableRings(t *kernel.Task) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	switch {
	case r.submitter != nil && r.submitter != t:
		return kernel.EEXIST
	case !r.has(IORING_SETUP_R_DISABLED):
		return kernel.EBADFD
	}
	if r.has(IORING_SETUP_SINGLE_ISSUER) {
		r.submitter = t
	}
	r.Flags &^= IORING_SETUP_R_DISABLED
	return kernel.OK
}

func (p *Params) check() kernel.Errno {
	f := p.Flags
	if f&^setupFlags != 0 {
		return kernel.EINVAL
	}
	if p.Entries > maxEntries && f&IORING_SETUP_CLAMP != 0 {
		p.Entries = maxEntries
	}
	if p.Entries <= 0 || p.Entries > maxEntries {
		return kernel.EINVAL
	}
	p.Entries = roundUp(p.Entries)
	if f&IORING_SETUP_CQSIZE != 0 {
		if p.CQEntries > maxCQEntries && f&IORING_SETUP_CLAMP != 0 {
			p.CQEntries = maxCQEntries
		}
		if p.CQEntries <= 0 || p.CQEntries > maxCQEntries {
			return kernel.EINVAL
		}
		if p.CQEntries = roundUp(p.CQEntries); p.CQEntries < p.Entries {
			return kernel.EINVAL
		}
	} else {
		p.CQEntries = 0
	}
	const inTask = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_DEFER_TASKRUN
	switch {
	case f&IORING_SETUP_SQPOLL != 0 && f&inTask != 0,
		f&IORING_SETUP_TASKRUN_FLAG != 0 && f&(IORING_SETUP_COOP_TASKRUN|IORING_SETUP_DEFER_TASKRUN) == 0,
		f&IORING_SETUP_DEFER_TASKRUN != 0 && f&IORING_SETUP_SINGLE_ISSUER == 0:
		return kernel.EINVAL
	}
	return kernel.OK
}

func roundUp(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

func (r *Ring) has(flag uint32) bool { return r.Flags&flag != 0 }

// lock takes uring_lock; what is completed until unlock is posted there.
func (r *Ring) lock(t *kernel.Task) { r.uringLock.Lock(t) }

func (r *Ring) unlock(t *kernel.Task) {
	r.flush(t)
	r.uringLock.Unlock(t)
}

// InFlight counts the requests that were submitted and have no completion entry, for
// auditors.
func (r *Ring) InFlight() int { return r.noted }

// Free tells whether the ring has exited and is gone, for auditors.
func (r *Ring) Gone() bool { return r.exited }
