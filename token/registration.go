package token

import "dmasim/sim/kernel"

// Registration is what tokens keep of their registration, and the stages that are the same for
// all designs whose requests have the map from Submit until they are freed. A design embeds it.
type Registration struct {
	kernel.Mem
	Reg    Reg               //dmasim:private set before others can find the token
	Driver Driver            //dmasim:private as Reg
	queue  Queue             //dmasim:private as Reg
	gens   kernel.Field[int] // under the reservation lock
}

// Attach registers tok, whose memory is allocated. On failure it frees that, and returns a nil
// token and an errno.
func (r *Registration) Attach(t *kernel.Task, tok Token, p Params, q Queue, d Driver) (Token, kernel.Errno) {
	if !q.Get(t) {
		t.Free(&r.Mem)
		return nil, kernel.EFAULT
	}
	p.DmaBuf.Get(t)
	r.Reg, r.Driver, r.queue = Reg{Params: p, Token: tok}, d, q
	r.gens.Init(t, &r.Mem, "token.gens", 0)
	if err := d.InitDmaToken(t, &r.Reg); err != kernel.OK {
		r.detach(t)
		return nil, err
	}
	return tok, kernel.OK
}

// Unregister invalidates for good.
func (r *Registration) Unregister(t *kernel.Task) {
	resv := &r.Reg.DmaBuf.Resv
	resv.Lock(t, nil)
	r.Reg.Token.Invalidate(t)
	resv.Unlock(t)
	r.Driver.CleanDmaToken(t, &r.Reg)
	r.detach(t)
}

func (r *Registration) detach(t *kernel.Task) {
	r.Reg.DmaBuf.Put(t)
	r.queue.Put(t)
	t.Free(&r.Mem)
}

// NextGen numbers a map. The reservation lock is held.
func (r *Registration) NextGen(t *kernel.Task) int {
	n := r.gens.Get(t) + 1
	r.gens.Set(t, n)
	return n
}

// Queue gives the driver the request's map.
func (*Registration) Queue(_ *kernel.Task, f *Frag) (*Map, Outcome) { return f.Map, Outcome{} }

// Complete does nothing: the driver may try the request again, and needs the map for that.
func (*Registration) Complete(*kernel.Task, *Frag) {}

// Import, Requeue and Finish do nothing.
func (*Registration) Import(*kernel.Task, *Use) kernel.Errno { return kernel.OK }
func (*Registration) Requeue(*kernel.Task, *Frag)            {}
func (*Registration) Finish(*kernel.Task, *Use)              {}
