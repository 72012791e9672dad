package explore

import "dmasim/sim"

// cast has the tasks of a run by their numbers.
type cast struct {
	names names
	byID  []*sim.Task
	cause []int32 // the event that created the task, -1 if none did
	seen  int     // tasks of this run that have a number
}

// meet numbers the tasks that were created by the last event.
func (c *cast) meet(m *sim.Machine, last int) {
	tasks := m.Tasks()
	for ; c.seen < len(tasks); c.seen++ {
		t := tasks[c.seen]
		id := c.names.task(c.seen, t.Key())
		for int(id) >= len(c.byID) {
			c.byID = append(c.byID, nil)
			c.cause = append(c.cause, -1)
		}
		c.byID[id], c.cause[id] = t, int32(last)
	}
}

// names gives small numbers to tasks and objects. A task or object has the same
// number in every run in which the same task creates it as the same of its
// children.
type names struct {
	tasks   map[uint64]int32
	objects map[uint64]int32
	// keys and ids remember the tasks of the last run in order of creation:
	// most runs create the same ones in the same order.
	keys []uint64
	ids  []int32
}

// task numbers the task that was created as number index of this run.
func (n *names) task(index int, key uint64) int32 {
	if index < len(n.keys) && n.keys[index] == key {
		return n.ids[index]
	}
	if n.tasks == nil {
		n.tasks = map[uint64]int32{}
	}
	id, ok := n.tasks[key]
	if !ok {
		id = int32(len(n.tasks))
		n.tasks[key] = id
	}
	if index == len(n.keys) {
		n.keys = append(n.keys, 0)
		n.ids = append(n.ids, 0)
	}
	n.keys[index], n.ids[index] = key, id
	return id
}

// known is the number of a task of this run that has one.
func (n *names) known(index int) int32 { return n.ids[index] }

// object numbers an object by its key.
func (n *names) object(key uint64) int32 {
	if n.objects == nil {
		n.objects = map[uint64]int32{}
	}
	id, ok := n.objects[key]
	if !ok {
		id = int32(len(n.objects))
		n.objects[key] = id
	}
	return id
}
