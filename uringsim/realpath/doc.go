// Package realpath moves bytes between real buffers and a real file through a real ring:
// sealed memfds, registered as fixed buffers, with udmabufs over them where the host has
// them, READ_FIXED and WRITE_FIXED with O_DIRECT. It is what a model is compared with.
//
// # How Linux does it
//
// See the packages udmabuf and realring. A file system passes direct I/O on to the block
// layer, which wants offsets and lengths in logical blocks; some file systems do without,
// and then answer as buffered I/O does.
//
// # How we do it
//
// A Store is a file in a temporary folder whose name is removed as soon as it is open, so
// that nothing is left behind by whatever end of the process. It is written once all over, so
// that no later write needs room on the disk. Or, if one is named, it is a part of a drive:
// a partition as long as the file would be, which is in no table and gone afterwards. What the file system does with direct I/O is
// tried out, not assumed. A Path is a ring, a store and buffers in the slots of the ring's
// table; it transfers and moves. A Machine runs the workloads of package workload.
//
// Observed, and part of the model's Traits or of what it allows: a direct read of ext4
// across the end of the file answers the short count, and leaves zeroes in the rest of its
// memory; of such a read only the part before the end has to be in whole blocks; a read that
// is refused for its odd address may have done that part or those zeroes before. tmpfs
// takes O_DIRECT and answers as the page cache does. Up to 6.12 a fixed request's buffer is
// looked up before its file, later the other way round, so that with both wrong either
// errno comes. A worker may be cancelled before it began, so that also a nop in flight can
// be. The memory of a ring that was closed counts against RLIMIT_MEMLOCK for some 50 ms.
//
// What is missing is in Notes, in sentences, and everything else still runs.
//
// # Left out
//
// Hugetlb memfds, pending fences (they need vgem or a driver).
package realpath
