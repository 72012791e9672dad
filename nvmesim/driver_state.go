package nvmesim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// State is enum nvme_ctrl_state: what the driver thinks of the controller.
type State uint8

const (
	NVME_CTRL_NEW State = iota
	NVME_CTRL_LIVE
	NVME_CTRL_RESETTING
	NVME_CTRL_CONNECTING
	NVME_CTRL_DELETING
	NVME_CTRL_DELETING_NOIO
	NVME_CTRL_DEAD
)

var stateNames = [...]string{"NEW", "LIVE", "RESETTING", "CONNECTING", "DELETING", "DELETING_NOIO", "DEAD"}

func (s State) String() string { return stateNames[s] }

// from are the states that each state can follow.
var from = [...][]State{
	NVME_CTRL_LIVE:          {NVME_CTRL_CONNECTING},
	NVME_CTRL_RESETTING:     {NVME_CTRL_NEW, NVME_CTRL_LIVE},
	NVME_CTRL_CONNECTING:    {NVME_CTRL_NEW, NVME_CTRL_RESETTING},
	NVME_CTRL_DELETING:      {NVME_CTRL_LIVE, NVME_CTRL_RESETTING, NVME_CTRL_CONNECTING},
	NVME_CTRL_DELETING_NOIO: {NVME_CTRL_DELETING, NVME_CTRL_DEAD},
	NVME_CTRL_DEAD:          {NVME_CTRL_DELETING},
}

// changeState is nvme_change_ctrl_state: false if the state cannot follow the present one.
func (d *Driver) changeState(t *kernel.Task, to State) bool {
	t.Step(sim.Op{Verb: "nvme_change_ctrl_state", Obj: &d.obj})
	for _, s := range from[to] {
		if s == d.state {
			t.Sayf("", "%v becomes %v", s, to)
			d.state = to
			if to == NVME_CTRL_LIVE {
				d.queue.KickRequeueList(t)
			}
			return true
		}
	}
	t.Did(sim.Read)
	return false
}

// State is nvme_ctrl_state.
func (d *Driver) State(t *kernel.Task) State {
	t.Touch(&d.obj, sim.Read)
	return d.state
}

// GivenUp tells auditors whether the drive goes, or has gone, for good.
func (d *Driver) GivenUp() bool { return d.state.terminal() }

// terminal is nvme_state_terminal.
func (s State) terminal() bool { return s >= NVME_CTRL_DELETING }
