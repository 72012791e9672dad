package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"dmasim/internal/vet"
)

// vetted is a finding of vet --json.
type vetted struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// vet looks for state of protocols that explorations do not see.
func (a *app) vet(args []string) (int, error) {
	fs := flags("vet")
	asJSON := fs.Bool("json", false, "")
	patterns, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	if len(patterns) == 0 {
		return 0, errors.New("it takes the names of packages, such as ./...")
	}
	found, err := vet.Packages("", patterns...)
	if err != nil {
		return 0, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for _, f := range found {
		if *asJSON {
			if err := enc.Encode(vetted{f.Pos.Filename, f.Pos.Line, f.Pos.Column, f.Message}); err != nil {
				return 0, err
			}
			continue
		}
		fmt.Fprintln(a.stdout, f.In(dir))
	}
	if len(found) > 0 {
		return exitDiffers, nil
	}
	return exitOK, nil
}
