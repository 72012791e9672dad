package report

import (
	"fmt"

	"dmasim/sim"
)

// mutex is the least that a deadlock needs.
type mutex struct {
	sim.Object
	holder *sim.Task
}

func (m *mutex) Ready(*sim.Task) bool { return m.holder == nil }

func (m *mutex) Owners(*sim.Task) []*sim.Task {
	if m.holder == nil {
		return nil
	}
	return []*sim.Task{m.holder}
}

func (m *mutex) lock(t *sim.Task) {
	t.Step(sim.Op{Verb: "lock", Obj: &m.Object, Guard: m})
	m.holder = t
}

func (m *mutex) unlock(t *sim.Task) {
	t.Step(sim.Op{Verb: "unlock", Obj: &m.Object})
	m.holder = nil
}

// event is something that tasks wait for and that nobody holds.
type event struct {
	sim.Object
	set bool
}

func (f *event) Ready(*sim.Task) bool { return f.set }

// staleDMA is the example of the documentation: the mapping is made under the
// reservation lock, and published after it has been dropped.
func staleDMA(t *sim.Task) {
	var resv mutex
	var ptr sim.Object
	t.Own(&resv.Object, "ww_mutex", "dma_resv")
	t.Own(&ptr, "pointer", "token->map")
	mapped, published, moved := false, false, false
	t.Go("io_uring", func(t *sim.Task) {
		t.At("CREATE-4", "dma_resv_lock()")
		resv.lock(t)
		mapped = true
		t.Say("CREATE-6", "dma_map(): pages 0x2a0..")
		t.At("CREATE-7", "dma_resv_unlock()")
		resv.unlock(t)
		t.At("CREATE-10", "token->map = map#1")
		t.Step(sim.Op{Verb: "store", Obj: &ptr})
		published = true
		t.At("PRE-4", "doorbell: READ -> 0x2a0")
		t.Step(sim.Op{Verb: "store", Obj: &ptr})
		if moved {
			t.Fail("stale-dma", `nvme0 wrote 4096 bytes to page 0x2a3 of "evicted" after its fence window`)
		}
	})
	t.Go("exporter", func(t *sim.Task) {
		t.At("", "dma_resv_lock()")
		resv.lock(t)
		if mapped && !published {
			t.Say("REM-3", "token->map == NULL, return")
			t.Say("", "move: 0x2a0.. -> 0x410..")
			moved = true
		}
		t.At("", "dma_resv_unlock()")
		resv.unlock(t)
	})
	t.Explore()
}

func deadlock(t *sim.Task) {
	a, b := &mutex{}, &mutex{}
	t.Own(&a.Object, "mutex", "token.mapping_lock")
	t.Own(&b.Object, "ww_mutex", "dma_resv")
	t.Go("io_uring", func(t *sim.Task) {
		t.At("ASG-1", "mutex_lock(mapping_lock)")
		a.lock(t)
		t.At("CREATE-4", "dma_resv_lock()")
		b.lock(t)
		b.unlock(t)
		a.unlock(t)
	})
	t.Go("exporter", func(t *sim.Task) {
		t.At("", "dma_resv_lock()")
		b.lock(t)
		t.At("REM-1", "mutex_lock(mapping_lock)")
		a.lock(t)
		a.unlock(t)
		b.unlock(t)
	})
	t.Explore()
}

func stall(t *sim.Task) {
	done := &event{}
	t.Own(&done.Object, "completion", "nvme_cqe")
	t.Go("io_uring", func(t *sim.Task) {
		t.After(30e9, sim.Recovery, "nvme_timeout", func(*sim.Task) {})
		t.At("PRE-4", "doorbell")
		t.Step(sim.Op{Verb: "store", Obj: &done.Object})
		t.At("FIN-1", "wait_for_completion()")
		t.Step(sim.Op{Verb: "wait", Obj: &done.Object, Guard: done})
	})
	t.Go("exporter", func(t *sim.Task) { t.Step(sim.Op{Verb: "load", Obj: &done.Object, Class: sim.Read}) })
	t.Explore()
}

func livelock(t *sim.Task) {
	var o sim.Object
	t.Own(&o, "atomic", "refs")
	for _, name := range []string{"io_uring", "exporter"} {
		t.Go(name, func(t *sim.Task) {
			for i := 0; ; i++ {
				t.At("GET-2", fmt.Sprintf("try %d: -EAGAIN", i))
				t.Step(sim.Op{Verb: "load", Obj: &o, Class: sim.Read})
			}
		})
	}
	t.Explore()
}

