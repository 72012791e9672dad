package scenarios

import "slices"

// smaller lists workloads with one thing less: those with much less first. Each of them is a valid
// one.
func (wl Workload) smaller() []Workload {
	var out []Workload
	try := func(change func(*Workload)) {
		w := wl.clone()
		change(&w)
		if w.Validate() == nil && w.String() != wl.String() {
			out = append(out, w)
		}
	}
	left := func(tasks []Submitter) {
		try(func(w *Workload) {
			w.Submitters, w.Clones = tasks, max(min(w.Clones, len(tasks)-1), 0)
		})
	}
	if len(wl.Submitters) > 2 {
		for i := range wl.Submitters {
			left(wl.clone().Submitters[i : i+1])
		}
	}
	for i := range wl.Submitters {
		left(slices.Delete(wl.clone().Submitters, i, i+1))
	}
	for i, s := range wl.Submitters {
		for k := range s.Transfers {
			if len(s.Transfers) > 1 {
				try(func(w *Workload) { w.Submitters[i].Transfers = slices.Delete(w.Submitters[i].Transfers, k, k+1) })
			}
		}
	}
	for _, f := range workloadFields {
		try(func(w *Workload) {
			switch at := f.at(w).(type) {
			case *bool:
				*at = false
			case *string:
				*at = ""
			case *[]int:
				*at = nil
			case *int:
				*at = 0
			}
		})
		if at, ok := f.at(&wl).(*int); ok && *at > 1 {
			try(func(w *Workload) { *f.at(w).(*int) = 1 })
			try(func(w *Workload) { *f.at(w).(*int)-- })
		}
	}
	for i, s := range wl.Submitters {
		try(func(w *Workload) { w.Submitters[i].AtOnce = false })
		for k, x := range s.Transfers {
			if x.Act != "" {
				continue
			}
			to := func(y Transfer) { try(func(w *Workload) { w.Submitters[i].Transfers[k] = y }) }
			if x.Len > page || x.Start > 0 || x.Lba > 0 { // otherwise it would not be less
				to(Transfer{Len: page, Write: x.Write})
			}
			to(Transfer{Len: x.Len, Write: x.Write, Start: x.Start})
			to(Transfer{Len: x.Len, Write: x.Write, Lba: x.Lba})
			to(Transfer{Len: 1, Write: x.Write, Start: x.Start, Lba: x.Lba})
		}
	}
	return out
}

func (wl Workload) clone() Workload {
	wl.Layout.Cuts = slices.Clone(wl.Layout.Cuts)
	wl.Submitters = slices.Clone(wl.Submitters)
	for i := range wl.Submitters {
		wl.Submitters[i].Transfers = slices.Clone(wl.Submitters[i].Transfers)
	}
	return wl
}
