package sim

import (
	"runtime"
	"strings"
)

// chainLength bounds a chain of calls.
const chainLength = 12

// CallChain names the functions of the model that are being called, the innermost first,
// without the machine's own and without addresses: the text is the same in every run. It is
// costly, and meant for failures.
func CallChain() []string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	var out []string
	for more := true; more && len(out) < chainLength; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasSuffix(f.Function, "sim.(*worker).run") {
			break
		}
		if name := shortName(f.Function); name != "" {
			for len(out) > 0 && (out[len(out)-1] == name || partOf(out[len(out)-1], name)) {
				out = out[:len(out)-1]
			}
			out = append(out, name)
		}
	}
	return out
}

// partOf tells whether the first method is one that the second, an exported method of the
// same type, is made of: the call has the name of the latter.
func partOf(inner, outer string) bool {
	i, j := strings.LastIndexByte(inner, '.'), strings.LastIndexByte(outer, '.')
	return i > 0 && inner[i-1] == ')' && i+1 < len(inner) && j+1 < len(outer) && inner[:i] == outer[:j] &&
		inner[i+1] >= 'a' && outer[j+1] < 'a'
}

// shortName is the function's name with the last element of its package's path, without
// the numbers of closures; it is empty for what is no part of the model.
func shortName(f string) string {
	if strings.HasPrefix(f, "runtime.") || strings.HasPrefix(f, ownPackage) {
		return ""
	}
	if i := strings.Index(f, ".func"); i >= 0 {
		f = f[:i]
	}
	f = strings.ReplaceAll(f, "[...]", "")
	f = f[strings.LastIndexByte(f, '/')+1:]
	switch f[strings.LastIndexByte(f, '.')+1:] {
	case "Step", "Await", "sleep", "body", "Fail", "FailWith", "violation", "circumstances": // the doors to the machine
		return ""
	}
	return f
}

// ownPackage is how the names of this package's functions begin.
const ownPackage = "dmasim/sim."
