//go:build linux

// Command init is the first process of the virtual machine.
package main

import "dmasim/internal/vm/guest"

func main() { guest.Main() }
