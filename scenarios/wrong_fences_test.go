package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq/dmatoken"
	"dmasim/dmabufsim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/token/toy"
)

// importing takes the mapping when a request is issued, before that has a tag, and keeps it until
// the request has its own reference.
type importing struct{ token.Design }

func (d importing) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok, err := d.Design.Register(t, p, q, drv)
	return &importingToken{Token: tok, kept: map[*token.Use]*token.Frag{}}, err
}

type importingToken struct {
	token.Token
	kept map[*token.Use]*token.Frag
}

func (i *importingToken) Import(t *kernel.Task, u *token.Use) kernel.Errno {
	if err := i.Token.Import(t, u); err != kernel.OK || i.kept[u] != nil {
		return err
	}
	f := &token.Frag{Use: u, Nowait: u.Nowait}
	if o := i.Token.Submit(t, f); o.Status != kernel.BLK_STS_OK {
		return o.Status.Errno()
	}
	i.kept[u] = f
	return kernel.OK
}

func (i *importingToken) Submit(t *kernel.Task, f *token.Frag) token.Outcome {
	o := i.Token.Submit(t, f)
	if k := i.kept[f.Use]; k != nil {
		i.kept[f.Use] = nil
		i.Token.Free(t, k, token.NeverQueued)
	}
	return o
}

// lazy is a design whose driver unmaps when the registration goes, and not before.
type lazy struct{ token.Design }

func (d lazy) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	return d.Design.Register(t, p, q, &lazyDriver{Driver: drv})
}

type lazyDriver struct {
	token.Driver
	kept []*token.Map
}

func (d *lazyDriver) DmaUnmap(t *kernel.Task, _ *token.Reg, m *token.Map, _ bool) {
	n := &token.Map{Gen: m.Gen}
	n.Alloc(t)
	n.Sgt.Set(t, m.Sgt.Get(t))
	n.Private.Set(t, m.Private.Get(t))
	d.kept = append(d.kept, n)
}

func (d *lazyDriver) CleanDmaToken(t *kernel.Task, r *token.Reg) {
	for _, m := range d.kept {
		d.Driver.DmaUnmap(t, r, m, false)
		t.Free(&m.Mem)
	}
	d.Driver.CleanDmaToken(t, r)
}

// TestWrongTowardsFences has designs break a rule in a way that ends well in every run of the
// scenario. Without the mistake they are silent: see TestExpected.
func TestWrongTowardsFences(t *testing.T) {
	for _, c := range []struct {
		scenario *Scenario
		params   map[string]int
		design   token.Design
		rule     string
	}{
		{publishAfterUnlock, map[string]int{"pages": 1, "reads": 1}, importing{dmatoken.Design{}},
			"R7: iou-wrk (task 1.1) held a reference of map#1.refs and took one of nvme0n1 tags"},
		{moveWhileBusy, map[string]int{"moves": 1}, lazy{toy.Design{}},
			`R5: the old mapping of "vram" for nvme0 is still there when all tasks have ended`},
	} {
		t.Run(c.scenario.Name, func(t *testing.T) {
			t.Parallel()
			d := &Design{Name: "wrong", Fixes: token.AllFixes(), maker: c.design}
			r := explore.Run(t.Context(), Case{Scenario: c.scenario, Design: d, Fixes: d.Fixes, Params: c.params}.Program(),
				explore.NewDeepen(c.scenario.Quick), explore.Options{MinimizeRuns: -1})
			require.NotNil(t, r.Found, "nothing was found in %d executions", r.Executions)
			defer r.Found.Machine.Close()
			require.Equal(t, dmabufsim.FenceRule, r.Found.Failure.Kind, r.Found.Failure.Message)
			require.Contains(t, r.Found.Failure.Message, c.rule)
		})
	}
}
