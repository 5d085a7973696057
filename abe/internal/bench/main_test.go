package main

import (
	"strings"
	"testing"
	"time"
)

// TestRun measures next to nothing, to see that all systems work and that the report is whole.
func TestRun(t *testing.T) {
	rows, table := run([]int{1, 2}, time.Microsecond)
	if len(rows) != 2*3*4 {
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
