// Package conformance keeps the list of what is known about the kernel's primitives: 316
// numbered cases, each a sentence that a test can check.
//
// testdata/index.txt has a line for each: its number, the version of the kernel that it
// was read from (6.12+ where it holds there as well), the package whose model it is about,
// its status, and the sentence. A case is tested by the subtest TestConformance/NUMBER of that
// package, so
//
//	go test ./... -run Conformance -v
//
// runs all of them. The status is tested; or open, for a case whose model does not exist
// yet; or not-modelled, for one that a model leaves out on purpose, with the reason in the line below. The
// test of this package fails if the list and the tests disagree.
package conformance
