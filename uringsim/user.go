package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// User is struct user_struct, as far as pinned memory is accounted.
type User struct {
	// Limit is RLIMIT_MEMLOCK, in pages; 0: none.
	Limit int64
	// Locked is locked_vm.
	Locked int64
	obj    sim.Object
}

// account is io_account_mem.
func (u *User) account(t *kernel.Task, pages int64) kernel.Errno {
	if u == nil {
		return kernel.OK
	}
	u.touch(t)
	if u.Limit > 0 && (u.Locked < 0 || u.Locked+pages > u.Limit) { // the kernel's is unsigned
		return kernel.ENOMEM
	}
	u.Locked += pages
	return kernel.OK
}

// unaccount is io_unaccount_mem.
func (u *User) unaccount(t *kernel.Task, pages int64) {
	if u == nil {
		return
	}
	u.touch(t)
	u.Locked -= pages
}

func (u *User) touch(t *kernel.Task) {
	if u.obj.Key() == 0 {
		t.OwnStatic(&u.obj, "user_struct", "locked_vm")
	}
	t.Touch(&u.obj, sim.Write)
}
