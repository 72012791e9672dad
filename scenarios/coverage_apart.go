package scenarios

// separations are pairs of steps of different tasks that use an object in conflict in some run, and are nowhere
// neighbours there in the scenarios: an entry for each, the names in alphabetical order.
var separations = func() map[[2]string]Meeting {
	const (
		half      = "each gives the same lock back, or takes it, and the other half comes between"
		lastPut   = "the last put of a token comes after all that hold a reference on it, whose puts come between"
		counted   = "they count, which commutes unless the kill comes between"
		made      = "between two that take a map away somebody has published one"
		underLock = "the reservation lock is held for both, and REM-2, which uses the same, comes first under it"
		requeued  = "requeue_work takes from the list what one has put there before the other comes"
		oneTask   = "one task does both, or what the other comes of, and uses the object in between"
		signalled = "a reference on a fence is taken before it signals, and WRK-3 drops the last one after that"

		freed      = "a reader that leaves its section frees the fence there, and the last reference is dropped before that"
		givenBack  = "CREATE-5 gives back what CREATE-4 took, before the reservation lock goes"
		ringLock   = "the ring's lock is held at GET-1, and who polls looks at the list when he has taken it"
		ownGet     = "the worker is started after the submission, and its own GET-1 comes between"
		bufferGoes = "the buffer goes with the last of its maps, which is released in between"
	)
	out := map[[2]string]Meeting{}
	add := func(m Meeting, pairs ...[2]string) {
		for _, p := range pairs {
			if _, ok := out[p]; ok || p[0] > p[1] {
				panic("two reasons, or the wrong order: " + p[0] + ", " + p[1])
			}
			out[p] = m
		}
	}
	with := func(one string, others ...string) (pairs [][2]string) {
		for _, o := range others {
			pairs = append(pairs, [2]string{min(one, o), max(one, o)})
		}
		return pairs
	}
	why := func(s string, pairs ...[2]string) { add(Meeting{Why: s}, pairs...) }
	needs := func(s string, pairs ...[2]string) { add(Meeting{Needs: s}, pairs...) }
	walks := func(s string, pairs ...[2]string) { add(Meeting{Walks: s}, pairs...) }
	drawn := func(pairs ...[2]string) { add(Meeting{Drawn: true}, pairs...) }

	why(half, with("CREATE-1", "CREATE-1")...)
	why(half, with("CREATE-4", "CREATE-4")...)
	why(half, with("CREATE-7", "CREATE-7", "REM-2", "SUB-3", "CREATE-2 made by another")...)
	why(half, with("CREATE-2 made by another", "CREATE-2 made by another", "CREATE-10")...)
	why(lastPut, with("TOKEN-PUT last", "CREATE-1", "GET-1")...)
	why(counted, with("CREATE-9", "CMP-3", "GET-2", "WRK-2")...)
	why(made, with("REM-4", "REM-4")...)
	why(underLock, with("REM-5", "RELEASE", "REM-3")...)
	why(requeued, with("CMP-1", "ASG-4", "GET-3")...)
	why(requeued, with("PRE-4", "ASG-4", "GET-3")...)
	why(oneTask, with("TOK-6 odd size", "CMP-3", "CREATE-10", "GET-2", "IMP-5", "TOKEN-PUT last")...)
	why(oneTask, with("TOK-6 not attached", "CREATE-10")...)
	why(oneTask, with("CMP-2", "BIO-0 no space", "IMP-5 no-wait")...)
	why(signalled, with("REM-4", "WRK-2")...)
	why(freed, with("CREATE-4", "CMP-3", "GET-2", "MAP-REL")...)
	why(freed, with("REM-4", "CMP-3", "GET-2", "PRE-4")...)
	why(freed, with("GET-2", "REM-5", "WRK-1")...)
	why(givenBack, [2]string{"CREATE-4", "REM-3"})
	why(ringLock, [2]string{"CMP-1", "GET-1"})

	why(ownGet, [2]string{"CREATE-10", "SUB-3"})
	why(bufferGoes, [2]string{"CMP-3", "TOKEN-PUT"})
	needs("a mapping that is taken away while a second reader goes on with it", with("CREATE-2 made by another", "REM-2", "REM-6")...)
	walks("registered-anew", with("CREATE-10", "CMP-3", "PRE-4", "RELEASE")...)

	drawn(with("ALLOC", "REM-2", "TOKEN-PUT last")...)
	drawn(with("CREATE-4", "PRE-4")...)
	drawn(with("CMP-1", "CMP-3", "SUB-1")...)
	drawn(with("CMP-2", "TOKEN-PUT", "TOKEN-PUT last")...)
	drawn(with("CMP-3", "CMP-3a", "CREATE-5", "GET-1", "IMP-3", "IMP-5 punt", "REM-3", "SUB-3", "TOK-6 not attached")...)
	drawn(with("CMP-4", "CMP-4", "SUB-1")...)
	drawn(with("CREATE-10", "REM-4")...)
	drawn(with("CREATE-3 fails", "CREATE-3 fails")...)
	drawn(with("CREATE-5", "GET-2", "MAP-REL", "PRE-4", "REM-5", "SUB-1", "TOKEN-PUT last")...)
	drawn(with("CREATE-8", "GET-2")...)
	drawn(with("GET-1", "GET-2", "PRE-4")...)
	drawn(with("GET-2", "GET-2", "PRE-4", "RELEASE", "REM-3", "REM-3 NULL", "SUB-3", "TOK-6 not attached")...)
	drawn(with("IMP-1", "IMP-3", "TOKEN-PUT")...)
	drawn(with("IMP-3", "IMP-3")...)
	drawn(with("IMP-5", "IMP-5 punt", "TOK-6 not attached", "TOKEN-PUT")...)
	drawn(with("MAP-REL", "RELEASE", "REM-3")...)
	drawn(with("NV-1", "NV-1", "WRK-2")...)
	drawn(with("PRE-2", "WRK-2")...)
	drawn(with("PRE-4", "REM-3", "REM-3 NULL", "REM-5", "SUB-1", "TOKEN-PUT", "TOKEN-PUT last")...)
	drawn(with("REG-6", "TOKEN-PUT last")...)
	drawn(with("REM-2", "REM-3")...)
	drawn(with("REM-3 NULL", "REM-5")...)
	drawn(with("REM-5", "REM-6", "SUB-3")...)
	drawn(with("SUB-3", "TOKEN-PUT", "TOKEN-PUT last")...)
	drawn(with("TOK-6 not attached", "TOKEN-PUT last")...)
	return out
}()

// Separations lists, for pairs of steps that use one object in some run and are never neighbours there, why. The
// names of a pair are in alphabetical order.
func Separations() map[[2]string]Meeting {
	out := make(map[[2]string]Meeting, len(separations))
	for p, m := range separations {
		out[p] = m
	}
	return out
}
