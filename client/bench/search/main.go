// Package search measures search and bulk import on a network of its own: queries while
// the index grows, writes of index entries, concurrent writers of one frequent keyword,
// and the import of records.
package search

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/chart"
)

// Options select the measurements and the directories.
type Options struct {
	Bin   string // directory of the programs
	Dir   string // of the network; it is created, and removed at the end
	Data  string // directory of FHIR bundles; empty: bundles are made up
	JSON  string // file for the rows as JSON
	Table string // file for the rows as a document; empty: none
	Plots string // directory for plots as SVG; empty: none
	Keep  bool   // leave the network running
	Quick bool   // smaller sizes and fewer repetitions, about three minutes

	Out io.Writer
}

// scale holds the sizes and repetitions of a run.
type scale struct {
	sizes       []int // index entries
	queries     int   // repetitions of each query
	writeRounds int
	hotRounds   int
	bundles     int // imported as whole bundles
	split       int // imported as split bundles
}

func (o Options) scale() scale {
	if o.Quick {
		return scale{sizes: []int{10_000, 100_000}, queries: 60, writeRounds: 5, hotRounds: 3, bundles: 10, split: 2}
	}
	return scale{sizes: []int{10_000, 100_000, 1_000_000}, queries: 300, writeRounds: 15, hotRounds: 10, bundles: 50, split: 50}
}

// Main is the command "search" of chartseal-bench.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := Options{Out: stdout}
	fs := flag.NewFlagSet("chartseal-bench search", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Bin, "bin", "build", "`directory` of the programs")
	fs.StringVar(&o.Dir, "dir", "build/bench-network", "`directory` for the network, which is removed afterwards")
	fs.StringVar(&o.Data, "data", "", "`directory` of FHIR bundles; without it they are made up")
	fs.StringVar(&o.JSON, "json", "build/bench-search.json", "`file` for the rows")
	fs.StringVar(&o.Table, "table", "", "`file` for the rows as a document")
	fs.StringVar(&o.Plots, "plots", "", "`directory` for plots as SVG")
	fs.BoolVar(&o.Quick, "quick", false, "measure less, in about three minutes")
	fs.BoolVar(&o.Keep, "keep", false, "leave the network running")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "chartseal-bench search: unexpected argument %q\n", fs.Arg(0))
		return 2
	}
	if err := Run(ctx, o); err != nil {
		fmt.Fprintf(stderr, "chartseal-bench: error: %v\n", err)
		return 1
	}
	return 0
}

// Run performs all measurements. A missed target is not an error: the table reports it.
func Run(ctx context.Context, o Options) (err error) {
	for _, dir := range []*string{&o.Bin, &o.Dir} { // programs run in other working directories
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
	}
	start := time.Now()
	report := &bench.Report{Out: o.Out}
	h, err := setUp(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if endErr := h.Close(); err == nil {
			err = endErr
		}
	}()
	r := &run{hospitals: h, Options: o, scale: o.scale(), report: report}
	for _, part := range []func(context.Context) error{r.prepare, r.indexing, r.hot, r.hotSeals, r.searches, r.imports} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	report.Say("")
	if err := report.Table(o.Out); err != nil {
		return err
	}
	if missed := report.Missed(); len(missed) > 0 {
		report.Say("\ntargets missed: %s", strings.Join(missed, "; "))
	}
	report.Say("\n%d rows in %s, written to %s", len(report.Rows), time.Since(start).Round(time.Second), o.JSON)
	if o.Table != "" {
		if err := r.document(time.Since(start)); err != nil {
			return err
		}
	}
	if o.Plots != "" {
		if err := chart.Draw(o.Plots, r.charts...); err != nil {
			return err
		}
	}
	return report.WriteJSON(o.JSON)
}

// run is one run of the benchmark.
type run struct {
	*hospitals
	Options
	scale
	report *bench.Report
	charts []chart.Chart

	entries int // entries in the index so far, dummies included
}
