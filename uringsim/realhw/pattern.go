//go:build linux

package realhw

import (
	"bytes"
	"cmp"
	"strings"

	"dmasim/sim/hw"
)

// patterns are the bytes of sources, a page each: what runs write again and again.
type patterns map[patternKey][]byte

type patternKey struct {
	source string
	page   uint64
	gen    uint32
}

// patternsKept bounds the memory that they take, in pages.
const patternsKept = 4096

// render appends the bytes of data to b.
func (p patterns) render(b []byte, data hw.Data) []byte {
	for _, r := range data {
		if r.Source == "" || strings.HasPrefix(r.Source, "\x00") { // zeroes, and bytes of known value
			b = append(b, hw.Data{r}.Bytes()...)
			continue
		}
		for at, n := r.Byte, int(r.Len); n > 0; {
			page := p.page(patternKey{r.Source, at / hw.PageSize, r.Gen})
			in := int(at % hw.PageSize)
			m := min(n, hw.PageSize-in)
			b = append(b, page[in:in+m]...)
			at, n = at+uint64(m), n-m
		}
	}
	return b
}

// page is one page of a source.
func (p patterns) page(k patternKey) []byte {
	b, ok := p[k]
	if !ok {
		if len(p) >= patternsKept {
			clear(p)
		}
		b = hw.Data{{Source: k.source, Byte: k.page * hw.PageSize, Gen: k.gen, Len: hw.PageSize}}.Bytes()
		p[k] = b
	}
	return b
}

// recognised is how many bytes have to be those of a source to be taken for them.
const recognised = 8

// identify says what b is, which is not what is wanted: bytes of a source that was seen
// before, or a value.
func (p patterns) identify(b, expected []byte, want hw.Data) hw.Data {
	var out hw.Data
	for at := 0; at < len(b); {
		n := at
		for n < len(b) && b[n] == expected[n] {
			n++
		}
		if n-at >= recognised || n == len(b) { // a byte may be right by chance
			out = out.Append(want.Slice(at, n-at))
			at = n
			continue
		}
		run := p.recognise(b[at:])
		if run.Len == 0 {
			run = hw.Literal(b[at : at+1])[0]
		}
		out = append(out, run)
		at += int(run.Len)
	}
	return out
}

// recognise finds the longest beginning of b that is in a page of a source; nothing if it
// is in none.
func (p patterns) recognise(b []byte) hw.Run {
	var best hw.Run
	if len(b) < recognised {
		return best
	}
	for k, page := range p {
		i := bytes.Index(page, b[:recognised])
		if i < 0 {
			continue
		}
		n := recognised
		for n < len(b) && i+n < len(page) && b[n] == page[i+n] {
			n++
		}
		r := hw.Run{Source: k.source, Byte: k.page*hw.PageSize + uint64(i), Gen: k.gen, Len: uint32(n)}
		if cmp.Or(cmp.Compare(r.Len, best.Len), cmp.Compare(best.Source, r.Source), cmp.Compare(best.Byte, r.Byte), cmp.Compare(best.Gen, r.Gen)) > 0 {
			best = r
		}
	}
	return best
}
