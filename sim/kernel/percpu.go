package kernel

// percpuCounter is a counter with a part for every CPU. A part alone means nothing: what is
// added on one CPU may be taken away on another.
type percpuCounter struct{ parts []int64 }

// add is this_cpu_add.
func (c *percpuCounter) add(t *Task, n int64) {
	for len(c.parts) <= t.cpu {
		c.parts = append(c.parts, 0)
	}
	c.parts[t.cpu] += n
}

func (c *percpuCounter) sum() int64 {
	var sum int64
	for _, n := range c.parts {
		sum += n
	}
	return sum
}

// MoveTo makes t go on on another CPU. Everything starts on CPU 0. Which CPU it is matters
// to nothing but where per-CPU counters are counted.
func (t *Task) MoveTo(cpu int) { t.cpu = cpu }

// CPU is smp_processor_id(): where t runs.
func (t *Task) CPU() int { return t.cpu }
