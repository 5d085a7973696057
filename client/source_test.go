package client_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chartseal/chartseal/client"
)

// TestSourceID: a caller may choose a record id once. A second attempt does not change
// the record.
func TestSourceID(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	id := strings.Repeat("0f", 16)
	seal := func(id, content string) ([]client.Sealed, error) {
		s := text("note.txt", content)
		s.ID = id
		return doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{s}, Policy: doctors, Scope: "consortium", Keywords: []string{"word"}})
	}
	sealed, err := seal(id, "first")
	if err != nil || sealed[0].ID != id {
		t.Fatalf("%+v, %v", sealed, err)
	}
	if _, err := seal(id, "second"); !errors.Is(err, client.ErrExists) {
		t.Errorf("the same id again: %v", err)
	}
	if content, _, err := open(t.Context(), doctor, id, client.OpenRequest{}); err != nil || content != "first" {
		t.Errorf("%q, %v", content, err)
	}
	for _, bad := range []string{"x", id[1:], strings.ToUpper(id), id + "00"} {
		if _, err := seal(bad, "third"); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("id %q: %v", bad, err)
		}
	}
}

// A file that changes while it is read is refused, and nothing is left of it: neither by
// seal nor by amend.
func TestFileChangesWhileItIsRead(t *testing.T) {
	c := newConsortium(t)
	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	for name, change := range map[string]func(path string, f *os.File) error{
		"grows":     func(path string, f *os.File) error { _, err := f.WriteAt([]byte("more"), 5<<20); return err },
		"shrinks":   func(path string, f *os.File) error { return f.Truncate(4 << 20) },
		"rewritten": func(path string, f *os.File) error { _, err := f.WriteAt([]byte("other"), 0); return err },
	} {
		path := filepath.Join(t.TempDir(), "record")
		f, err := os.Create(path)
		if err == nil {
			err = f.Truncate(5 << 20)
		}
		if err == nil { // so that any change has another time
			err = os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour))
		}
		if err != nil {
			t.Fatal(err)
		}
		source := client.FileSource(path)
		open := source.Open
		source.Open = func() (io.ReadCloser, error) {
			in, err := open()
			return &whileRead{ReadCloser: in, do: func() { change(path, f) }}, err
		}
		_, err = doctor.Seal(t.Context(), client.SealRequest{Sources: []client.Source{source}, Policy: doctors})
		if !errors.Is(err, client.ErrInvalid) || !strings.Contains(err.Error(), "changed while it was read") {
			t.Errorf("%s: %v", name, err)
		}
		c.nothingLeft(t)
		f.Close()
	}
	sealed := c.seal(t, "first")
	path := filepath.Join(t.TempDir(), "record")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	source := client.FileSource(path)
	plain := source.Open
	source.Open = func() (io.ReadCloser, error) {
		in, err := plain()
		return &whileRead{ReadCloser: in, do: func() { os.Truncate(path, 1) }}, err
	}
	_, err := doctor.Amend(t.Context(), client.AmendRequest{ID: sealed.ID, SealRequest: client.SealRequest{Sources: []client.Source{source}, Policy: doctors}})
	if !errors.Is(err, client.ErrInvalid) {
		t.Errorf("amend: %v", err)
	}
	if _, opened, err := open(t.Context(), doctor, sealed.ID, client.OpenRequest{}); err != nil || opened.Version != 1 {
		t.Errorf("version %d, %v", opened.Version, err)
	}
}

// whileRead does something after the first read.
type whileRead struct {
	io.ReadCloser
	do func()
}

func (w *whileRead) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p[:min(len(p), 1000)])
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return n, err
}
