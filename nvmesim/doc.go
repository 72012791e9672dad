// Package nvmesim models an NVMe drive and the data path of its PCI driver.
//
// # How Linux does it
//
// drivers/nvme/host/pci.c: queue_rq builds a command, maps its data, writes the data pointer,
// puts the command into a submission queue and rings the doorbell. The controller fetches
// the command, follows the data pointer, moves the data by bus address, posts a completion
// and raises an interrupt; the handler looks the request up and ends it or tries it again.
//
// # How the model does it
//
// The driver's functions carry the steps of the specification of RFC v2 (NV-1, PRE-2,
// CMP-1). PRP lists and SGL segments lie in simulated memory, in blocks of the driver's
// descriptor pools, and the controller reads them there, through the IOMMU, as it finds them
// when it fetches the command. Ordinary requests are programmed as Linux 6.12 does it:
// testdata has commands of a real kernel, and the tests compare.
//
// The controller takes three operations for a command: it fetches it and works out where its
// data is, transfers the data through the IOMMU, and posts the completion. Each command is a
// task of its own, so commands overtake each other as the strategy likes. Queues are
// independent of each other, and so are commands of one queue as far as the interrupts are,
// see [Completion]. A [Fault] makes a drive slow, deaf or broken.
//
// The drive's blocks are kept as contents of package hw, and only those that were written
// cost memory.
//
// # Left out
//
// The memory of the rings: they cannot be overwritten, or freed too early. Metadata and
// protection information, namespaces besides the first, formats other than 512 bytes,
// passthrough commands, shadow doorbells, the host memory buffer. The order in which a
// controller fetches: commands are read from the ring when the doorbell rings.
package nvmesim
