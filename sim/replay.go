package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// ReplayVersion is the version of the form of replay strings and of what their
// step numbers count. It changes whenever old strings would mean something else.
const ReplayVersion = 1

// Replay is a run in one short string:
//
//	s1.7f3a.publish-after-unlock.rfc-v2@6>2?0=1#c41d09ab
//
// that is version, fingerprint of the model, program with its parameters,
// variant of it, schedule, hash of the trace.
type Replay struct {
	// Fingerprint tells whether the model is the one that the string was made
	// with, see Fingerprint.
	Fingerprint uint16
	// Program and Variant are names without '.', '@', '?' and '#'. What they
	// mean is up to whoever runs programs.
	Program, Variant string
	Schedule         Schedule
	// Hash is the low half of Result.Hash: a silently different run cannot pass for
	// the same one.
	Hash uint32
}

// Fingerprint makes 16 bits of the hash of a program's run under the default
// rule.
func Fingerprint(hash uint64) uint16 { return uint16(mix(hash, 0xf1)) }

func (r Replay) String() string {
	return fmt.Sprintf("s%d.%04x.%s.%s%s#%08x", ReplayVersion, r.Fingerprint, r.Program, r.Variant, r.Schedule, r.Hash)
}

// ParseReplay reads what Replay.String printed. Its errors say what is wrong and
// what would be right.
func ParseReplay(text string) (Replay, error) {
	const form = "a replay string looks like s1.7f3a.publish-after-unlock.rfc-v2@6>2#c41d09ab"
	var r Replay
	if text == "" {
		return r, fmt.Errorf("the replay string is empty; %s", form)
	}
	body, hash, ok := strings.Cut(text, "#")
	if !ok {
		return r, fmt.Errorf("replay string %q has no '#' with the hash of the trace; was it cut off? %s", text, form)
	}
	h, err := strconv.ParseUint(hash, 16, 32)
	if err != nil || len(hash) != 8 {
		return r, fmt.Errorf("replay string %q: the trace hash %q is not eight hexadecimal digits", text, hash)
	}
	r.Hash = uint32(h)
	head, schedule := body, ""
	if i := strings.IndexAny(body, "@?"); i >= 0 {
		head, schedule = body[:i], body[i:]
	}
	if r.Schedule, err = ParseSchedule(schedule); err != nil {
		return r, fmt.Errorf("replay string %q: %w", text, err)
	}
	parts := strings.Split(head, ".")
	if v, ok := strings.CutPrefix(parts[0], "s"); !ok || v == "" {
		return r, fmt.Errorf("replay string %q does not begin with its version; %s", text, form)
	} else if n, err := strconv.Atoi(v); err != nil {
		return r, fmt.Errorf("replay string %q: version %q is not a number; %s", text, parts[0], form)
	} else if n != ReplayVersion {
		return r, fmt.Errorf("replay string %q has version %d; this program writes and reads version %d", text, n, ReplayVersion)
	}
	if len(parts) != 4 || parts[2] == "" || parts[3] == "" {
		return r, fmt.Errorf("replay string %q should have four parts before its schedule: version, fingerprint, scenario and design; %s", text, form)
	}
	fp, err := strconv.ParseUint(parts[1], 16, 16)
	if err != nil || len(parts[1]) != 4 {
		return r, fmt.Errorf("replay string %q: the fingerprint %q is not four hexadecimal digits", text, parts[1])
	}
	r.Fingerprint, r.Program, r.Variant = uint16(fp), parts[2], parts[3]
	return r, nil
}
