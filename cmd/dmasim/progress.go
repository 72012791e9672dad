package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dmasim/scenarios"
	"dmasim/sim/explore"
)

// progress is the line that tells on a terminal how far a check has come.
type progress struct {
	w     io.Writer
	begin time.Time
	// executions of each case so far.
	executions []atomic.Int64
	// depth is the longest run, and traces what one worker saw, of each case.
	depth, traces []atomic.Int64
	done          atomic.Int64
	failed        atomic.Int64

	stop chan struct{}
	wg   sync.WaitGroup
	last int // characters on the line
}

// progressEvery is how often the line changes.
const progressEvery = 200 * time.Millisecond

// newProgress starts the line, or counts in silence if on is not set.
func newProgress(w io.Writer, on bool, cases int) *progress {
	p := &progress{w: w, begin: time.Now(), executions: make([]atomic.Int64, cases),
		depth: make([]atomic.Int64, cases), traces: make([]atomic.Int64, cases), stop: make(chan struct{})}
	if !on {
		return p
	}
	p.wg.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.draw()
			case <-p.stop:
				p.erase()
				return
			}
		}
	})
	return p
}

func (p *progress) forCase(i int) func(explore.Progress) {
	return func(now explore.Progress) {
		p.executions[i].Store(int64(now.Executions))
		p.depth[i].Store(int64(now.Longest))
		p.traces[i].Store(int64(now.Traces))
	}
}

func (p *progress) finished(i int, v *scenarios.Verdict) {
	p.executions[i].Store(int64(v.Report.Executions))
	p.done.Add(1)
	if v.Outcome == "fail" {
		p.failed.Add(1)
	}
}

// end takes the line away. Nothing is drawn after it.
func (p *progress) end() {
	close(p.stop)
	p.wg.Wait()
}

func (p *progress) draw() {
	line := p.line(time.Since(p.begin))
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.last-len(line))))
	p.last = len(line)
}

func (p *progress) erase() {
	if p.last > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.last))
	}
}

func (p *progress) line(elapsed time.Duration) string {
	var n, depth, traces int64
	for i := range p.executions {
		n += p.executions[i].Load()
		depth = max(depth, p.depth[i].Load())
		traces += p.traces[i].Load()
	}
	rate := float64(n) / max(elapsed.Seconds(), 1e-3)
	seen := ""
	if traces > 0 {
		seen = fmt.Sprintf(", %d traces", traces)
	}
	return fmt.Sprintf("%.0fs: %d of %d cases, %d runs (%.0f/s)%s, depth %d, %d failures",
		elapsed.Seconds(), p.done.Load(), len(p.executions), n, rate, seen, depth, p.failed.Load())
}
