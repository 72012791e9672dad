package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dmasim/sim/kernel"
)

// A workload as text is its fields, where they are not 0, and then its submitters:
//
//	exporter=pipelined,mode=sqpoll,tags=1,moves=2,warm,io=r0+8:4/w0+1,burst=r3+2/renew
//
// Each io is a submitter that waits for one transfer before the next, each burst one that submits
// all of them at once. r3+2:4 reads two sectors, from sector 4 of its part of the drive into
// sector 3 of its part of the buffer; w writes from there to the drive; what else a task does has a
// name, such as renew, see [Acts].

// workloadFields has the fields of a workload in the order of the text.
var workloadFields = []struct {
	name string
	// at is the field: a *int with at most max, a *bool, a *string or a *[]int.
	at  func(w *Workload) any
	max int
}{
	{name: "exporter", at: func(w *Workload) any { return &w.Exporter }},
	{name: "cuts", at: func(w *Workload) any { return &w.Layout.Cuts }, max: 16},
	{name: "row", at: func(w *Workload) any { return &w.Layout.Row }, max: 16},
	{name: "holes", at: func(w *Workload) any { return &w.Layout.Holes }},
	{name: "ragged", at: func(w *Workload) any { return &w.Layout.Ragged }},
	{name: "distant", at: func(w *Workload) any { return &w.Distant }},
	{name: "reuse", at: func(w *Workload) any { return &w.Reuse }},
	{name: "mode", at: func(w *Workload) any { return &w.Mode }},
	{name: "tags", at: func(w *Workload) any { return &w.Drive.Tags }, max: 1024},
	{name: "queues", at: func(w *Workload) any { return &w.Drive.Queues }, max: 16},
	{name: "batch", at: func(w *Workload) any { return &w.Drive.Batch }},
	{name: "sectors", at: func(w *Workload) any { return &w.Drive.Sectors }, max: 1 << 16},
	{name: "segments", at: func(w *Workload) any { return &w.Drive.Segments }, max: 1 << 16},
	{name: "chunk", at: func(w *Workload) any { return &w.Drive.Chunk }, max: 1 << 16},
	{name: "align", at: func(w *Workload) any { return &w.Drive.Align }, max: 4096},
	{name: "bounce", at: func(w *Workload) any { return &w.Drive.Bounce }},
	{name: "lazy", at: func(w *Workload) any { return &w.Drive.Lazy }},
	{name: "interrupted", at: func(w *Workload) any { return &w.Drive.Interrupted }, max: 1 << 16},
	{name: "lost", at: func(w *Workload) any { return &w.Drive.Lost }, max: 1 << 16},
	{name: "protected", at: func(w *Workload) any { return &w.Drive.Protected }},
	{name: "resets", at: func(w *Workload) any { return &w.Drive.Resets }, max: 16},
	{name: "unbound", at: func(w *Workload) any { return &w.Drive.Unbound }},
	{name: "buffers", at: func(w *Workload) any { return &w.Buffers }, max: 16},
	{name: "pages", at: func(w *Workload) any { return &w.Pages }, max: 1024},
	{name: "moves", at: func(w *Workload) any { return &w.Moves }, max: 1 << 16},
	{name: "pipelined", at: func(w *Workload) any { return &w.Pipelined }},
	{name: "neighbour", at: func(w *Workload) any { return &w.Neighbour }},
	{name: "warm", at: func(w *Workload) any { return &w.Warm }},
	{name: "idle", at: func(w *Workload) any { return &w.Idle }, max: 64},
	{name: "exhausted", at: func(w *Workload) any { return &w.Exhausted }},
	{name: "swap", at: func(w *Workload) any { return &w.Swap }},
	{name: "reclaims", at: func(w *Workload) any { return &w.Reclaims }, max: 1 << 16},
	{name: "failures", at: func(w *Workload) any { return &w.Failures }, max: 1 << 16},
	{name: "clones", at: func(w *Workload) any { return &w.Clones }, max: 1 << 16},
}

// String is the text that [ParseWorkload] reads. Detectors that are off are not in it: they are no
// part of the program.
func (wl Workload) String() string {
	var out []string
	for _, f := range workloadFields {
		text := ""
		switch at := f.at(&wl).(type) {
		case *bool:
			if *at {
				out = append(out, f.name)
			}
			continue
		case *string:
			text = *at
		case *int:
			if *at != 0 {
				text = strconv.Itoa(*at)
			}
		case *[]int:
			text = slashes(*at, strconv.Itoa)
		}
		if text != "" {
			out = append(out, f.name+"="+text)
		}
	}
	for _, s := range wl.Submitters {
		name := "io"
		if s.AtOnce {
			name = "burst"
		}
		out = append(out, name+"="+slashes(s.Transfers, Transfer.String))
	}
	return strings.Join(out, ",")
}

func slashes[T any](list []T, text func(T) string) string {
	var out []string
	for _, x := range list {
		out = append(out, text(x))
	}
	return strings.Join(out, "/")
}

func (x Transfer) String() string {
	if x.Act != "" {
		return x.Act
	}
	text := "r"
	if x.Write {
		text = "w"
	}
	text += fmt.Sprintf("%d+%d", x.Start, x.Len)
	if x.Lba != 0 {
		text += ":" + strconv.Itoa(x.Lba)
	}
	return text
}

