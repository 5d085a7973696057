package wallet

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// writeFile replaces a file for the owner alone. Readers see the old content or the new
// one, also after a crash.
func writeFile(path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // fails once renamed
	return os.Rename(temp, path)
}

// createFile makes a file for the owner alone, and fails with [fs.ErrExist] if it exists.
// If several processes try, one succeeds. Readers never see a part of the file.
func createFile(path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	return os.Link(temp, path)
}

func writeTemp(path string, data []byte) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return "", err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, ledger.Errorf(ledger.ErrDenied, "%s is a secret that others may read (mode %04o): run chmod 600 on it", path, mode)
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if int64(n) != info.Size() {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}
