package wallet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Memory keeps small items as files of a directory. It implements trust.Memory.
type Memory struct{ dir string }

// Memory is the user's own.
func (u *User) Memory() *Memory { return &Memory{dir: filepath.Join(u.dir, "state")} }

// Load returns [ledger.ErrNotFound] for an item that is not there.
func (m *Memory) Load(name string) ([]byte, error) {
	path, err := m.path(name)
	if err != nil {
		return nil, err
	}
	data, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ledger.Errorf(ledger.ErrNotFound, "no item %s", name)
	}
	return data, err
}

// Store replaces an item.
func (m *Memory) Store(name string, data []byte) error {
	path, err := m.path(name)
	if err != nil {
		return err
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

func (m *Memory) path(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", ledger.Errorf(ledger.ErrInvalid, "%q is not the name of an item", name)
	}
	return filepath.Join(m.dir, filepath.FromSlash(name)), nil
}

// List returns the names of the items in a directory of the memory, in order.
func (m *Memory) List(dir string) (names []string, err error) {
	path, err := m.path(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, dir+"/"+e.Name())
		}
	}
	return names, err
}
