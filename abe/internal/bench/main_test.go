package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun measures next to nothing. It checks that all systems work and that the report
// is complete.
func TestRun(t *testing.T) {
	sizes := []int{1, 2}
	if testing.Short() {
		sizes = sizes[1:]
	}
	rows, table := run(sizes, time.Microsecond)
	if len(rows) != len(sizes)*3*4 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.Ours <= 0 || r.Bare <= 0 || r.Ratio <= 0 || r.Met != (r.Ratio >= r.Target) {
			t.Errorf("row %+v", r)
		}
	}
	for _, want := range []string{"## Encrypt", "## Decrypt", "## Targets", "| 2 |", "against gofe MAABE"} {
		if !strings.Contains(table, want) {
			t.Errorf("table lacks %q", want)
		}
	}
}

func TestRound(t *testing.T) {
	for _, x := range [][2]float64{{0, 0}, {1.23456, 1.23}, {1234.5, 1235}, {0.0123456, 0.0123}} {
		if got := round(x[0]); got != x[1] {
			t.Errorf("round(%v) = %v", x[0], got)
		}
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "build", "rows.json")
	for _, text := range []string{"longer", "short"} {
		write(path, []byte(text))
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestTargets checks on made-up results that a missed target is reported.
func TestTargets(t *testing.T) {
	results := map[string]map[int]result{}
	for name, speed := range map[string]int64{"ours": 1, "ours, first use": 1, "gofe MAABE": 3, "gofe FAME": 1, "circl tkn20": 2} {
		d := time.Duration(speed) * time.Millisecond
		results[name] = map[int]result{10: {seal: d, open: d, keys: d, bytes: int(speed) * 1000}}
	}
	rows := compare([]int{10}, results)
	var table strings.Builder
	markdown(&table, []int{10}, results, rows)
	for i, met := range []bool{true, false} { // a ratio of 3 is enough for encryption, not for decryption
		if rows[i].Ratio != 3 || rows[i].Met != met {
			t.Errorf("row %+v", rows[i])
		}
	}
	if strings.Count(table.String(), "**no**") != 1 {
		t.Error(table.String())
	}
}
