// Package workload is a small language for what a program does with a ring, fixed
// buffers, dma-bufs and a file. The same workload runs on a real kernel and on models, and
// the outcomes are compared.
//
// A workload is text, a line each for its sizes and for every operation:
//
//	workload buffers=2 size=16384 file=65536
//	register b0 b1+512:4096 -
//	write_fixed slot=0 b0+4096:8192 off=512
//	read_fixed hold slot=1 b1+512:512 off=8192
//	update 1 b0
//	unregister
//	wait
//	cpu_write b1+0:64 fill=7
//	cpu_read b0+100:28
//
// b1+512:4096 is memory: 4096 bytes at 512 of buffer 1, in the mapping that can be
// registered. b1 is all of buffer 1; ro1 is its read-only mapping, dma1 that of its dma-buf,
// null:4096 an address that is 0, and - an empty slot. -*16385 is many of them. A request
// is waited for, unless it says hold: then it stays in flight until a wait. async has a
// worker issue it. to=closed, to=readonly and to=dma0 direct it at a descriptor that is not
// open, at the file opened for reading, and at a dma-buf. cancel 3 cancels what the third
// operation requested.
//
// A Machine executes workloads. Run drives it, and Check compares an outcome with Model,
// which has the bytes and errnos that are known of real kernels. Where kernels or devices
// differ, such as direct I/O at odd addresses, the model allows each answer and goes on
// with the one that was given. What is in flight must not race with what comes later,
// neither for bytes nor, if async, for the table; Validate says where it does.
//
// Package draw generates workloads.
//
// # Left out
//
// Linked requests, short transfers other than at the end of the file, writes past it,
// plain reads and writes that leave their mapping, fixed files, several rings, tags,
// vectored requests.
package workload
