package chart

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestDraw(t *testing.T) {
	up, down := Curve{Name: "bare put"}, Curve{Name: "seal"}
	for i := 1.0; i < 1000; i *= 10 {
		up.Add(i, i)
		down.Add(i, 1/i)
	}
	dir := filepath.Join(t.TempDir(), "plots")
	err := Draw(dir, Chart{File: "a", Title: "Title", X: "callers", Y: "ms", Curves: []Curve{up, down}},
		Chart{File: "b", LogX: true, Curves: []Curve{up}}, Chart{File: "c", LogX: true, LogY: true, Curves: []Curve{down, up}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.svg", "b.svg", "c.svg"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(text, []byte("<svg")) || !bytes.Contains(text, []byte("bare put")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Draw(dir, Chart{File: "no/such/directory", Curves: []Curve{up}}); err == nil {
		t.Error("drew into a directory that is not there")
	}
}
