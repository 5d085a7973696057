// Package bench compares Chartseal with the bare systems under it, on the same machine
// and in the same run.
//
// Most callers take four steps. [Alternate] runs Chartseal and the bare yardstick in
// turns, so that other work of the machine slows both alike. [CompareTimes] makes a [Row]
// of the two results. A [Report] collects the rows, and writes them as a table and as
// JSON.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Times are the durations of repeated runs of one operation.
type Times []time.Duration

// Quantile returns the duration that the share q of all runs did not exceed; 0.5 is the
// median. It is 0 if there are no runs.
func (t Times) Quantile(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// Median returns the quantile 0.5.
func (t Times) Median() time.Duration { return t.Quantile(0.5) }

// Spread returns half the distance between the quartiles, divided by the median. It shows
// how reliable the median is.
func (t Times) Spread() float64 {
	if t.Median() == 0 {
		return 0
	}
	return float64(t.Quantile(0.75)-t.Quantile(0.25)) / 2 / float64(t.Median())
}

// Alternate runs every side n times, in turns. Every second turn has the opposite order:
// ours, bare, bare, ours. The first turn only warms up. It returns the times of each
// side.
func Alternate(ctx context.Context, n int, sides ...func(context.Context) error) ([]Times, error) {
	times, _, err := AlternateUsing(ctx, n, func() (Usage, error) { return nil, nil }, sides...)
	return times, err
}

// Concurrently runs the work n times, spread over a number of workers. It returns the
// total duration and the duration of each run.
func Concurrently(ctx context.Context, workers, n int, work func(ctx context.Context, i int) error) (time.Duration, Times, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu    sync.Mutex
		next  int
		times Times
		wg    sync.WaitGroup
	)
	start := time.Now()
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					return
				}
				begin := time.Now()
				if err := work(ctx, i); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				times = append(times, time.Since(begin))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return time.Since(start), times, context.Cause(ctx)
}

// A Target is a bound on a row's ratio.
type Target struct {
	AtMost  bool // otherwise at least
	Ratio   float64
	Present bool
}

// AtMost and AtLeast make targets. The zero Target sets no bound.
func AtMost(ratio float64) Target  { return Target{AtMost: true, Ratio: ratio, Present: true} }
func AtLeast(ratio float64) Target { return Target{Ratio: ratio, Present: true} }

func (t Target) String() string {
	switch {
	case !t.Present:
		return ""
	case t.AtMost:
		return fmt.Sprintf("at most %g", t.Ratio)
	}
	return fmt.Sprintf("at least %g", t.Ratio)
}

func (t Target) met(ratio float64) bool {
	return t.AtMost && ratio <= t.Ratio || !t.AtMost && ratio >= t.Ratio
}

// A Row is one line of the table.
type Row struct {
	Row   string   `json:"row"`
	Ours  float64  `json:"ours"`
	Bare  *float64 `json:"bare"` // null where there is no yardstick
	Unit  string   `json:"unit"`
	Ratio *float64 `json:"ratio"`  // ours to bare
	Bound string   `json:"target"` // bound on the ratio: "at most 4", "at least 0.7"; empty if none is set
	Met   *bool    `json:"met"`    // null where there is no target

	Spread float64 `json:"spread"` // of ours: half the distance between the quartiles, divided by the median
	N      int     `json:"n"`      // number of measurements of ours
	Note   string  `json:"note,omitempty"`

	// The processor time of one operation, by kind of process. It shows the bottleneck.
	Processor     string `json:"processor,omitempty"`
	BareProcessor string `json:"bareProcessor,omitempty"`
}

// Costs adds the processor time of one operation on each side. One turn performs oursEach
// operations of ours and bareEach operations of the yardstick.
func (r *Row) Costs(ours Account, oursEach int, bare Account, bareEach int) {
	r.Processor, r.BareProcessor = ours.Each(oursEach), bare.Each(bareEach)
}

// Compare makes a row of two numbers.
func Compare(name, unit string, ours, bare float64, target Target) Row {
	r := Row{Row: name, Ours: ours, Bare: &bare, Unit: unit, Bound: target.String()}
	if bare != 0 {
		ratio := ours / bare
		r.Ratio = &ratio
		if target.Present {
			met := target.met(ratio)
			r.Met = &met
		}
	}
	return r
}

// CompareTimes makes a row of two series of times, at a quantile, in milliseconds.
func CompareTimes(name string, q float64, ours, bare Times, target Target) Row {
	r := Compare(name, "ms", milliseconds(ours.Quantile(q)), milliseconds(bare.Quantile(q)), target)
	r.Spread, r.N = ours.Spread(), len(ours)
	return r
}

// Just makes a row of a number without a yardstick.
func Just(name, unit string, value float64) Row { return Row{Row: name, Ours: value, Unit: unit} }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// A Report collects rows and prints each row as it arrives.
type Report struct {
	Rows []Row
	Out  io.Writer
}

// Add adds rows.
func (r *Report) Add(rows ...Row) {
	for _, row := range rows {
		r.Rows = append(r.Rows, row)
		r.Say("%s: %s", row.Row, row.figures())
	}
}

// Say prints a line about the progress.
func (r *Report) Say(format string, args ...any) {
	fmt.Fprintf(r.Out, format+"\n", args...)
}

func (r Row) figures() string {
	text := number(r.Ours) + " " + r.Unit
	if r.Bare != nil {
		text += ", bare " + number(*r.Bare)
	}
	if r.Ratio != nil {
		text += fmt.Sprintf(", ratio %.2f", *r.Ratio)
	}
	if r.Bound != "" {
		text += " (" + r.Bound + ": " + r.verdict() + ")"
	}
	return text
}

func (r Row) verdict() string {
	switch {
	case r.Met == nil:
		return ""
	case *r.Met:
		return "yes"
	}
	return "NO"
}

// number formats f with three significant figures.
func number(f float64) string {
	switch {
	case f >= 100 || f == 0:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// Missed returns the names of the rows that miss their target.
func (r *Report) Missed() (names []string) {
	for _, row := range r.Rows {
		if row.Met != nil && !*row.Met {
			names = append(names, row.Row)
		}
	}
	return names
}

// WriteJSON writes the rows to a file, atomically.
func (r *Report) WriteJSON(path string) error {
	text, err := json.MarshalIndent(r.Rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Require sets a target that is not a ratio, in words.
func (r *Row) Require(met bool, words string) { r.Bound, r.Met = words, &met }
