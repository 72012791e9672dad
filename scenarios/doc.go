// Package scenarios has the named races: who does what on the whole path from
// io_uring to the exporter, which designs are put to it, and what is expected of each.
//
// A [Scenario] is a value. The same one drives the tests, the command and the
// documentation. A [Case] is a scenario with a design and its repairs; [Case.Check]
// explores it.
//
// # What every scenario checks
//
//   - the result of every I/O is the number of bytes that was asked for, unless the
//     scenario says otherwise;
//   - after a read the buffer holds what the blocks held, after a write the blocks
//     what the buffer held, wherever the buffer is by then;
//   - a moved buffer keeps its contents, and pages that were given away keep those of
//     their new owner;
//   - at the end nothing is left: memory, buffers, attachments, IOMMU mappings, locks,
//     unsignalled fences;
//   - whatever package kernel and package hw report by themselves.
//
// Tags and queue references are checked at the end by the scenarios that say so.
package scenarios
