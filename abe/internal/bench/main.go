// Bench compares package abe with gofe's MAABE and FAME and with circl's tkn20, in one
// run. Every policy is an "and" of n attributes, and the reader holds all of them.
//
//	go run ./abe/internal/bench -json build/bench-abe.json -table docs/bench-abe.md
//
// It measures three operations: sealing one small secret, opening it, and making one
// user's n keys. Inputs are objects in memory. Ours includes the AEAD, the encodings and
// all checks of points. The others do less: gofe's schemes are unauthenticated and
// unchecked, and tkn20 has one authority. "Ours, first use" seals with public keys that
// have no tables yet.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A system is one implementation, set up for one policy size.
type system struct {
	seal, open, keys func() // one operation each; they panic on failure
	bytes            int    // of one ciphertext, as encoded for transport
}

// A result holds the medians of one system at one size.
type result struct {
	seal, open, keys time.Duration
	bytes            int
}

func main() {
	log.SetFlags(0)
	jsonPath := flag.String("json", "build/bench-abe.json", "where to write the rows")
	tablePath := flag.String("table", "", "where to write the table (Markdown); empty for standard output")
	spend := flag.Duration("time", 400*time.Millisecond, "how long to measure each operation")
	flag.Parse()

	rows, table := run([]int{1, 5, 10, 20, 50}, *spend)
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	write(*jsonPath, append(b, '\n'))
	if *tablePath == "" {
		fmt.Print(table)
		return
	}
	write(*tablePath, []byte(table))
}

// run measures everything and returns the comparisons and the table.
func run(sizes []int, spend time.Duration) ([]row, string) {
	systems := []struct {
		name string
		make func(n int) *system
	}{{"ours", ours}, {"ours, first use", oursCold}, {"gofe MAABE", maabe}, {"gofe FAME", fame}, {"circl tkn20", tkn}}

	results := map[string]map[int]result{}
	for _, s := range systems {
		results[s.name] = map[int]result{}
	}
	for _, n := range sizes {
		var its []*system
		for _, s := range systems {
			its = append(its, s.make(n))
		}
		measure := func(what string, operation func(*system) func(), into func(*result) *time.Duration) {
			progress("%s, %d attributes", what, n)
			var all []func()
			for _, it := range its {
				all = append(all, operation(it))
			}
			for i, d := range medians(spend, all) {
				r := results[systems[i].name][n]
				*into(&r) = d
				results[systems[i].name][n] = r
			}
		}
		measure("encrypt", func(s *system) func() { return s.seal }, func(r *result) *time.Duration { return &r.seal })
		measure("decrypt", func(s *system) func() { return s.open }, func(r *result) *time.Duration { return &r.open })
		measure("keys", func(s *system) func() { return s.keys }, func(r *result) *time.Duration { return &r.keys })
		for i, it := range its {
			r := results[systems[i].name][n]
			r.bytes = it.bytes
			results[systems[i].name][n] = r
		}
	}
	progress("")

	rows := compare(sizes, results)
	var table strings.Builder
	markdown(&table, sizes, results, rows)
	return rows, table.String()
}

// progress shows the current measurement on a terminal.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r%-40s\r", fmt.Sprintf(format, args...))
	}
}

func write(path string, b []byte) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		log.Fatal(err)
	}
}

// medians returns the median duration of each operation. It runs all operations in turn,
// so that a busy machine slows all of them alike. Each runs for about the given time, at
// least three times.
func medians(spend time.Duration, operations []func()) []time.Duration {
	took := make([][]time.Duration, len(operations))
	spent := make([]time.Duration, len(operations))
	for _, f := range operations {
		f() // warms up
	}
	runtime.GC()
	for again := true; again; {
		again = false
		for i, f := range operations {
			if len(took[i]) >= 3 && spent[i] >= spend {
				continue
			}
			again = true
			start := time.Now()
			f()
			d := time.Since(start)
			took[i] = append(took[i], d)
			spent[i] += d
		}
	}
	out := make([]time.Duration, len(operations))
	for i := range took {
		slices.Sort(took[i])
		out[i] = took[i][len(took[i])/2]
	}
	return out
}

