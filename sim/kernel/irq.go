package kernel

// IrqFlags is what local_irq_save stores: whether interrupts were off before.
type IrqFlags bool

// LocalIrqDisable is local_irq_disable. To RCU the section is a read section.
func (t *Task) LocalIrqDisable() { t.LocalIrqSave() }

// LocalIrqEnable is local_irq_enable: whatever was before, interrupts are on afterwards.
func (t *Task) LocalIrqEnable() {
	if !t.irqsOff {
		return
	}
	t.irqsOff = false
	if t.ctx == InHardirq { // a reader to its end, interrupts or not
		t.Warn("interrupts enabled in an interrupt handler (%s)", t.Task)
		return
	}
	t.RCUReadUnlock()
	t.heldThen()
}

// LocalIrqSave is local_irq_save.
func (t *Task) LocalIrqSave() IrqFlags {
	flags := IrqFlags(t.irqsOff)
	if !t.irqsOff {
		t.irqsOff = true
		if t.ctx != InHardirq {
			t.RCUReadLock()
		}
	}
	return flags
}

// LocalIrqRestore is local_irq_restore: as it was when the flags were saved, so that
// sections nest.
func (t *Task) LocalIrqRestore(flags IrqFlags) {
	if !t.irqsOff {
		t.Warn("local_irq_restore with interrupts enabled (%s)", t.Task)
	}
	if !flags {
		t.LocalIrqEnable()
	}
}

// LocalBhDisable is local_bh_disable; sections nest, and are read sections to RCU.
func (t *Task) LocalBhDisable() {
	if t.ctx == InHardirq {
		t.Warn("local_bh_disable in hardirq context (%s)", t.Task)
	}
	t.bh++
	t.RCUReadLock()
}

// LocalBhEnable is local_bh_enable. It may run softirqs, so it is not for where
// interrupts are off.
func (t *Task) LocalBhEnable() {
	if t.bh == 0 {
		t.violation("local_bh_enable without local_bh_disable")
	}
	if t.irqsOff {
		t.Warn("local_bh_enable with interrupts disabled (%s)", t.Task)
	}
	t.bh--
	t.RCUReadUnlock()
	t.heldThen()
}

// heldThen notes that interrupts or softirqs were enabled while t holds its spinlocks.
func (t *Task) heldThen() {
	for _, l := range t.spins {
		t.usedAs(&l.dep, trying)
	}
}
