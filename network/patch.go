package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// patchesFile is the file beside an upstream's go.mod with our changes of its modules.
const patchesFile = "patches.yaml"

// A patch is a change of ours to one file of a module that a server is built from.
type patch struct {
	Module string `yaml:"module"`
	File   string `yaml:"file"`
	SHA256 string `yaml:"sha256"` // of the file that it was written for
	Reason string `yaml:"reason"`

	Replace []struct {
		Old string `yaml:"old"` // occurs exactly once
		New string `yaml:"new"`
	} `yaml:"replace"`
}

// readPatches returns the patches of an upstream, and none if it has no such file.
func readPatches(source string) (all []patch, err error) {
	text, err := os.ReadFile(filepath.Join(source, patchesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = yaml.Unmarshal(text, &all)
	}
	return all, err
}

// patched writes copies of the patched modules to dir, beside a go.mod that builds with
// them. It returns the copies by module, and the name of the go.mod, which is empty if
// there are no patches.
func (u upstream) patched(ctx context.Context, source, dir string) (copies map[string]string, modfile string, err error) {
	patches, err := readPatches(source)
	if err != nil || len(patches) == 0 {
		return nil, "", err
	}
	gomod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return nil, "", err
	}
	gosum, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return nil, "", err
	}
	copies = make(map[string]string)
	for _, p := range patches {
		if copies[p.Module] == "" {
			original, err := u.moduleDir(ctx, source, p.Module)
			if err != nil {
				return nil, "", err
			}
			copies[p.Module] = filepath.Join(dir, filepath.Base(p.Module))
			if err := os.CopyFS(copies[p.Module], os.DirFS(original)); err != nil {
				return nil, "", err
			}
			gomod = fmt.Appendf(gomod, "\nreplace %s => %s\n", p.Module, copies[p.Module])
		}
		file := filepath.Join(copies[p.Module], filepath.FromSlash(p.File))
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, "", err
		}
		if text, err = p.apply(text); err != nil {
			return nil, "", err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return nil, "", err
		}
	}
	modfile = filepath.Join(dir, "go.mod")
	return copies, modfile, errors.Join(os.WriteFile(modfile, gomod, 0o644), os.WriteFile(filepath.Join(dir, "go.sum"), gosum, 0o644))
}

// apply returns the patched text of the file.
func (p patch) apply(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	if is := hex.EncodeToString(sum[:]); is != p.SHA256 {
		return nil, fmt.Errorf("%s/%s is not the file that %s was written for: its SHA-256 is %s, not %s", p.Module, p.File, patchesFile, is, p.SHA256)
	}
	patched := string(text)
	for _, r := range p.Replace {
		if n := strings.Count(patched, r.Old); n != 1 {
			return nil, fmt.Errorf("%s/%s has %d times what %s replaces: %.80q", p.Module, p.File, n, patchesFile, r.Old)
		}
		patched = strings.Replace(patched, r.Old, r.New, 1)
	}
	return []byte(patched), nil
}

// moduleDir returns the source of a module in Go's cache, and fetches it if needed.
func (u upstream) moduleDir(ctx context.Context, source, module string) (string, error) {
	out, err := u.goCommand(ctx, source, "mod", "download", "-json", module).Output()
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, commandError(err))
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("go mod download %s: %w", module, err)
	}
	return found.Dir, nil
}