func buggy(t *sim.Task) {
	var o sim.Object
	t.Own(&o, "pointer", "token->map")
	var published *int
	t.Go("io_uring", func(t *sim.Task) {
		t.At("USE-1", "map->refs++")
		t.Step(sim.Op{Verb: "load", Obj: &o})
		*published++
	})
	t.Go("exporter", func(t *sim.Task) {
		t.Step(sim.Op{Verb: "store", Obj: &o})
		n := 0
		published = &n
	})
	t.Explore()
}

func warn(t *sim.Task) {
	var o sim.Object
	t.Own(&o, "refcount", "map#1.refs")
	t.Go("io_uring", func(t *sim.Task) {
		t.At("PUT-1", "refcount_dec()")
		t.Step(sim.Op{Verb: "dec", Obj: &o})
		t.Warn("refcount_t: underflow")
		t.At("PUT-2", "complete()")
		t.Step(sim.Op{Verb: "store", Obj: &o})
	})
	t.Go("exporter", func(t *sim.Task) {
		t.At("REM-9", "map = NULL")
		t.Step(sim.Op{Verb: "store", Obj: &o})
	})
	t.Explore()
}

// runs makes every second run of flaky another one.
var runs int

func flaky(t *sim.Task) {
	var o sim.Object
	t.Own(&o, "atomic", "refs")
	runs++
	odd := runs%2 == 1
	for range 2 {
		t.Go("io_uring", func(t *sim.Task) {
			t.Step(sim.Op{Verb: "load", Obj: &o})
			if odd {
				t.Fail("use-after-free", "only sometimes")
			}
		})
	}
	t.Explore()
}

func pointless(t *sim.Task) {
	t.Go("io_uring", func(t *sim.Task) {
		t.At("", "nobody else is here")
		t.Step(sim.Op{Verb: "load"})
	})
	t.Explore()
}

func misuse(t *sim.Task) {
	var o sim.Object
	t.Go("io_uring", func(t *sim.Task) {
		t.At("GET-1", "refs++")
		t.Step(sim.Op{Verb: "inc", Obj: &o})
	})
	t.Go("exporter", func(t *sim.Task) { t.Step(sim.Op{Verb: "nop"}) })
	t.Explore()
}

func leak(t *sim.Task) {
	var o sim.Object
	t.Own(&o, "refcount", "map#1.refs")
	t.Machine().Audit(func() *sim.Failure {
		return &sim.Failure{Kind: "leak", Message: "map#1 has one reference at the end of the run"}
	})
	for _, name := range []string{"io_uring", "exporter"} {
		t.Go(name, func(t *sim.Task) {
			t.At("GET-1", "refs++")
			t.Step(sim.Op{Verb: "inc", Obj: &o})
		})
	}
	t.Explore()
}

func setup(t *sim.Task) {
	t.Say("TOK-1", "dma_buf_attach()")
	t.Say("TOK-2", "-EPROBE_DEFER")
	t.Fail("wrong-errno", "register returned -517")
}

// lanesOf has children: an interrupt that the schedule sets against its parent, and
// a work item that it leaves alone.
func lanesOf(t *sim.Task) {
	var o sim.Object
	t.Own(&o, "atomic", "refs")
	step := func(t *sim.Task, label, text string) {
		t.At(label, text)
		t.Step(sim.Op{Verb: "store", Obj: &o})
	}
	completed, armed := false, false
	t.Go("io_uring", func(t *sim.Task) {
		for i := range 9 {
			step(t, "CREATE-1", fmt.Sprintf("loop over segment %d", i))
		}
		step(t, "PRE-4", "doorbell: READ -> 0x2a0")
		t.Go("irq", func(t *sim.Task) {
			step(t, "CMP-1", "nvme_irq(): cqe")
			completed = true
		})
		armed = true
		step(t, "PRE-5", "blk_mq_start_request(), late")
		if completed {
			t.Fail("double-completion", "request 7 completed before it was started")
		}
	})
	t.Go("exporter", func(t *sim.Task) {
		step(t, "MOVE-1", "move_notify()")
		t.Go("kworker", func(t *sim.Task) {
			step(t, "REL-1", "unmap in worker")
			step(t, "REL-2", "put the buffer")
		})
		t.Go("rcu", func(t *sim.Task) { step(t, "REL-3", "free") })
		if !armed {
			step(t, "MOVE-2", "nothing in flight")
		}
	})
	t.Explore()
}
