package fault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk takes no byte, also after somebody has removed a file, and its files are
// those of before.
func TestFill(t *testing.T) {
	needKind(t, full)
	r := &run{Options: Options{Dir: t.TempDir(), Out: testLog{t}}}
	old := filepath.Join(r.mountPoint("HospitalA"), "peer", "old")
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.giveDisks(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.takeDisks(); err != nil {
			t.Error(err)
		}
	})
	added := filepath.Join(r.mountPoint("HospitalA"), "peer", "new")
	n := 0
	write := func() error { n++; return os.WriteFile(fmt.Sprint(added, n), make([]byte, 64<<10), 0o600) }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.fill("HospitalA"); err != nil {
			t.Fatal(err)
		}
		if err := write(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("writing to a full disk: %v", err)
		}
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	if err := os.Remove(r.filler("HospitalA")); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
