package scenarios

// Meeting is why two steps of different tasks meet at an object in one order only in the scenarios: an
// entry for each such pair, the step that comes first first. The label of a step stays until the task comes
// to the next one, and what is used in set-up counts as used first.
type Meeting struct {
	// Why the other order cannot be; it is empty if it can.
	Why string
	// Drawn is set if drawn workloads have the other order, which no scenario has within its quick promise.
	Drawn bool
	// Walks names a scenario of which random walks on the posted design have it, which drawn workloads do not run.
	Walks string
	// Needs says what it seems to take, if they have not had it either.
	Needs string
}

const (
	takes     = "the reservation lock is taken at CREATE-4, and given back at CREATE-7"
	mapping   = "mapping_lock is taken at CREATE-1, and given back at a later step"
	lastPut   = "the last put of a token comes after all that hold a reference on it"
	signalled = "a reference on a fence is taken before it signals, and WRK-3 drops the last one after that"
	publish   = "REMOVE kills what is published, and so has its caller's reference"
	underLock = "REM-2 to REM-6 are done under one reservation lock, and REM-2 comes first"
	setUp     = "the first is in set-up, or a registration that the other needs"
	cause     = "the second comes of the first"
	noStep    = "before its first lock the other task has come to no step"
	grace     = "the end of a grace period ends who was reading before, and frees what nobody can read"
)

var meetings = func() map[[2]string]Meeting {
	out := map[[2]string]Meeting{}
	add := func(m Meeting, pairs ...[2]string) {
		for _, p := range pairs {
			if _, ok := out[p]; ok {
				panic("two reasons for " + p[0] + " before " + p[1])
			}
			out[p] = m
		}
	}
	to := func(second string, firsts ...string) (pairs [][2]string) {
		for _, f := range firsts {
			pairs = append(pairs, [2]string{f, second})
		}
		return pairs
	}
	from := func(first string, seconds ...string) (pairs [][2]string) {
		for _, s := range seconds {
			pairs = append(pairs, [2]string{first, s})
		}
		return pairs
	}
	why := func(s string, pairs ...[2]string) { add(Meeting{Why: s}, pairs...) }
	drawn := func(pairs ...[2]string) { add(Meeting{Drawn: true}, pairs...) }

	why(takes, to("CREATE-4", "CREATE-7", "REG-7", "RELEASE", "SUB-3", "TOK-6", "TOKEN-PUT last", "WRK-2")...)
	why(takes, from("CREATE-7", "RELEASE", "TOK-6", "WRK-2")...)
	why(mapping, to("CREATE-1", "CREATE-10", "CREATE-3 fails", "CREATE-2 made by another", "CREATE-7")...)
	why(lastPut, to("TOKEN-PUT last", "CREATE-10", "CREATE-2 made by another", "CREATE-7", "REM-4")...)
	why(signalled, [2]string{"REM-5", "WRK-2"})
	why(publish, [2]string{"CREATE-9", "REM-6"})
	why(underLock, [2]string{"REM-4", "REM-3"})
	why(setUp, from("REG-7", "IMP-5 punt", "PRE-4", "REM-2", "TOKEN-PUT", "TOKEN-PUT last")...)
	why(setUp, from("IMP-5 punt", "GET-3", "NV-1", "PRE-2")...)
	why(noStep, [2]string{"IMP-5", "IMP-1"})
	why(cause, [2]string{"SUB-3", "GET-1"}, [2]string{"CMP-2", "GET-3"}, [2]string{"WRK-1", "WRK-2"})
	why(grace, from("MAP-REL", "CREATE-10", "GET-1", "TOKEN-PUT")...)

	drawn(from("IMP-5 punt", "BIO-4", "CMP-4", "MAP-REL", "RELEASE", "REM-2", "REM-6", "SUB-1 no entry", "SUB-1 no tag", "WRK-1")...)
	drawn(from("PRE-4", "CMP-4", "RELEASE")...)
	drawn(from("SUB-3", "CMP-1", "PRE-4")...)
	drawn([2]string{"IMP-3", "CMP-2"}, [2]string{"IMP-5", "CMP-1"}, [2]string{"WRK-2", "TOKEN-PUT"})
	drawn([2]string{"GET-1", "RELEASE"}, [2]string{"CREATE-7", "REM-6"})
	drawn(to("TOKEN-PUT last", "REM-3", "WRK-1", "MAP-REL")...)
	drawn(to("RELEASE", "REM-2", "REM-3", "CMP-3")...)
	drawn(to("REM-2", "TOK-6", "WRK-1", "REM-5")...)
	drawn(from("MAP-REL", "CMP-3", "CREATE-8", "GET-2", "WRK-2")...)
	drawn([2]string{"CREATE-7", "PRE-4"}, [2]string{"IMP-5", "SUB-3"}, [2]string{"CMP-3", "CMP-4"}, [2]string{"REM-3 NULL", "CMP-1"},
		[2]string{"REM-2", "CREATE-4"}, [2]string{"CREATE-5", "REM-3"}, [2]string{"REM-3", "GET-1"}, [2]string{"REM-6", "TOK-6"}, [2]string{"WRK-1", "TOKEN-PUT"})

	add(Meeting{Walks: "registered-anew"}, [2]string{"REM-3 NULL", "CREATE-10"})
	add(Meeting{Walks: "bounced-together"}, [2]string{"CMP-1", "REM-3"})
	return out
}()

// Meetings lists, for each pair of steps that meets in one order only, why. The step that comes
// first is the first of the pair.
func Meetings() map[[2]string]Meeting {
	out := make(map[[2]string]Meeting, len(meetings))
	for p, m := range meetings {
		out[p] = m
	}
	return out
}

func (m Meeting) String() string {
	switch {
	case m.Drawn:
		return "drawn workloads have it, see --runs"
	case m.Walks != "":
		return "random walks of " + m.Walks + " have it, see --walks"
	case m.Why == "":
		return "seems possible: it would take " + m.Needs
	}
	return m.Why
}
