// Package iter models what travels between io_uring and a file: iov_iter, and the
// kiocb and file that it goes to.
//
// # How Linux does it
//
// lib/iov_iter.c, include/linux/uio.h and include/linux/fs.h. An iov_iter is a position in
// a description of memory; consumers advance it as they take from it.
//
// # How the model does it
//
// There are the types UBUF, IOVEC, KVEC and BVEC, and the ITER_DMA_TOKEN of RFC v2, whose
// memory is a token and an offset (spec section 3). Functions carry the step numbers of
// the latter (IT-1).
//
// Kernel memory is pages. User memory is an address space ([Mm]), which says for each page
// of addresses which page of memory is there, if any; copies end short at one that is not.
// A copy moves data between pages and a value of [hw.Data], and is one operation. Moving
// and asking are no operations: an iterator belongs to one task.
//
// Where the kernel would read behind the end of a table of vectors, the model fails as a
// kernel with KASAN does.
//
// # Ordinary types and the token
//
// What the functions that know the new type do is in the specification. All others were
// not touched, and do what they do with any type that they do not know. As posted:
//
//	                    UBUF, IOVEC, KVEC, BVEC              DMA_TOKEN
//	advance             at most count; on to the next        at most count; offset moves
//	                    vector that is not empty
//	revert too far      BUG; vectors: reads before them      BUG
//	truncate, reexpand  count only                           count only
//	save, restore       offset, count and vector             offset and count
//	alignment           addresses and lengths                (address of the token + offset)
//	                                                         and length: says nothing
//	is_aligned          addresses and lengths                always
//	gap_alignment       UBUF 0; IOVEC where two meet;        0
//	                    others WARN
//	npages              pages of what is left                0
//	single_seg_count    the rest of the vector               count
//	dup                 copies the vectors; NULL for UBUF    NULL; the token is shared
//	fault_in            user memory is made present          nothing to do
//	copy, zero          moves bytes; short at a fault;       no byte moves; count shrinks,
//	                    advances                             offset stays; returns all
//	copy, wrong way     WARN, 0                              WARN, 0
//	extract_pages       pages; user pages are pinned         -EFAULT
//
// So what was copied through a token iterator cannot be reverted: the offset did not move,
// and a revert takes it back to before where it began, or ends in BUG.
//
// # Left out
//
// XARRAY, FOLIOQ and DISCARD. Copies that stop at memory errors. RWF_DONTCACHE and
// RWF_NOSIGNAL. Files that are append-only. That 6.12 warns of the restore of a KVEC
// iterator, which works all the same. Folios: neighbouring pages are taken for
// parts of one. Copy on write, and page tables that are more than a page each.
package iter
