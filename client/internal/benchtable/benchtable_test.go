package benchtable

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client/internal/bench"
)

func TestNoise(t *testing.T) {
	read := func(seed uint64) []byte {
		data, err := io.ReadAll(noise(5000, seed))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if a := read(1); len(a) != 5000 || !bytes.Equal(a, read(1)) || bytes.Equal(a, read(2)) || bytes.Equal(a, read(1<<63)) {
		t.Error("noise is not a function of the whole seed")
	}
}

func TestProcessMemory(t *testing.T) {
	keep := make([]byte, 64<<20)
	for i := range keep {
		keep[i] = 1
	}
	now := processMemory(os.Getpid(), "VmRSS") // before the greatest, which only grows
	if greatest := processMemory(os.Getpid(), "VmHWM"); greatest < 64<<20 || greatest < now {
		t.Errorf("greatest %d bytes, now %d", greatest, now)
	}
	if got := processMemory(1<<30, "VmHWM"); got != 0 {
		t.Errorf("nobody has %d bytes", got)
	}
}

func TestDraw(t *testing.T) {
	r := &run{report: &bench.Report{Out: io.Discard}}
	var up, down curve
	for i := 1.0; i < 1000; i *= 10 {
		up.add(i, i)
		down.add(i, 1/i)
	}
	r.curves = []plotted{{file: "a", title: "Title", x: "callers", ours: up, bare: down, bareName: "bare put"}, {file: "b", ours: up, bare: down, oursName: "seal", log: true}}
	dir := t.TempDir()
	if err := r.draw(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.svg", "b.svg"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), "<svg") || name == "a.svg" && !strings.Contains(string(text), "bare put") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
