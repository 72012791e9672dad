// Package uapi has the constants and structs of the kernel's user interface that are
// used on the real path, with the kernel's names: io_uring, udmabuf, dma-buf and
// sync_file. Constants are verbatim; a struct or a field has its name in Go case, so that
// struct io_uring_sqe is IoUringSqe. What golang.org/x/sys/unix has is not repeated.
//
// The layouts are those of 64-bit little-endian machines, which is what the simulator
// runs on; the tests check sizes and offsets.
package uapi
