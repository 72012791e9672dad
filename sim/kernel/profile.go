package kernel

// Profile is the version of the kernel that is modelled. It decides where versions
// differ in what a protocol can tell.
type Profile uint8

const (
	// V6_12 is the long-term kernel that the real path is compared with.
	V6_12 Profile = iota
	// RFCBase is what RFC v2 was posted against, between 6.18 and 6.19.
	RFCBase
	// V7_3 is the kernel that the reference of primitives was read from.
	V7_3
)

var profileNames = [...]string{"6.12", "rfc-base", "7.3"}

func (p Profile) String() string { return profileNames[p] }
