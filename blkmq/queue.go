package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Ops is struct blk_mq_ops. What a driver may do without is in interfaces of their own:
// [Committer], [ListQueuer], [Timeouter], [Poller], [Completer] and [token.Driver].
type Ops interface {
	// QueueRq is queue_rq: gives the request to the hardware. It may not sleep.
	// BLK_STS_RESOURCE and BLK_STS_DEV_RESOURCE ask for another try; any other status but
	// BLK_STS_OK ends the request. Request.Last says that no other one follows at once.
	QueueRq(t *kernel.Task, rq *Request) kernel.BlkStatus
}

// Committer is an Ops with commit_rqs: the request that was to be the last one does not come.
type Committer interface {
	CommitRqs(t *kernel.Task, h *Hctx)
}

// ListQueuer is an Ops with queue_rqs: it takes what it can of a plug's requests and returns
// the others. What it makes known to the device is on behalf of each, see [Request.Handed].
type ListQueuer interface {
	QueueRqs(t *kernel.Task, rqs []*Request) []*Request
}

// Poller is an Ops with poll: it completes what the hardware has finished, and says how
// many requests that were.
type Poller interface {
	Poll(t *kernel.Task, h *Hctx) int
}

// Completer is an Ops with complete, which Request.CompleteRemote calls.
type Completer interface {
	Complete(t *kernel.Task, rq *Request)
}

// BioOps is what a device without requests does with a bio: submit_bio of struct
// block_device_operations.
type BioOps interface {
	SubmitBio(t *kernel.Task, q *Queue, b *Bio)
}

// Queue is struct request_queue with its disk.
type Queue struct {
	Name   string
	Limits Limits
	// Size of the device, in bytes.
	Size   int64
	Ops    Ops
	Tags   *Tagset
	Design token.Design
	// Stacked is what makes this a device without requests.
	Stacked BioOps
	// Batch is set for a queue without a scheduler: with more than one hardware queue, completions are collected
	// in batches (CMP-3a). All of them then: that some are handled on another CPU than that which submitted, and
	// end singly, is left out.
	Batch bool
	// WriteCache and FUA are BLK_FEAT_WRITE_CACHE and BLK_FEAT_FUA.
	WriteCache, FUA bool
	// NoNowait is set for a device without BLK_FEAT_NOWAIT.
	NoNowait bool
	// ReadOnly is set for a disk that is not to be written to.
	ReadOnly bool
	// Integrity is set for a device with protection information that the block layer makes and checks
	// (blk_integrity).
	Integrity bool
	// SoftirqDone moves completions to a softirq, as is done with a single hardware queue.
	SoftirqDone bool
	// Timeout is rq_timeout: 0 means the default.
	Timeout kernel.Jiffies

	hctxs   []*Hctx
	bios    kernel.Mempool // bio_split
	kblockd *kernel.Workqueue

	// refs stands for everything that a submission asks of the queue: its references, the
	// usage counter, and whether it is frozen, quiesced or dying. Submissions commute.
	refs     sim.Object
	count    int // references
	usage    int // q_usage_counter
	frozen   int // mq_freeze_depth
	quiesced int // quiesce_depth
	dying    bool

	unended int // bios that have not ended

	requeues requeues
	timer    timeouts
	cache    pageCache
}

// using is the class of what submissions and completions do to Queue.refs: they count, and
// read what only a Write changes.
const using = kernel.RefcountGet

// NewQueue returns a live queue with one hardware queue and depth tags of its own, and with
// the reference of its disk.
func NewQueue(t *kernel.Task, name string, size int64, depth int, l Limits, ops Ops, d token.Design) *Queue {
	return NewTagset(t, name+" tags", depth).NewQueue(t, name, size, l, ops, d)
}

// NewQueue returns a live queue on the tags of the set, with as many hardware queues as that
// has (blk_mq_alloc_disk).
func (s *Tagset) NewQueue(t *kernel.Task, name string, size int64, l Limits, ops Ops, d token.Design) *Queue {
	q := newQueue(t, name, size, l)
	q.Ops, q.Design, q.Tags = ops, d, s
	q.kblockd = kernel.AllocWorkqueue(t, "kblockd", kernel.WQ_MEM_RECLAIM|kernel.WQ_HIGHPRI|kernel.WQ_PERCPU, 0)
	for i, tags := range s.hw {
		q.hctxs = append(q.hctxs, newHctx(t, q, i, tags))
	}
	q.requeues.init(t, q)
	q.timer.init(t, q)
	return q
}

// NewStacked returns a device that hands bios on (blk_alloc_disk).
func NewStacked(t *kernel.Task, name string, size int64, l Limits, ops BioOps) *Queue {
	q := newQueue(t, name, size, l)
	q.Stacked = ops
	return q
}

// bioPoolSize is BIO_POOL_SIZE: the bios that a disk has in reserve for splitting.
const bioPoolSize = 2

func newQueue(t *kernel.Task, name string, size int64, l Limits) *Queue {
	q := &Queue{Name: name, Limits: l, Size: size, count: 1}
	if err := q.Limits.Validate(t); err != kernel.OK {
		t.Fail(sim.Misuse, "limits of %s: %v", name, err)
	}
	t.Own(&q.refs, "request_queue", name)
	if err := q.bios.Init(t, "bio", bioPoolSize); err != kernel.OK {
		t.Fail(sim.Misuse, "bios of %s: %v", name, err)
	}
	t.Machine().Audit(q.audit)
	return q
}

// Get is blk_get_queue: false if the queue is dying.
func (q *Queue) Get(t *kernel.Task) bool {
	t.Touch(&q.refs, using)
	if q.dying {
		return false
	}
	q.count++
	return true
}

// Put is blk_put_queue.
func (q *Queue) Put(t *kernel.Task) {
	t.Step(sim.Op{Verb: "blk_put_queue", Obj: &q.refs})
	t.Release(&q.refs)
	q.put(t)
}

func (q *Queue) put(t *kernel.Task) {
	if q.count <= 0 {
		t.Fail(kernel.RefcountMisuse, "blk_put_queue of %s without a reference (%s)", q.Name, t.Task)
	}
	q.count--
}

// Refs counts the references, for auditors.
func (q *Queue) Refs() int { return q.count }

// Hctxs are the hardware queues.
func (q *Queue) Hctxs() []*Hctx { return q.hctxs }
