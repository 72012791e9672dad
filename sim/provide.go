package sim

// provision is something that a run stands on and that is not part of it.
type provision struct {
	key, value any
	release    func()
}

// Provide gives the current run something that packages above look up by a key: what the
// run stands on and did not make itself. release is called when the run has ended, however
// it ended, after the audits and when no task is left.
func (m *Machine) Provide(key, value any, release func()) {
	m.provided = append(m.provided, provision{key, value, release})
}

// Provided is what the current run was given under a key, nil if nothing.
func (m *Machine) Provided(key any) any {
	for i := range m.provided {
		if m.provided[i].key == key {
			return m.provided[i].value
		}
	}
	return nil
}

// release takes back what the run was given, last first.
func (m *Machine) release() {
	for n := len(m.provided); n > 0; n = len(m.provided) {
		p := m.provided[n-1]
		m.provided[n-1] = provision{}
		m.provided = m.provided[:n-1]
		m.giveBack(p)
	}
}

func (m *Machine) giveBack(p provision) {
	defer m.noTask("a release function of Provide")
	p.release()
}
