package demo

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChooseTakesDirectories: what DATA= names is walked through, and told from its
// content; where there is nothing to seal, the demonstration says so before it makes a
// network.
func TestChooseTakesDirectories(t *testing.T) {
	empty, full := t.TempDir(), t.TempDir()
	deep := filepath.Join(full, "a b", "c")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range eachFormat + 2 {
		name := filepath.Join(deep, strings.Repeat("x", i+1))
		if err := os.WriteFile(name, []byte("%PDF-1.4\n%%EOF\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]int{empty: 0, filepath.Join(empty, "missing"): 0, full: eachFormat} {
		d := &demo{Options: Options{Data: dir, Out: io.Discard}}
		err := d.choose()
		if len(d.files) != want || errors.Is(err, errNoRecords) != (want == 0) || (want > 0 && err != nil) {
			t.Errorf("%s: %d files, %v, want %d files", dir, len(d.files), err, want)
		}
	}
}

// TestGoOn: the words at the end name the network that was used, so that they can be
// copied.
func TestGoOn(t *testing.T) {
	for dir, want := range map[string][]string{
		"/b/network": {"/b/chartseal --user ", "make down "},
		"/my net":    {"/b/chartseal --wallet '/my net/wallet' --user ", "make down DIR='/my net' "},
	} {
		d := &demo{Options: Options{Bin: "/b", Dir: dir}, sealed: []sealed{{Record: "id"}}}
		for _, w := range want {
			if text := d.goOn(); !strings.Contains(text, w) {
				t.Errorf("network in %s: no %q in %s", dir, w, text)
			}
		}
	}
}
