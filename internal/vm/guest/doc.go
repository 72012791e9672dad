// Package guest is the first process of the virtual machine: it makes the machine usable,
// runs the programs that it was given, tells how they ended, and switches the machine off.
// It and its job come with the first file system of the machine, which is all that there is.
package guest
