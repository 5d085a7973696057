package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client"
)

// entries lists a directory, so that a test sees everything that was left in it.
func entries(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestOutFile(t *testing.T) {
	t.Run("committed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "record")
		f, err := createFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "text")
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatal("the file is visible before it is committed")
		}
		if err := errors.Join(f.Commit(), f.Close()); err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(path)
		info, _ := os.Stat(path)
		if string(got) != "text" || info.Mode().Perm() != 0o600 || entries(t, filepath.Dir(path)) != "record" {
			t.Fatalf("content %q, mode %v, directory %q", got, info.Mode(), entries(t, filepath.Dir(path)))
		}
	})
	t.Run("not committed", func(t *testing.T) {
		dir := t.TempDir()
		unnamed, err := createUnnamed(filepath.Join(dir, "record"))
		if err != nil {
			t.Skipf("files need names here: %v", err)
		}
		unnamed.Close()
		f, err := createFile(filepath.Join(dir, "record"), true)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		io.WriteString(f, "not verified")
		if left := entries(t, dir); left != "" {
			t.Fatalf("a process that is killed now leaves %q", left)
		}
	})
	t.Run("with a hidden name", func(t *testing.T) { // as on file systems without unnamed files
		for _, force := range []bool{false, true} {
			dir := t.TempDir()
			hidden, err := os.CreateTemp(dir, hiddenName+"*")
			if err != nil {
				t.Fatal(err)
			}
			f := &outFile{File: hidden, path: filepath.Join(dir, "record"), named: hidden.Name(), force: force}
			io.WriteString(f, "text")
			if err := errors.Join(f.Commit(), f.Close()); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(f.path); string(got) != "text" || entries(t, dir) != "record" {
				t.Fatalf("content %q, directory %q", got, entries(t, dir))
			}
		}
	})
	t.Run("abandoned", func(t *testing.T) {
		dir := t.TempDir()
		f, err := createFile(filepath.Join(dir, "record"), false)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "text")
		f.Close()
		if left := entries(t, dir); left != "" {
			t.Fatalf("left behind: %q", left)
		}
	})
	t.Run("appears meanwhile", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "record")
		f, err := createFile(path, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(); !errors.Is(err, client.ErrExists) {
			t.Fatalf("Commit over a file that appeared: %v", err)
		}
		f.Close()
		if got, _ := os.ReadFile(path); string(got) != "precious" || entries(t, dir) != "record" {
			t.Fatalf("content %q, directory %q", got, entries(t, dir))
		}
	})
	t.Run("forced", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "record")
		os.WriteFile(path, []byte("old"), 0o644)
		if _, err := createFile(path, false); !errors.Is(err, client.ErrExists) {
			t.Fatalf("createFile over an old file: %v", err)
		}
		f, err := createFile(path, true)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "new")
		if err := errors.Join(f.Commit(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != "new" || entries(t, dir) != "record" {
			t.Fatalf("content %q, directory %q", got, entries(t, dir))
		}
	})
	for name, path := range map[string]string{"directory": t.TempDir(), "device": os.DevNull} {
		t.Run(name, func(t *testing.T) {
			if _, err := createFile(path, true); !errors.Is(err, errUsage) {
				t.Fatalf("createFile(%s) = %v", path, err)
			}
		})
	}
}

func TestSpoolHoldsBack(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for _, size := range []int{0, 1, spoolMemory, spoolMemory + 1, 3 * spoolMemory} {
		want := make([]byte, size)
		rand.Read(want)
		var out bytes.Buffer
		s := newSpool(&out, false)
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1<<20+7)
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if out.Len() > 0 {
			t.Fatalf("%d bytes: %d were released before Commit", size, out.Len())
		}
		if left := entries(t, tmp); left != "" {
			t.Fatalf("%d bytes: the temporary file has a name: %q", size, left)
		}
		if err := errors.Join(s.Commit(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("%d bytes: what came out differs", size)
		}
	}
}

func TestSpoolProtectsTerminal(t *testing.T) {
	for text, shown := range map[string]bool{
		"plain\ttext\r\nGrüße, 患者\n": true,
		"\x1b]0;title\x07":           false,
		"\x9b31m":                    false,
		"right-to-left \u202e":       false,
		"binary \x00":                false,
		"cut \xe6\x82":               false,
	} {
		var out bytes.Buffer
		s := newSpool(&out, true)
		for i := range len(text) { // cut inside characters
			s.Write([]byte{text[i]})
		}
		err := s.Commit()
		if (err == nil) != shown || (out.String() == text) != shown {
			t.Errorf("%q: error %v, shown %q", text, err, out.String())
		}
	}
}
