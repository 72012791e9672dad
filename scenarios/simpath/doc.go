// Package simpath runs the workloads of package workload on the simulated path: the ring, the
// block layer, a drive and buffers, in one deterministic machine, whose strategy decides in
// which order things complete. Package realpath runs the same workloads on a kernel.
//
// # How it is done
//
// The program of a workload is a task of the simulated machine. Its buffers are memfds with
// udmabufs over them, mapped three times as on the real path: for reading and writing, for
// reading, and as the dma-buf. The file is what [Options.Traits] say: one of a file system with
// direct I/O on a virtual disk, a block device, or one in the page cache. So the traits of a
// real store give a simulated one whose results can be compared to the letter.
//
// With a design the buffers are dma-bufs that a driver may move, and what is registered for the
// file is they themselves: no kernel has that yet. [ForTokens] leaves of a workload what must
// have the same results with them; the package's tests list the differences.
//
// Bytes have an origin in the models, not a value. [Run] gives them the value that the real path
// has there, by workload.Pattern.
//
// # Left out
//
// What package workload leaves out. The page cache in front of a file with O_DIRECT, and the
// file system's own blocks: files are written all over and never grow.
package simpath
