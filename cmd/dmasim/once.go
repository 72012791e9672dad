package main

import (
	"fmt"
	"strings"
)

// once is a flag that takes one value; a second one is an error, not a replacement.
type once struct {
	value *string
	given bool
}

func (o *once) String() string {
	if o.value == nil {
		return ""
	}
	return *o.value
}

func (o *once) Set(s string) error {
	if o.given {
		return fmt.Errorf("it was given before, as %q", *o.value)
	}
	*o.value, o.given = s, true
	return nil
}

// list is a flag whose values add up, separated by commas or by giving it again.
type list struct{ value *string }

func (l list) String() string {
	if l.value == nil {
		return ""
	}
	return *l.value
}

func (l list) Set(s string) error {
	*l.value = strings.TrimPrefix(*l.value+","+s, ",")
	return nil
}
