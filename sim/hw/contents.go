package hw

// PageSize is the size of a page, in bytes.
const PageSize = 4096

// SectorSize is the size of a block of most drives, in bytes.
const SectorSize = 512

// SectorsPerPage is the number of sectors of a page.
const SectorsPerPage = PageSize / SectorSize

// WordsPerPage is the number of words of a page.
const WordsPerPage = PageSize / 8

// Contents is what a page has in it, or a page's worth of a drive. The zero value is
// zeroes. Assigning it copies it at the cost of a few words.
type Contents struct {
	// Few runs are kept in own. More of them are in many, which is shared by copies and
	// never changed.
	many Data
	own  [4]Run
	n    int
	// words are the contents of a table instead, see Table; shared says that a copy has
	// them, too.
	words *table
}

// table is the words of a page of descriptors.
type table struct {
	w      [WordsPerPage]uint64
	shared bool
}

// zeroPage is a page of zeroes.
var zeroPage = Zeroes(PageSize)

// runs is what there is, for whoever reads it at once.
func (c *Contents) runs() Data {
	switch {
	case c.words != nil:
		var d Data
		for _, w := range c.words.w {
			d = d.add(word(w, 8))
		}
		return d
	case c.many != nil:
		return c.many
	case c.n > 0:
		return c.own[:c.n]
	}
	return zeroPage
}

// set replaces all; d may be reused by the caller.
func (c *Contents) set(d Data) {
	c.words = nil
	if len(d) <= len(c.own) {
		c.many, c.n = nil, copy(c.own[:], d)
	} else {
		c.many, c.n = append(Data(nil), d...), 0
	}
}

// Copy returns a copy, which shares what is large.
func (c *Contents) Copy() Contents {
	if c.words != nil {
		c.words.shared = true
	}
	return *c
}

// Read appends n bytes from off on to dst.
func (c *Contents) Read(dst Data, off, n int) Data {
	cur := cursor{d: c.runs()}
	cur.skip(off)
	return dst.move(&cur, n)
}

// Write replaces the bytes from off on by data.
func (c *Contents) Write(off int, data Data) {
	cur := cursor{d: data}
	c.take(off, data.Len(), &cur)
}

// take replaces n bytes from off on by the next ones of src.
func (c *Contents) take(off, n int, src *cursor) {
	var room [8]Run
	out := Data(room[:0])
	if n == PageSize {
		c.set(out.move(src, n))
		return
	}
	old := cursor{d: c.runs()}
	out = out.move(&old, off)
	out = out.move(src, n)
	old.skip(n)
	c.set(out.move(&old, PageSize-off-n))
}

// word is the i-th word: of a table what was stored, of other contents what the bytes
// happen to be.
func (c *Contents) word(i int) uint64 {
	if c.words != nil {
		return c.words.w[i]
	}
	cur := cursor{d: c.runs()}
	cur.skip(8 * i)
	return cur.word()
}

// setWord stores the i-th word.
func (c *Contents) setWord(i int, v uint64) {
	switch t := c.words; {
	case t == nil:
		one := [1]Run{word(v, 8)}
		c.take(8*i, 8, &cursor{d: one[:]})
		return
	case t.shared:
		c.words = &table{w: t.w}
	}
	c.words.w[i] = v
}
