package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	var times Times
	for i := range 100 {
		times = append(times, time.Duration((i*37)%100+1)*time.Millisecond)
	}
	if times.Median() != 51*time.Millisecond || times.Quantile(0.95) != 96*time.Millisecond || times.Quantile(1) != 100*time.Millisecond {
		t.Errorf("%v %v %v", times.Median(), times.Quantile(0.95), times.Quantile(1))
	}
	if s := times.Spread(); s < 0.48 || s > 0.5 {
		t.Errorf("spread %v", s)
	}
	if (Times{}).Median() != 0 || (Times{}).Spread() != 0 {
		t.Error("no times")
	}
}

func TestAlternate(t *testing.T) {
	var order []int
	side := func(n int) func(context.Context) error {
		return func(context.Context) error { order = append(order, n); return nil }
	}
	times, err := Alternate(t.Context(), 2, side(0), side(1))
	if err != nil || len(times[0]) != 2 || len(times[1]) != 2 || !slices.Equal(order, []int{0, 1, 1, 0, 0, 1}) {
		t.Errorf("%v %v %v", times, order, err)
	}
	broken := errors.New("broken")
	if _, err := Alternate(t.Context(), 2, side(0), func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestAlternateUsing(t *testing.T) {
	used := Usage{"peer": 0, "client": 0}
	use := func() (Usage, error) { return maps.Clone(used), nil }
	ours := func(context.Context) error {
		used["peer"] += 6 * time.Millisecond
		used["client"] += 2 * time.Millisecond
		return nil
	}
	bare := func(context.Context) error { used["peer"] += 3 * time.Millisecond; return nil }
	_, accounts, err := AlternateUsing(t.Context(), 5, use, ours, bare)
	if err != nil {
		t.Fatal(err)
	}
	accounts[0].Took, accounts[1].Took = 80*time.Millisecond/time.Duration(runtime.NumCPU()), 0
	var row Row
	row.Costs(accounts[0], 2, accounts[1], 1)
	// The work took forty milliseconds in five turns of two operations. The processors
	// had eighty milliseconds in the same wall-clock time.
	if row.Processor != fmt.Sprintf("4.00 ms, 50 %% of %d processors (peer 3.00, client 1.00)", runtime.NumCPU()) || row.BareProcessor != "" {
		t.Errorf("%+v", row)
	}
	row.Row = "costly"
	r := Report{Rows: []Row{row, Just("free", "s", 1)}}
	var table, doc strings.Builder
	if err := errors.Join(r.Table(&table), r.Markdown(&doc)); err != nil || strings.Count(table.String()+doc.String(), "(peer 3.00, client 1.00)") != 2 {
		t.Errorf("%v\n%s\n%s", err, table.String(), doc.String())
	}
	broken := errors.New("broken")
	if _, _, err := AlternateUsing(t.Context(), 1, func() (Usage, error) { return nil, broken }, ours); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestConcurrently(t *testing.T) {
	var sum atomic.Int64
	_, times, err := Concurrently(t.Context(), 4, 100, func(_ context.Context, i int) error { sum.Add(int64(i)); return nil })
	if err != nil || sum.Load() != 4950 || len(times) != 100 {
		t.Errorf("%d, %d times, %v", sum.Load(), len(times), err)
	}
	broken := errors.New("broken")
	if _, _, err := Concurrently(t.Context(), 4, 100, func(context.Context, int) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestRows(t *testing.T) {
	var out bytes.Buffer
	r := Report{Out: &out}
	r.Add(
		Compare("slow", "ms", 5, 1, AtMost(4)), Compare("fast", "entries/s", 80, 100, AtLeast(0.7)),
		CompareTimes("times", 0.5, Times{2 * time.Millisecond}, Times{time.Millisecond}, AtMost(4)), Just("alone", "MiB", 12), Compare("nothing", "ms", 1, 0, AtMost(1)),
	)
	if !slices.Equal(r.Missed(), []string{"slow"}) {
		t.Errorf("missed %q", r.Missed())
	}
	var table strings.Builder
	if err := r.Table(&table); err != nil || !strings.Contains(table.String(), "fast     80.0  100   entries/s  0.80   at least 0.7  yes") {
		t.Errorf("%v\n%s", err, table.String())
	}
	var doc strings.Builder
	if err := r.Markdown(&doc); err != nil || !strings.Contains(doc.String(), "| times | 2.00 | 1.00 | ms | 2.00 | at most 4 | yes | ±0 % | 1 |  |") {
		t.Errorf("%v\n%s", err, doc.String())
	}
	path := filepath.Join(t.TempDir(), "build", "bench.json")
	if err := r.WriteJSON(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"row", "ours", "bare", "unit", "ratio", "target", "met"} {
		for _, row := range rows {
			if _, ok := row[field]; !ok {
				t.Errorf("%v has no %s", row["row"], field)
			}
		}
	}
	if rows[0]["met"] != false || rows[1]["met"] != true || rows[3]["bare"] != nil || rows[4]["met"] != nil {
		t.Errorf("%v", rows)
	}
}

func TestReplaceSection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("# Title\n<!-- a -->\nold\n<!-- /a -->\nrest\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second round replaces the section of the first
		if err := ReplaceSection(file, "a", "new\n"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if want := "# Title\n<!-- a -->\n\nnew\n\n<!-- /a -->\nrest\n"; err != nil || string(got) != want {
			t.Errorf("got %q, want %q; %v", got, want, err)
		}
	}
	if err := ReplaceSection(file, "b", "text"); err == nil {
		t.Error("a section that is not there was replaced")
	}
}
