// Package report writes failures for people, and in a form for programs.
//
// [Text] is the diagram that a kernel changelog would carry: one column per
// lane, time downwards, one filled cell per row, the steps of the protocol by
// name, a mark where it went wrong, and last the command that repeats it.
// [Full] is the whole trace, one line per operation. [Failure] is the same as
// data.
//
// A lane is a root task together with the tasks that it brought about: work
// items, interrupts and callbacks stand in the column of the task that caused
// them, because kernel diagrams have two or three columns. They get a column of
// their own if the failing schedule preempts one of them for a relative, or a relative
// for one of them: then the order between them is the story.
//
// What the diagram leaves out: operations without a label, set-up and tear-down
// unless the failure happened there, choices with value 0, and the middle of
// long stretches of one task. Nothing is left out of Full.
//
// No line is longer than [Width], whatever the input. The reporter does not fail:
// whatever it cannot make sense of, it still prints the kind, the message and the
// command.
package report
