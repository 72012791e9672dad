// Package iter models what travels between io_uring and a file: iov_iter, and the
// kiocb and file that it goes to.
//
// # How Linux does it
//
// lib/iov_iter.c and include/linux/fs.h. An iov_iter is a position in a description
// of memory; consumers advance it as they take from it.
//
// # How the model does it
//
// RFC v2 adds the type ITER_DMA_TOKEN, whose memory is a token and an offset
// (spec section 3). Functions carry their step numbers (IT-1).
//
// # Left out
//
// The other iterator types, and copying.
package iter
