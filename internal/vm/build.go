package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// moduleRoot is the folder of the module, which the tests are built from.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("there is no go command, which builds the tests")
	}
	name, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || name != "dmasim" || dir == "" {
		return "", errors.New("the tests are built from the source: run this in the folder of the module dmasim")
	}
	return dir, nil
}

// build builds the tests and the first process into a folder, all of them static.
func build(ctx context.Context, root, into string, tests []Test) error {
	args := []string{"test", "-c", "-trimpath", "-ldflags=-s -w", "-o", into + string(filepath.Separator)}
	for _, t := range tests {
		args = append(args, "./"+t.Package)
	}
	if err := goCommand(ctx, root, args...); err != nil {
		return err
	}
	return goCommand(ctx, root, "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(into, "init"), "./internal/vm/guest/init")
}

func goCommand(ctx context.Context, root string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
