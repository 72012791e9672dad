package explore

import "dmasim/sim"

// Observer looks at every run of an exploration, and says in the end what they show together
// and none of them shows alone.
type Observer interface {
	// Observe is called after each run that was not given up, by the worker that did it. The
	// runs of a worker come in the order of their numbers, which count from 1 and do not
	// depend on the number of workers.
	Observe(number int, m *sim.Machine, r *sim.Result)
	// Fork is an observer for another worker.
	Fork() Observer
	// Merge takes over what a fork has seen. What comes of it must not depend on the order.
	Merge(Observer)
	// Conclude is called after the last run if none has failed, nil if there is nothing to
	// say.
	Conclude() *Conclusion
}

// Observed is what a program sets sim.Machine.Value to if its runs are to be looked at together
// whenever it is explored, as package kernel does.
type Observed interface {
	// Observer is a new one for a worker that has none, nil for none.
	Observer() Observer
}

// observerOf is the observer that the program of the last run has of its own.
func observerOf(m *sim.Machine) Observer {
	if o, ok := m.Value.(Observed); ok {
		return o.Observer()
	}
	return nil
}

// Conclusion is what follows from several runs.
type Conclusion struct {
	Kind    sim.Kind
	Message string
	Detail  []string
	// Runs are those that it follows from, at least one.
	Runs []Witness
}

// Witness is one of several runs that show something together.
type Witness struct {
	// What it shows.
	What     string
	Schedule sim.Schedule
	Hash     uint64
}

// conclude shows the first of the runs, with the others beside it.
func (c *Conclusion) found(m *sim.Machine, body func(*sim.Task), execution int) *Found {
	m.Hide(nil)
	f := &Found{Fingerprint: FingerprintOf(m, body), Execution: execution, Machine: m,
		Failure: &sim.Failure{Kind: c.Kind, Message: c.Message, Detail: c.Detail, ByStrategy: true}}
	for i := range c.Runs {
		w := &c.Runs[len(c.Runs)-1-i]
		m.Trace(i == len(c.Runs)-1)
		r := m.Run(NewReplay(w.Schedule), body)
		w.Hash = r.Hash
		f.Schedule, f.Hash, f.Steps = w.Schedule, r.Hash, r.Steps
	}
	f.Others = c.Runs[1:]
	return f
}
