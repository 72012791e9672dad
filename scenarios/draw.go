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

	wl := Workload{
		Exporter: one("exporter", Exporters()), Mode: one("mode", RingModes()),
		Buffers: s.Int("buffers", 1, 2), Moves: s.Int("moves", 0, 3), Pages: s.Int("pages", 1, 3),
		Pipelined: flag("pipelined"), Reuse: flag("reuse"), Warm: flag("warm"), Neighbour: seldom("neighbour", 1) == 1,
		Reclaims: s.Int("reclaims", 0, 2), Failures: seldom("failures", 2),
	}
	if wl.Exporter == "odd" {
		s.List("cuts", 0, 3, func(s Source) { wl.Layout.Cuts = append(wl.Layout.Cuts, s.Int("cut", 1, 3)) })
		wl.Layout.Row, wl.Layout.Holes = s.Int("row", 0, 2), flag("holes")
	}
	if !slices.Contains(reached, wl.Exporter) {
		wl.Distant = flag("distant")
	}
	wl.Drive = drawDrive(s, seldom)
	sectors := wl.slot()
	most := 3
	if s.Int("crowd", 0, 7) == 7 { // what runs out with many mappings of a buffer
		most = 6
	}
	s.List("tasks", 1, most, func(s Source) {
		task := Submitter{AtOnce: s.Int("at once", 0, 1) == 1}
		s.List("transfers", 1, 3, func(s Source) {
			x := Transfer{Renew: s.Int("renew", 0, 7) == 7}
			if !x.Renew {
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
	return wl
}

// reached are the exporters with memory of a device that the drive must reach.
var reached = []string{"odd", "revoking", "refusing"}

func drawDrive(s Source, seldom func(string, int) int) Drive {
	d := Drive{
		Tags: s.Int("tags", 1, 4), Queues: s.Int("queues", 1, 2), Batch: s.Int("batch", 0, 1) == 1,
		Segments: seldom("segments", 3),
		Bounce:   seldom("bounce", 1) == 1, Lazy: seldom("lazy", 1) == 1,
		Interrupted: seldom("interrupted", 3),
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
