package scenarios

import "slices"

// Source is where a workload is drawn from: a library that makes what fails smaller, or a plain
// generator of random numbers.
type Source interface {
	// Int draws a number from min to max. Smaller ones are simpler.
	Int(name string, min, max int) int
	// List draws from min to max things, each with the source that it is given.
	List(name string, min, max int, each func(Source))
}

// Draw draws a workload: the configuration of drive, exporter and rings, what memory is short of, and
// what the tasks do. It is small, so that much is reached in a run of some hundred operations.
//
// Every right design must pass every workload that can be drawn.
func Draw(s Source) Workload {
	flag := func(name string) bool { return s.Int(name, 0, 1) == 1 }
	// seldom is what makes most of the rest impossible, or slow.
	seldom := func(name string, max int) int {
		if s.Int(name+" at all", 0, 3) < 3 {
			return 0
		}
		return s.Int(name, 1, max)
	}
	one := func(name string, of []string) string { return of[s.Int(name, 0, len(of)-1)] }

	// rarely is what most of the rest is lost on.
	rarely := func(name string) bool { return s.Int(name, 0, 15) == 15 }

	wl := Workload{
		Exporter: one("exporter", usual), Mode: one("mode", RingModes()),
		Buffers: s.Int("buffers", 1, 2), Moves: s.Int("moves", 0, 3), Pages: s.Int("pages", 1, 3),
		Pipelined: flag("pipelined"), Reuse: flag("reuse"), Warm: flag("warm"), Neighbour: seldom("neighbour", 1) == 1,
		Reclaims: s.Int("reclaims", 0, 2), Failures: seldom("failures", 2),
	}
	if wl.Exporter == "odd" {
		s.List("cuts", 0, 3, func(s Source) { wl.Layout.Cuts = append(wl.Layout.Cuts, s.Int("cut", 1, 3)) })
		wl.Layout.Row, wl.Layout.Holes = s.Int("row", 0, 2), flag("holes")
	}
	if wl.Layout.Cuts != nil {
		wl.Layout.Ragged = seldom("ragged", 1) == 1
	}
	if wl.Moves > 0 && moves(wl.Exporter) {
		wl.Swap = rarely("swap")
		if s.Int("exhausted", 0, 9) == 9 {
			wl.Exhausted, wl.Warm = true, true // mappings can hardly be made then
		}
	}
	if rarely("idle at all") {
		wl.Idle = s.Int("idle", 1, 6)
	}
	if !slices.Contains(reached, wl.Exporter) {
		wl.Distant = flag("distant")
	}
	wl.Drive = drawDrive(s, seldom, rarely)
	sectors := wl.slot()
	most := 3
	if s.Int("crowd", 0, 7) == 7 { // what runs out with many mappings of a buffer
		most = 6
	}
	s.List("tasks", 1, most, func(s Source) {
		task := Submitter{AtOnce: s.Int("at once", 0, 1) == 1}
		s.List("transfers", 1, 3, func(s Source) {
			x := Transfer{}
			if s.Int("act at all", 0, 7) == 7 {
				x.Act = one("act", Acts())
			} else {
				x.Write = s.Int("write", 0, 1) == 1
				x.Start = s.Int("start", 0, sectors-1)
				x.Len = s.Int("len", 1, sectors-x.Start)
				x.Lba = s.Int("lba", 0, sectors)
			}
			task.Transfers = append(task.Transfers, x)
		})
		wl.Submitters = append(wl.Submitters, task)
	})
	wl.Clones = s.Int("clones", 0, len(wl.Submitters)-1)
	if s.Int("far", 0, 199) == 199 { // which costs as much as ten others
		wl.Exporter, wl.Layout, wl.Distant, wl.Exhausted, wl.Swap = "far", Layout{}, false, false, false
		wl.Submitters, wl.Clones, wl.Idle, wl.Buffers = wl.Submitters[:1], 0, 0, 1
	}
	if s.Int("long", 0, 99) == 99 { // a list of more than a page of entries, which costs as much as four others
		const pages = 514
		wl.Pages, wl.Buffers, wl.Idle, wl.Clones = pages, 1, 0, 0
		wl.Drive.Sectors, wl.Drive.Segments, wl.Drive.Chunk = pages*page, 2*pages, 0
		wl.Warm, wl.Failures = true, s.Int("failing lists", 1, 2)
		task := Submitter{Transfers: wl.Submitters[0].Transfers[:1]}
		start := s.Int("start", 0, page-1)
		task.Transfers = append(task.Transfers, Transfer{Write: flag("write"), Start: start, Len: pages*page - start})
		wl.Submitters = []Submitter{task}
	}
	return wl
}

// usual are the exporters that are drawn.
var usual = slices.DeleteFunc(Exporters(), func(name string) bool { return name == "far" })

// reached are the exporters with memory of a device that the drive must reach.
var reached = []string{"odd", "revoking", "refusing"}

func drawDrive(s Source, seldom func(string, int) int, rarely func(string) bool) Drive {
	d := Drive{
		Tags: s.Int("tags", 1, 4), Queues: s.Int("queues", 1, 2), Batch: s.Int("batch", 0, 1) == 1,
		Segments: seldom("segments", 3),
		Bounce:   seldom("bounce", 1) == 1, Lazy: seldom("lazy", 1) == 1,
		Interrupted: seldom("interrupted", 3),
		Protected:   rarely("protected"),
	}
	if rarely("lost at all") {
		d.Lost = s.Int("lost", 1, 3)
	}
	d.Unbound = rarely("unbound")
	if rarely("resets at all") || d.Unbound && s.Int("resets, too", 0, 1) == 1 {
		d.Resets = s.Int("resets", 1, 2)
	}
	if n := seldom("sectors", 2); n > 0 {
		d.Sectors = n * page
	}
	switch seldom("boundary", 2) { // no drive has both, see Validate
	case 1:
		d.Chunk = page << s.Int("chunk", 0, 1)
	case 2:
		d.Align = 512 << s.Int("align", 0, 2)
	}
	return d
}
