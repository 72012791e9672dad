package nvmesim

import "fmt"

// Status is the status of a completion: type and code, and above them what the host
// may do about it. The phase bit is not part of it.
type Status uint16

const (
	Success              Status = 0x00
	InvalidOpcode        Status = 0x01
	InvalidField         Status = 0x02
	DataTransferError    Status = 0x04
	InternalError        Status = 0x06
	AbortRequested       Status = 0x07
	AbortQueue           Status = 0x08
	InvalidNamespace     Status = 0x0b
	InvalidSGLSegment    Status = 0x0d
	InvalidSGLCount      Status = 0x0e
	InvalidSGLLength     Status = 0x0f
	InvalidSGLType       Status = 0x11
	InvalidPRPOffset     Status = 0x13
	CommandInterrupted   Status = 0x21
	LBARange             Status = 0x80
	CapExceeded          Status = 0x81
	NamespaceNotReady    Status = 0x82
	ReservationConflict  Status = 0x83
	ConflictingAttribute Status = 0x180
	InvalidPI            Status = 0x181
	ReadOnlyRange        Status = 0x182
	WriteFault           Status = 0x280
	ReadError            Status = 0x281
	GuardCheck           Status = 0x282
	AppTagCheck          Status = 0x283
	RefTagCheck          Status = 0x284
	CompareFailed        Status = 0x285
	AccessDenied         Status = 0x286
	Unwritten            Status = 0x287
	HostPathError        Status = 0x370 // made by the driver, as is the next
	HostAborted          Status = 0x371

	// CRD says after how long to retry: which of the controller's three delays.
	CRD      Status = 0x1800
	crdShift        = 11
	// DNR says that it is of no use to try again.
	DNR Status = 0x4000
)

// statusMask is type and code.
const statusMask Status = 0x7ff

var statusNames = map[Status]string{
	Success: "success", InvalidOpcode: "invalid opcode", InvalidField: "invalid field", DataTransferError: "data transfer error",
	InternalError: "internal error", AbortRequested: "abort requested", AbortQueue: "aborted, queue deleted",
	InvalidNamespace: "invalid namespace", InvalidSGLSegment: "invalid SGL segment descriptor",
	InvalidSGLCount: "invalid number of SGL descriptors", InvalidSGLLength: "data SGL length invalid",
	InvalidSGLType: "SGL descriptor type invalid", InvalidPRPOffset: "PRP offset invalid",
	CommandInterrupted: "command interrupted", LBARange: "LBA out of range", CapExceeded: "capacity exceeded",
	NamespaceNotReady: "namespace not ready", ReservationConflict: "reservation conflict",
	ConflictingAttribute: "conflicting attributes", InvalidPI: "invalid protection information", ReadOnlyRange: "read-only range",
	WriteFault: "write fault", ReadError: "unrecovered read error", GuardCheck: "guard check error", AppTagCheck: "application tag check error",
	RefTagCheck: "reference tag check error", CompareFailed: "compare failure", AccessDenied: "access denied", Unwritten: "unwritten block",
	HostPathError: "host path error", HostAborted: "aborted by the host",
}

func (s Status) String() string {
	n, ok := statusNames[s&statusMask]
	if !ok {
		n = "status"
	}
	n += fmt.Sprintf(" (%#x)", uint16(s&statusMask))
	if s&DNR != 0 {
		n += ", do not retry"
	}
	return n
}
