package realhw

// Moved counts what was done with real bytes.
type Moved struct {
	// Runs of programs, and the fixed requests and looks in them.
	Runs, Requests, Bounced, Looks uint64
	// Bytes that the kernel moved, both ways.
	Bytes uint64
}

func (m *Moved) add(n Moved) {
	m.Runs += n.Runs
	m.Requests += n.Requests
	m.Bounced += n.Bounced
	m.Looks += n.Looks
	m.Bytes += n.Bytes
}
