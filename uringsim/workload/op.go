package workload

// Workload is a list of operations on some buffers and a file.
type Workload struct {
	// Buffers is how many there are, Size the length of each and File that of the file,
	// in bytes. They hold Pattern at the beginning.
	Buffers    int
	Size, File int64
	Ops        []Op
}

// Kind is what an operation does.
type Kind string

const (
	Register   Kind = "register"    // IORING_REGISTER_BUFFERS of Regions
	Update     Kind = "update"      // IORING_REGISTER_BUFFERS_UPDATE of Regions from Slot on
	Unregister Kind = "unregister"  // IORING_UNREGISTER_BUFFERS
	ReadFixed  Kind = "read_fixed"  // IORING_OP_READ_FIXED
	WriteFixed Kind = "write_fixed" // IORING_OP_WRITE_FIXED
	Read       Kind = "read"        // IORING_OP_READ
	Write      Kind = "write"       // IORING_OP_WRITE
	Nop        Kind = "nop"         // IORING_OP_NOP
	Cancel     Kind = "cancel"      // IORING_OP_ASYNC_CANCEL of operation Of
	Wait       Kind = "wait"        // for everything in flight
	CPUWrite   Kind = "cpu_write"   // by the CPU, through the dma-buf if there is one
	CPURead    Kind = "cpu_read"
)

// Op is one operation. Which fields it has is told by its kind.
type Op struct {
	Kind    Kind
	Regions []Region
	Slot    int
	Mem     Region
	Off     int64
	To      Target
	// Hold leaves the request in flight; Async is IOSQE_ASYNC.
	Hold, Async bool
	Fill        byte
	Of          int
}

// Request tells whether the operation goes through the submission ring.
func (o *Op) Request() bool {
	switch o.Kind {
	case ReadFixed, WriteFixed, Read, Write, Nop, Cancel:
		return true
	}
	return false
}

// Transfer tells whether it moves bytes between memory and the file.
func (o *Op) Transfer() bool { return o.Request() && o.Kind != Nop && o.Kind != Cancel }

// Fixed tells whether it uses a registered buffer.
func (o *Op) Fixed() bool { return o.Kind == ReadFixed || o.Kind == WriteFixed }

// ToFile tells whether a transfer writes to the file.
func (o *Op) ToFile() bool { return o.Kind == WriteFixed || o.Kind == Write }

// View is which mapping of a buffer a region lies in.
type View string

const (
	Plain    View = "b"    // of the memfd, for reading and writing
	ReadOnly View = "ro"   // of the memfd, for reading
	DmaBuf   View = "dma"  // of the dma-buf
	Null     View = "null" // no mapping: address 0
	Empty    View = "-"    // an empty slot: address and length 0
)

// Region is a piece of memory. It may be wrong on purpose.
type Region struct {
	View    View
	Buf     int
	At, Len int64
	// Times repeats it in a registration; 0 is once.
	Times int
}

// Target is what a transfer is directed at.
type Target string

const (
	File         Target = ""         // the file
	Closed       Target = "closed"   // a descriptor that is not open
	ReadOnlyFile Target = "readonly" // the file, opened for reading only
	ADmaBuf      Target = "dma0"     // the first dma-buf
)

// Pattern is what a buffer or the file holds at the beginning, and what cpu_write
// writes: the byte at a place, so that bytes that land elsewhere are seen.
func Pattern(seed byte, at int64) byte { return byte(at) ^ byte(at>>8)*31 ^ seed*13 + seed }

// FilePattern is the seed of the file; the seed of a buffer is its number.
const FilePattern = 200

// Filled is n bytes of a pattern.
func Filled(seed byte, n int64) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = Pattern(seed, int64(i))
	}
	return out
}