// A row compares ours with another implementation. Its ratio is the factor by which ours
// is better.
type row struct {
	Row    string  `json:"row"`
	Ours   float64 `json:"ours"`
	Bare   float64 `json:"bare"`
	Unit   string  `json:"unit"`
	Ratio  float64 `json:"ratio"`
	Target float64 `json:"target"` // 0: reported only
	Met    bool    `json:"met"`
}

func compare(sizes []int, results map[string]map[int]result) []row {
	var rows []row
	add := func(name string, ours, bare float64, unit string, target float64) {
		ratio := bare / ours
		rows = append(rows, row{name, round(ours), round(bare), unit, round(ratio), target, ratio >= target})
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	for _, n := range sizes {
		mine := results["ours"][n]
		for _, other := range []string{"gofe MAABE", "gofe FAME", "circl tkn20"} {
			theirs := results[other][n]
			var seal, open, size float64
			switch {
			case other == "gofe MAABE":
				size = 2
				if n == 10 {
					seal, open = 3, 4
				}
			case other == "circl tkn20" && n <= 20:
				seal, open = 1, 1
			}
			add(fmt.Sprintf("encrypt %d attributes, against %s", n, other), ms(mine.seal), ms(theirs.seal), "ms", seal)
			add(fmt.Sprintf("decrypt %d attributes, against %s", n, other), ms(mine.open), ms(theirs.open), "ms", open)
			add(fmt.Sprintf("user keys for %d attributes, against %s", n, other), ms(mine.keys), ms(theirs.keys), "ms", 0)
			add(fmt.Sprintf("ciphertext of %d attributes, against %s", n, other), float64(mine.bytes), float64(theirs.bytes), "bytes", size)
		}
	}
	return rows
}

func round(x float64) float64 {
	scale := 1.0
	for x != 0 && x*scale < 100 {
		scale *= 10
	}
	return float64(int64(x*scale+0.5)) / scale
}

func markdown(w io.Writer, sizes []int, results map[string]map[int]result, rows []row) {
	fmt.Fprintf(w, `# Attribute-based encryption: benchmark

*For engineers and cryptographers who compare costs.*

This page was made by

    go run ./abe/internal/bench -json build/bench-abe.json -table docs/bench-abe.md

in one run on %d processors (%s/%s, %s). The policy is an "and" of n attributes. Times are medians in milliseconds.

- "Ours" includes the AEAD, the encodings and the checks of all points, and seals with tables for the public keys. "First use" has no tables yet.
- gofe's MAABE and FAME neither authenticate nor check. Their sizes are those of encoding/json, their only encoding.
- tkn20 has one authority for everybody, on BLS12-381.

`, runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
	order := []string{"ours", "ours, first use", "gofe MAABE", "gofe FAME", "circl tkn20"}
	for _, part := range []struct {
		title string
		value func(result) string
	}{
		{"Encrypt", func(r result) string { return fmt.Sprintf("%.2f", float64(r.seal)/1e6) }},
		{"Decrypt", func(r result) string { return fmt.Sprintf("%.2f", float64(r.open)/1e6) }},
		{"One user's keys for all attributes", func(r result) string { return fmt.Sprintf("%.2f", float64(r.keys)/1e6) }},
		{"Ciphertext, bytes", func(r result) string { return fmt.Sprint(r.bytes) }},
	} {
		fmt.Fprintf(w, "## %s\n\n| attributes |", part.title)
		for _, name := range order {
			fmt.Fprintf(w, " %s |", name)
		}
		fmt.Fprint(w, "\n|---|"+strings.Repeat("---:|", len(order))+"\n")
		for _, n := range sizes {
			fmt.Fprintf(w, "| %d |", n)
			for _, name := range order {
				fmt.Fprintf(w, " %s |", part.value(results[name][n]))
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "## Targets\n\n| | ours | theirs | ratio | target | met |\n|---|---:|---:|---:|---:|---|\n")
	for _, r := range rows {
		if r.Target > 0 {
			met := "yes"
			if !r.Met {
				met = "**no**"
			}
			fmt.Fprintf(w, "| %s | %g %s | %g | %g | %g | %s |\n", r.Row, r.Ours, r.Unit, r.Bare, r.Ratio, r.Target, met)
		}
	}
}
