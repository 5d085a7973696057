package fault

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestLeftovers: a failed seal explains one payload of its size at its own hospital, for
// as long as the keeper's time of grace, and nothing else.
func TestLeftovers(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "chartseal"), []byte("#!/bin/sh\nexit 6\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := &run{Options: Options{Bin: bin, Dir: t.TempDir(), Out: testLog{t}}}
	r.load = newLoad(r)
	l := r.load
	for range 2 {
		l.seal(t.Context(), doctorB, "word")
	}
	a, b := l.left[0].size, l.left[1].size
	if a == b {
		l.left[1].size++ // their contents had nearly the same length, by chance
		b++
	}
	for name, c := range map[string]struct {
		hospital string
		sizes    map[string]int64
		strange  []string
	}{
		"both":             {"HospitalB", map[string]int64{"one": a, "two": b}, nil},
		"one more":         {"HospitalB", map[string]int64{"one": a, "two": b, "zwei": b}, []string{"zwei"}},
		"another size":     {"HospitalB", map[string]int64{"one": a, "two": a + b}, []string{"two"}},
		"another hospital": {"HospitalC", map[string]int64{"one": a}, []string{"one"}},
	} {
		if got := l.left.unexplained(c.hospital, c.sizes); !slices.Equal(got, c.strange) {
			t.Errorf("%s: %q, want %q", name, got, c.strange)
		}
	}
	l.left[0].at = l.left[0].at.Add(-sweptAfter)
	if got := l.left.unexplained("HospitalB", map[string]int64{"one": a}); len(got) != 1 {
		t.Error("a payload stays longer than the time of grace")
	}

	l.left = nil
	if err := l.importUpTo(t.Context(), 3); err == nil || len(l.left) != 3 || l.left[0].hospital != "HospitalA" || l.left[0].count != 1 {
		t.Errorf("a failed import: %v, %+v", err, l.left)
	}
	for took, want := range map[time.Duration]int{0: 0, time.Second / 2: 1, 3 * time.Second: 2, time.Hour: 6} {
		if got := failedAttempts(took, nil); got != want {
			t.Errorf("%d attempts in %v, want %d", got, took, want)
		}
	}
	if got := failedAttempts(time.Hour, errors.New("failed")); got != 7 {
		t.Errorf("%d attempts of an import that failed, want 7", got)
	}
}
