package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// layOut makes a directory look like a clone of the repository after "make build", and
// returns the directory of the programs. What the repository has is linked; build/, and
// what the commands of a page of documentation write, are the clone's own.
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
	// In the repository itself, so that Go's build cache serves.
	build := exec.CommandContext(ctx, "make", "--no-print-directory", "build", "BIN="+programs)
	build.Dir, build.Env = root, environment()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, out)
	}
	return programs, nil
}

// repository is the root of the module.
func repository() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// environment is this process's, without what would make the programs of a clone look
// elsewhere.
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
