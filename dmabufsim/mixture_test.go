package dmabufsim

import (
	"fmt"
	"math/rand"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// Drawn programs of all primitives at once, each used as it should be: whatever they can come to
// in any interleaving, they come to in one that the reduction by commuting operations tries.
// What one primitive reads of another and does not declare is lost there.
func TestRandomMixtures(t *testing.T) {
	programs, first, limit := 100, 0, 300
	if s := os.Getenv("MIXTURES"); s != "" { // "first,programs,limit"
		_, _ = fmt.Sscanf(s, "%d,%d,%d", &first, &programs, &limit)
	}
	compared, many := 0, 0
	for seed := first; seed < first+programs; seed++ {
		p := drawMixture(rand.New(rand.NewSource(int64(seed))))
		all, ok := ends(simtest.Within(explore.All, 0), p, limit)
		if !ok {
			continue // too large
		}
		reduced, ok := ends(explore.NewDPOR(), p, 5*limit)
		if !ok {
			t.Logf("seed %d: the reduction takes longer than all: %v", seed, p.tasks)
			continue
		}
		compared++
		if len(all) > 1 {
			many++
		}
		for e := range all {
			for _, k := range []sim.Kind{sim.Misuse, sim.Bug, sim.Nondeterminism, "undeclared"} {
				assert.False(t, strings.HasPrefix(e, string(k)), "seed %d: %s of %v", seed, e, p)
			}
		}
		if !assert.Equal(t, all, reduced, "seed %d: %v", seed, p) && os.Getenv("MIXTURES") == "" {
			return
		}
	}
	t.Logf("%d of %d compared, %d with several ends", compared, programs, many)
	require.Greater(t, compared, programs/8)
	require.Greater(t, many, programs/50, "there was nothing to lose")
}

// ends are what the runs of a strategy come to.
func ends(s sim.Strategy, p mixture, limit int) (map[string]bool, bool) {
	m := sim.NewMachine()
	m.StepLimit = 150
	defer m.Close()
	out := map[string]bool{}
	d := simtest.NewDeclared(m, s)
	for range limit {
		said := ""
		r := m.Run(d, on.Body(func(k *kernel.Task) { said = p.run(k) }))
		switch {
		case r.Abandoned:
		case r.Failure != nil:
			out[string(r.Failure.Kind)+": "+told(r.Failure)] = true
		default:
			out[said] = true
		}
		if d.Undeclared != "" {
			return map[string]bool{"undeclared: " + d.Undeclared: true}, true
		}
		if !s.Done(r) {
			return out, true
		}
	}
	return nil, false
}

// told is what a failure says that does not depend on what came before it.
func told(f *sim.Failure) string {
	switch {
	case f.Kind.Hangs():
		return ""
	case f.Kind == sim.Bug || f.Kind == sim.Misuse:
		return f.Message
	}
	s, _, _ := strings.Cut(f.Message, " ")
	return s
}

func words(anywhere, sleeping string) [2][]string {
	return [2][]string{strings.Fields(anywhere), strings.Fields(sleeping)}
}

// mixture is what each task does. A call is a name, or a section: a name and what is done in it.
type mixture struct {
	race, interrupt, exhausted bool
	limit                      int
	tasks                      [][]call
	work                       [2]call
	callback                   call
}

type call struct {
	name   string
	inside []call
}

func (c call) String() string {
	if len(c.inside) == 0 {
		return c.name
	}
	return fmt.Sprintf("%s%v", c.name, c.inside)
}

// Calls that meet each other: what may be anywhere, and what may sleep.
var (
	themes = [][2][]string{
		words("complete try_wait send_sig kill task_work wake arm disarm", "wait_timeout wait_killable_timeout wait_interruptible event_timeout event_interruptible_timeout timer_sync return_to_user"),
		words("queue0 queue1 cancel0 store load spin", "flush0 flush1 cancel_sync0 cancel_sync1 flush_wq drain set_max_active occupy exhaust disable_work1 mutex_a"),
		words("delayed mod_delayed cancel_delayed queue0", "flush_delayed cancel_delayed_sync flush_wq drain rcu_work rcu_barrier"),
		words("signal0 signal1 add_callback remove_callback is_signaled get_status test_resv trylock_resv send_sig", "fence0 fence0_timeout fence1_intr any_fence resv_wait resv_wait_timeout resv_add resv"),
		words("deref replace call_rcu rcu start_poll tryget_live percpu_kill", "synchronize_rcu rcu_barrier kvfree_rcu_barrier switch_atomic rcu_work"),
		words("trylock_a spin irq_spin get_put store load send_sig fput", "mutex_a mutex_a_interruptible mutex_b ww_ab ww_ba ww_a mempool return_to_user resv"),
	}
	sections = map[string]bool{"spin": true, "irq_spin": true, "rcu": true, "ww_ab": true, "ww_ba": true, "ww_a": true, "mutex_a": true,
		"mutex_a_interruptible": true, "mutex_b": true, "resv": true, "trylock_a": true, "trylock_resv": true, "get_put": true, "mempool": true}
)

func drawMixture(r *rand.Rand) mixture {
	p := mixture{race: r.Intn(2) > 0, interrupt: r.Intn(3) == 0, limit: r.Intn(3), exhausted: r.Intn(10) == 0}
	// A program has a few kinds of calls, so that its tasks meet.
	var some, slow []string
	for range 2 {
		theme := themes[r.Intn(len(themes))]
		for range 2 {
			some = append(some, theme[0][r.Intn(len(theme[0]))])
			slow = append(slow, theme[1][r.Intn(len(theme[1]))])
		}
	}
	var draw func(depth int, maySleep bool) call
	draw = func(depth int, maySleep bool) call {
		from := some
		if maySleep && r.Intn(2) > 0 {
			from = slow
		}
		c := call{name: from[r.Intn(len(from))]}
		if sections[c.name] {
			if depth > 1 {
				return call{name: "load"}
			}
			atomic := c.name == "spin" || c.name == "irq_spin" || c.name == "rcu"
			c.inside = []call{draw(depth+1, maySleep && !atomic)}
		}
		return c
	}
	n := 2 + r.Intn(2)
	for i := range n {
		var task []call
		for range 1 + r.Intn(4-n) {
			task = append(task, draw(0, !(p.interrupt && i == n-1)))
		}
		p.tasks = append(p.tasks, task)
	}
	// What runs in a callback may queue a work; a work leaves nothing behind that would run it.
	without := func(all []string, spawning string) (out []string) {
		for _, c := range all {
			if !strings.Contains(spawning, c) {
				out = append(out, c)
			}
		}
		return append(out, "load")
	}
	const makesCallbacks = "call_rcu arm add_callback remove_callback task_work percpu_kill fput switch_atomic"
	some = without(some, makesCallbacks)
	p.callback = draw(2, false)
	const queues = "queue0 queue1 delayed mod_delayed flush_delayed rcu_work"
	some, slow = without(some, queues), without(slow, queues+" "+makesCallbacks)
	p.work = [2]call{draw(1, true), draw(1, r.Intn(2) > 0)}
	return p
}

// mixed is what the tasks of a mixture share.
type mixed struct {
	p       mixture
	x       kernel.Shared[int]
	cond    kernel.Shared[bool]
	done    kernel.Completion
	q       kernel.WaitQueue
	a, b    kernel.Mutex
	spin    kernel.Spinlock
	ww      [2]kernel.WWMutex
	class   *kernel.WWClass
	wq      *kernel.Workqueue
	works   [2]kernel.Work
	dw      kernel.DelayedWork
	rw      kernel.RCUWork
	timer   kernel.TimerList
	ref     kernel.Refcount
	pref    kernel.PercpuRef
	f       [2]Fence
	cb      FenceCB
	resv    Resv
	pool    kernel.Mempool
	file    kernel.File
	tasks   []*kernel.Task
	current kernel.Shared[*kernel.Mem]
	once    [2]kernel.Shared[int] // what is done by one task only
	got     map[string]string     // by task
}

func (p mixture) run(k *kernel.Task) string {
	w := &mixed{p: p}
	if p.race {
		k.K.Race("wait_for_completion_timeout", "wait_for_completion_killable_timeout", "wait_event_timeout", "wait_event_interruptible_timeout",
			"dma_fence_wait_timeout", "dma_fence_wait_any_timeout", "timer", "delayed")
	}
	w.x.Init(k, nil, "x", 0)
	w.cond.Init(k, nil, "cond", false)
	w.done.Init(k, nil, "done")
	w.q.Init(k, nil, "q")
	w.a.Init(k, nil, "a")
	w.b.Init(k, nil, "b")
	w.spin.Init(k, nil, "spin")
	w.class = k.WWClass("class", kernel.WWAlgorithm(p.limit&1))
	for i := range w.ww {
		w.ww[i].Init(k, nil, w.class, fmt.Sprint("ww", i))
	}
	w.wq = kernel.NewWorkqueue(k, "wq", p.limit)
	w.got = map[string]string{}
	n := len(p.tasks)
	for i := range w.works {
		w.works[i].Init(k, nil, fmt.Sprint("work", i), func(k *kernel.Task) { w.do(k, n+i, p.work[i]) })
	}
	w.dw.Init(k, nil, "delayed", func(k *kernel.Task) { w.do(k, n+2, p.work[0]) })
	w.rw.Init(k, nil, "rcu_work", func(k *kernel.Task) { w.do(k, n+3, p.work[1]) })
	w.timer.Setup(k, nil, "timer", func(k *kernel.Task) { w.do(k, n+4, p.callback) })
	w.ref.Init(k, nil, "ref", 1)
	w.pref.InitFlags(k, nil, "pref", kernel.RefAllowReinit, kernel.GFP_KERNEL, func(k *kernel.Task) { w.do(k, n+5, p.callback) })
	for i := range w.once {
		w.once[i].Init(k, nil, "once", 0)
	}
	for i := range w.f {
		w.f[i].Init(k, nil, fmt.Sprint("driver", i), uint64(i+1), 1)
	}
	w.resv.Init(k, "resv")
	w.resv.Lock(k, nil)
	w.resv.ReserveFences(k, 1)
	w.resv.AddFence(k, &w.f[1], UsageRead)
	w.resv.Unlock(k)
	w.pool.Init(k, "element", 1)
	w.file.Init(k, "file", func(k *kernel.Task) { w.do(k, n+6, p.callback) })
	m := &kernel.Mem{}
	k.Alloc(kernel.GFP_KERNEL, m, "object")
	w.current.Init(k, nil, "current", m)
	if p.exhausted {
		k.K.Exhaust()
	}
	for i, calls := range p.tasks {
		body := func(k *kernel.Task) {
			for _, c := range calls {
				w.do(k, i, c)
			}
		}
		if p.interrupt && i == n-1 {
			k.Interrupt("irq", body)
			continue
		}
		w.tasks = append(w.tasks, k.Go(fmt.Sprint("task", i), body))
	}
	k.Explore()
	said := fmt.Sprintf("%v %d %v %d %d %v %v %d", w.got, w.x.Peek(), w.done.Done(k), w.ref.Peek(), w.pref.Count(), w.f[0].Signaled(), w.f[1].Signaled(), w.resv.fences.count())
	if w.once[1].Peek() == 0 {
		w.file.PutSync(k)
	}
	if w.once[0].Peek() == 0 {
		w.pref.Kill(k)
	}
	k.RCUBarrier()
	w.pref.Exit(k)
	k.Free(w.current.Peek())
	w.resv.fini(k)
	return said
}

func (w *mixed) do(k *kernel.Task, i int, c call) {
	note := func(v ...any) { w.got[k.ID()] += fmt.Sprint(append([]any{c.name, " "}, v...)...) + " " }
	inside := func() {
		for _, c := range c.inside {
			w.do(k, i, c)
		}
	}
	fn := func(k *kernel.Task) { w.do(k, len(w.p.tasks)+7, w.p.callback) }
	target := w.tasks[(i+1)%len(w.tasks)]
	switch c.name {
	case "store":
		w.x.Store(k, i+1)
	case "load":
		note(w.x.Load(k))
	case "complete":
		w.done.Complete(k)
	case "try_wait":
		note(w.done.TryWait(k))
	case "wake":
		w.cond.Store(k, true)
		w.q.WakeUp(k)
	case "queue0", "queue1":
		note(w.wq.Queue(k, &w.works[c.name[5]-'0']))
	case "cancel0":
		note(w.works[0].Cancel(k))
	case "delayed":
		note(w.wq.QueueDelayed(k, &w.dw, 2))
	case "mod_delayed":
		note(w.wq.ModDelayed(k, &w.dw, 1))
	case "cancel_delayed":
		note(w.dw.Cancel(k))
	case "arm":
		note(w.timer.Mod(k, 3))
	case "disarm":
		note(w.timer.Del(k))
	case "get_put":
		if w.ref.IncNotZero(k) {
			inside()
			note(w.ref.DecAndTest(k))
		}
	case "tryget_live":
		if w.pref.TrygetLive(k) {
			note(true)
			w.pref.Put(k)
		}
	case "percpu_kill":
		if w.once[0].Update(k, func(n int) int { return n + 1 }) == 1 {
			w.pref.Kill(k)
		}
	case "switch_atomic":
		w.pref.SwitchToAtomic(k, nil)
	case "call_rcu":
		k.Step(sim.Op{Verb: "call_rcu"})
		k.CallRCU("callback", fn)
	case "deref":
		k.RCUReadLock()
		k.Use(w.current.Load(k))
		k.RCUReadUnlock()
	case "replace":
		m, old := &kernel.Mem{}, (*kernel.Mem)(nil)
		k.Alloc(kernel.GFP_ATOMIC, m, "object")
		w.current.Update(k, func(was *kernel.Mem) *kernel.Mem { old = was; return m })
		if i%2 == 0 {
			k.KfreeRCU(old)
		} else {
			k.FreeRCU(old)
		}
	case "start_poll":
		s := k.StartPollSynchronizeRCU()
		note(k.PollStateSynchronizeRCU(s))
	case "signal0", "signal1":
		note(w.f[c.name[6]-'0'].Signal(k))
	case "add_callback":
		cb := &FenceCB{}
		note(w.f[0].AddCallback(k, cb, func(k *kernel.Task, _ *Fence, _ *FenceCB) { fn(k) }))
	case "remove_callback":
		cb := &FenceCB{}
		note(w.f[0].AddCallback(k, cb, func(k *kernel.Task, _ *Fence, _ *FenceCB) { fn(k) }))
		note(w.f[0].RemoveCallback(k, cb))
	case "is_signaled":
		note(w.f[0].IsSignaled(k))
	case "get_status":
		note(w.f[0].GetStatus(k))
	case "test_resv":
		note(w.resv.TestSignaled(k, UsageRead))
	case "send_sig", "kill":
		k.SendSignal(target, c.name == "kill")
	case "task_work":
		note(k.TaskWorkAdd(target, &kernel.TaskWork{Func: fn}, kernel.TWA_SIGNAL))
	case "fput":
		if w.once[1].Update(k, func(n int) int { return n + 1 }) == 1 {
			w.file.Put(k)
		}
	case "trylock_a":
		if k.Context() < kernel.InSoftirq && !w.a.Held(k) {
			if w.a.Trylock(k) {
				note(true)
				inside()
				w.a.Unlock(k)
			}
		}
	case "trylock_resv":
		if k.Context() < kernel.InSoftirq && w.resv.Trylock(k) {
			note(true)
			inside()
			w.resv.Unlock(k)
		}
	case "spin":
		if !w.spin.Held(k) {
			flags := w.spin.LockIrqsave(k)
			inside()
			w.spin.UnlockIrqrestore(k, flags)
		}
	case "irq_spin":
		if w.spin.Trylock(k) {
			note(true)
			inside()
			w.spin.Unlock(k)
		}
	case "rcu":
		k.RCUReadLock()
		inside()
		k.RCUReadUnlock()
	case "wait_timeout":
		note(w.done.WaitTimeout(k, 3))
	case "wait_interruptible":
		note(w.done.WaitInterruptible(k))
	case "wait_killable_timeout":
		note(w.done.WaitKillableTimeout(k, 2))
	case "event_timeout":
		note(w.q.WaitEventTimeout(k, w.cond.Load, 2))
	case "event_interruptible_timeout":
		note(w.q.WaitEventInterruptibleTimeout(k, w.cond.Load, 4))
	case "flush0", "flush1":
		note(w.works[c.name[5]-'0'].Flush(k))
	case "cancel_sync0", "cancel_sync1":
		note(w.works[c.name[11]-'0'].CancelSync(k))
	case "disable_work1":
		note(w.works[1].Disable(k))
		inside()
		note(w.works[1].Enable(k))
	case "flush_wq":
		w.wq.Flush(k)
	case "drain":
		w.wq.Drain(k)
	case "flush_delayed":
		note(w.dw.Flush(k))
	case "cancel_delayed_sync":
		note(w.dw.CancelSync(k))
	case "rcu_work":
		note(w.wq.QueueRCU(k, &w.rw))
	case "synchronize_rcu":
		k.SynchronizeRCU()
	case "rcu_barrier":
		k.RCUBarrier()
	case "kvfree_rcu_barrier":
		k.KvfreeRCUBarrier()
	case "timer_sync":
		note(w.timer.DelSync(k))
	case "fence0":
		w.f[0].Wait(k)
	case "fence0_timeout":
		note(w.f[0].WaitTimeout(k, true, 3))
	case "fence1_intr":
		note(w.f[1].WaitInterruptible(k))
	case "any_fence":
		note(WaitAnyTimeout(k, []*Fence{&w.f[0], &w.f[1]}, true, 4))
	case "resv_wait":
		w.resv.Wait(k, UsageBookkeep)
	case "resv_wait_timeout":
		note(w.resv.WaitTimeout(k, UsageBookkeep, true, 3))
	case "resv", "resv_add":
		if w.resv.Held(k) {
			return
		}
		if w.resv.LockInterruptible(k, nil) == kernel.OK {
			note(true)
			if c.name == "resv_add" && w.resv.ReserveFences(k, 1) == kernel.OK {
				w.resv.AddFence(k, &w.f[0], UsageKernel)
			}
			inside()
			w.resv.Unlock(k)
		}
	case "return_to_user":
		if k.Context() == kernel.InTask {
			note(k.ReturnToUser())
		}
	case "set_max_active":
		w.wq.SetMaxActive(k, 2)
	case "occupy":
		k.Step(sim.Op{Verb: "occupy"})
		w.wq.Occupy(k, 1)
		inside()
		k.Step(sim.Op{Verb: "occupy"})
		w.wq.Occupy(k, -1)
	case "exhaust":
		k.ExhaustWorkers(true)
		k.Step(sim.Op{Verb: "step"})
		k.ExhaustWorkers(false)
	case "mempool":
		m := &kernel.Mem{}
		if w.pool.Alloc(k, kernel.GFP_NOIO, m) == kernel.OK {
			inside()
			w.pool.Free(k, m)
		}
	case "mutex_a", "mutex_a_interruptible", "mutex_b":
		mu := &w.a
		if c.name == "mutex_b" {
			mu = &w.b
		}
		if mu.Held(k) {
			return
		}
		if c.name != "mutex_a_interruptible" {
			mu.Lock(k)
		} else if mu.LockInterruptible(k) != kernel.OK {
			note("interrupted")
			return
		}
		inside()
		mu.Unlock(k)
	case "ww_a", "ww_ab", "ww_ba":
		if !w.ww[0].Held(k) && !w.ww[1].Held(k) {
			w.transaction(k, c.name, note, inside)
		}
	default:
		k.BUG("unknown call %s", c.name)
	}
}

func (w *mixed) transaction(k *kernel.Task, name string, note func(...any), inside func()) {
	order := []int{0}
	switch name {
	case "ww_ab":
		order = []int{0, 1}
	case "ww_ba":
		order = []int{1, 0}
	}
	ctx := w.class.AcquireInit(k)
	slow := -1
	for {
		var held []int
		var err kernel.Errno
		failed := -1
		if slow >= 0 {
			w.ww[slow].LockSlow(k, ctx)
			held = append(held, slow)
		}
		for _, i := range order {
			if i == slow {
				continue
			}
			if err = w.ww[i].LockInterruptible(k, ctx); err != kernel.OK {
				failed = i
				break
			}
			held = append(held, i)
		}
		if err == kernel.OK {
			note("locked")
			inside()
		}
		for _, i := range held {
			w.ww[i].Unlock(k)
		}
		if err != kernel.EDEADLK {
			break
		}
		slow = failed
	}
	ctx.Fini(k)
}

// What ends a wait, or begins one, is declared by the operation that does it, in drawn
// programs of any size.
func TestGuardsAreDeclared(t *testing.T) {
	programs := 400
	if s := os.Getenv("GUARDS"); s != "" {
		_, _ = fmt.Sscan(s, &programs)
	}
	m := sim.NewMachine()
	m.StepLimit = 150
	defer m.Close()
	for seed := range programs {
		p := drawMixture(rand.New(rand.NewSource(int64(seed))))
		d := simtest.NewDeclared(m, explore.NewPOS(uint64(seed)))
		for range 20 {
			d.Done(m.Run(d, on.Body(func(k *kernel.Task) { p.run(k) })))
		}
		require.Empty(t, d.Undeclared, "seed %d: %v", seed, p)
	}
}