// ParseWorkload reads what String returned. Its errors say what is wrong and what would be right.
func ParseWorkload(text string) (Workload, error) {
	var wl Workload
	given := map[string]bool{}
	for _, kv := range strings.Split(text, ",") {
		name, val, some := strings.Cut(kv, "=")
		if name == "io" || name == "burst" {
			s := Submitter{AtOnce: name == "burst"}
			for _, x := range strings.Split(val, "/") {
				t, err := parseTransfer(x)
				if err != nil {
					return wl, err
				}
				s.Transfers = append(s.Transfers, t)
			}
			wl.Submitters = append(wl.Submitters, s)
			continue
		}
		if err := wl.set(name, val, some); err != nil {
			return wl, err
		}
		if given[name] {
			return wl, fmt.Errorf("workload: %s is there twice", name)
		}
		given[name] = true
	}
	return wl, wl.Validate()
}

// set reads a field. some tells whether there is a value, which only a field that is no flag has.
func (wl *Workload) set(name, val string, some bool) error {
	known := []string{"io", "burst"}
	for _, f := range workloadFields {
		known = append(known, f.name)
		if f.name != name {
			continue
		}
		number := func(val string) (int, error) {
			n, err := strconv.Atoi(val)
			if err != nil || n < 1 || n > f.max {
				return 0, fmt.Errorf("workload: %s must be a number from 1 to %d, not %q; leave it out for the usual", name, f.max, val)
			}
			return n, nil
		}
		var err error
		switch at := f.at(wl).(type) {
		case *bool:
			if some {
				return fmt.Errorf("workload: %s takes no value, not %q", name, val)
			}
			*at = true
		case *string:
			if val == "" {
				return fmt.Errorf("workload: %s has no value; leave it out for the usual", name)
			}
			*at = val
		case *int:
			*at, err = number(val)
		case *[]int:
			*at = nil
			for _, v := range strings.Split(val, "/") {
				n, bad := number(v)
				if bad != nil {
					return bad
				}
				*at = append(*at, n)
			}
		}
		return err
	}
	return unknown("field of a workload", name, known)
}

func parseTransfer(text string) (x Transfer, err error) {
	if slices.Contains(Acts(), text) {
		return Transfer{Act: text}, nil
	}
	wrong := fmt.Errorf("workload: %q is no transfer; one is like r0+8 or w3+2:4, or %s", text, strings.Join(Acts(), ", "))
	if len(text) == 0 || text[0] != 'r' && text[0] != 'w' {
		return x, wrong
	}
	x.Write = text[0] == 'w'
	memory, lba, some := strings.Cut(text[1:], ":")
	start, n, ok := strings.Cut(memory, "+")
	if !ok {
		return x, wrong
	}
	parts := []struct {
		at   *int
		text string
	}{{&x.Start, start}, {&x.Len, n}, {&x.Lba, lba}}
	if !some {
		parts = parts[:2]
	}
	for _, p := range parts {
		v, err := strconv.ParseUint(p.text, 10, 16)
		if err != nil {
			return x, wrong
		}
		*p.at = int(v)
	}
	return x, nil
}

// Validate tells what of a workload makes no sense.
func (wl Workload) Validate() error {
	if len(wl.Submitters) == 0 {
		return fmt.Errorf("workload: nobody transfers anything; a task is like io=r0+8 or burst=r0+8/w0+8")
	}
	if wl.Exporter != "" && !slices.Contains(Exporters(), wl.Exporter) {
		return unknown("exporter", wl.Exporter, Exporters())
	}
	if wl.Mode != "" && !slices.Contains(RingModes(), wl.Mode) {
		return unknown("ring mode", wl.Mode, RingModes())
	}
	if wl.Clones >= len(wl.Submitters) {
		return fmt.Errorf("workload: clones=%d, and there are %d tasks; one at least must have a registration of its own", wl.Clones, len(wl.Submitters))
	}
	d := wl.Drive
	switch {
	case d.Sectors != 0 && d.Sectors < page:
		return fmt.Errorf("workload: sectors=%d; a drive takes %d at least, which is a page", d.Sectors, page)
	case d.Align&(d.Align-1) != 0:
		return fmt.Errorf("workload: align=%d is no power of two", d.Align)
	case d.Align != 0 && d.Chunk != 0:
		return fmt.Errorf("workload: with align and chunk a transfer can be cut where it must not be, and fails half done; leave one out")
	case wl.Distant && slices.Contains(reached, wl.Exporter):
		return fmt.Errorf("workload: the exporter %q needs a drive that reaches the memory of other devices; leave distant out", wl.Exporter)
	case wl.Layout.Ragged && (wl.Exporter != "odd" || wl.Layout.Cuts == nil):
		return fmt.Errorf("workload: ragged makes the cuts of the exporter odd shorter; exporter=odd,cuts=1,ragged does")
	case wl.Swap && (wl.Moves == 0 || !moves(wl.Exporter)):
		return fmt.Errorf("workload: swap is what comes before a move; give an exporter that moves, and moves=1")
	case wl.Exhausted && (wl.Moves == 0 || !moves(wl.Exporter)):
		return fmt.Errorf("workload: memory is exhausted until a buffer has moved; give an exporter that moves, and moves=1")
	}
	for _, name := range wl.Without {
		if !slices.Contains(kernel.Detectors(), name) {
			return unknown("detector", name, kernel.Detectors())
		}
	}
	for _, s := range wl.Submitters {
		for _, x := range s.Transfers {
			switch slot := wl.slot(); {
			case x.Act != "":
				if !slices.Contains(Acts(), x.Act) {
					return unknown("act", x.Act, Acts())
				}
			case x.Len < 1 || x.Start+x.Len > slot:
				return fmt.Errorf("workload: %v does not fit into the %d sectors that a transfer has; pages=N makes them more", x, slot)
			case x.Lba+x.Len > 2*slot:
				return fmt.Errorf("workload: %v is beyond the %d sectors of the drive that a transfer has", x, 2*slot)
			}
		}
	}
	return nil
}
