// Package udmabuf makes real dma-bufs out of memfds, for the runs that compare the models
// with a kernel.
//
// # How Linux does it
//
// drivers/dma-buf/udmabuf.c takes pages of a memfd that can shrink no more (F_SEAL_SHRINK,
// and not sealed against writing) and exports them. The dma-buf can be mapped; its mapping
// has no struct pages for those who want to pin them, so it cannot be a fixed buffer of
// io_uring, and direct I/O into it fails. The mapping of the memfd can, and shows the same
// bytes. CPU access to a dma-buf is bracketed by DMA_BUF_IOCTL_SYNC, which waits for
// fences. A sync_file carries fences out of and into its reservation object
// (drivers/dma-buf/dma-buf.c, sync_file.c).
//
// # How we do it
//
// A Memfd and its mapping are the view for I/O, a DmaBuf and its mapping the view for the
// CPU. Buffer is both. Where there is no /dev/udmabuf, or where it may not be opened, a
// Buffer is the memfd alone, CPU access goes through its mapping, and Note says so. Every
// mapping lies between two pages that nobody can touch, so that an access past its end
// fails instead of hitting a neighbour. Where the kernel has vgem, a Vgem makes fences that
// stay pending, for dma-bufs to import.
//
// A call that fails returns a *uapi.Error with what was attempted and the errno.
//
// # Left out
//
// Hugetlb memfds, exporters other than the system heap, merging sync_files and their deadlines, names
// of buffers.
package udmabuf
