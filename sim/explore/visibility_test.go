package explore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// rarelyShared has a variable y that one task uses, and another only in schedules that
// the search for private objects is most unlikely to meet: when it sees x at 17 and
// then at 18. Then it can lose one of the owner's updates of y.
func rarelyShared(t *sim.Task) {
	x, y := newVariable(t, "x"), newVariable(t, "y")
	t.Go("adder", func(t *sim.Task) {
		for range 20 {
			x.add(t, 1)
		}
	})
	intruded := false
	t.Go("intruder", func(t *sim.Task) {
		if x.load(t) == 17 && x.load(t) == 18 {
			intruded = true
			y.store(t, 100)
		}
	})
	t.Go("owner", func(t *sim.Task) {
		for range 3 {
			y.store(t, y.load(t)+1)
		}
	})
	t.Explore()
	if intruded && y.v == 3 {
		t.Fail("bug", "the intruder's store was lost between a load and a store")
	}
}

// TestWrongGuessIsTakenBack explores a program in which an object is thought private
// and is not: the failure that needs a scheduling point on it is found all the same, and
// the exploration says that it began again.
func TestWrongGuessIsTakenBack(t *testing.T) {
	r := explore.Run(context.Background(), rarelyShared, explore.NewDPOR(), explore.Options{})
	require.NotNil(t, r.Found)
	require.Equal(t, sim.Bug, r.Found.Failure.Kind)
	require.NotZero(t, r.Restarts, "the object was not hidden to begin with, so this shows nothing")
	r.Found.Machine.Close()
}
