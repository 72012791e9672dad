// Package nvmesim models an NVMe drive and the data path of its PCI driver.
//
// # How Linux does it
//
// drivers/nvme/host/pci.c: queue_rq builds a command, maps its data, writes PRP1 and
// PRP2 and rings the doorbell. The controller fetches the command, moves the data by
// bus address, posts a completion and raises an interrupt; the handler ends the
// request.
//
// # How the model does it
//
// The driver's functions carry the steps of the specification of RFC v2 (NV-1, PRE-2,
// CMP-1). The controller takes three operations for a command: it fetches it (and
// works out its pages), transfers the data through the IOMMU, and posts the
// completion. Each command is a task of its own, so commands overtake each other as
// the strategy likes. The drive's blocks are kept as contents of package hw, only those
// that were touched.
//
// # Left out
//
// PRP lists, and so transfers that touch more than two pages: the queue's limit is two
// segments, and what exceeds it fails in the block layer; transfers at addresses that are
// not multiples of a sector (a real drive takes multiples of four bytes). SGLs, requests that are not
// premapped, queues' memory and phase bits, errors, timeouts, aborts and resets.
package nvmesim
