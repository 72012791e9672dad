// Package vm runs the tests of the real path in a virtual machine: a stock kernel with
// udmabuf, booted by QEMU with software emulation, and an emulated NVMe drive. The host
// need have neither of the two, nor allow io_uring.
//
// # How it works
//
// The test binaries are built statically and packed, with their testdata and a first
// process (package guest), into a first file system, which is all that the guest has. It
// runs them one after the other, and the drive is theirs. What they write comes out
// through a virtio-serial port, how they ended through another, and the kernel's own
// messages through a serial line, whose last lines are shown when the guest dies. All of
// that, the drive as well, is in memory of this process without a name, so that nothing is
// left behind, whatever end it takes; QEMU is killed with it. QEMU can trace what the drive
// was told: Trace.
//
// Nothing is fetched. What is needed is looked for where install.sh, beside this file,
// puts it: kernels in Dir/kernels, and QEMU in the search path or in Dir/bin.
//
// # Left out
//
// Machines other than x86-64, hosts other than Linux, networks, more than one drive, and
// hardware virtualisation unless it is asked for.
package vm
