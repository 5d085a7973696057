package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// layOut makes a directory look like a clone of the repository after "make build". It
// returns the directory of the programs. The files of the repository are links. The clone
// has its own build/, and commands of documentation pages write into the clone.
func layOut(ctx context.Context, clone string) (programs string, err error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return "", err
	}
	programs = filepath.Join(clone, "build")
	for _, e := range entries {
		if e.Name() == "build" || e.Name() == ".git" {
			continue
		}
		if err := os.Symlink(filepath.Join(root, e.Name()), filepath.Join(clone, e.Name())); err != nil {
			return "", err
		}
	}
	// It runs in the repository itself, to use Go's build cache.
	build := exec.CommandContext(ctx, "make", "--no-print-directory", "build", "BIN="+programs)
	build.Dir, build.Env = root, environment()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, out)
	}
	return programs, nil
}

// repository returns the root directory of the module.
func repository() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// environment returns this process's environment without the variables that would direct
// a clone's programs to another place.
func environment(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "CHARTSEAL_") && name != "CHARTSEAL_CACHE":
		case name == "MAKEFLAGS", name == "MFLAGS", name == "MAKELEVEL", name == "TOPOLOGY", name == "DIR", name == "DATA":
		default:
			env = append(env, e)
		}
	}
	return append(env, more...)
}
