// Package table measures Chartseal against the bare systems under it, on a network of its
// own. [Main] makes the table of all targets and its plots. [Soak] runs a mixed load at a
// fixed rate. Package bench/search measures search as the index grows.
//
// The client library runs in this process, as in a long-running program. The yardsticks
// are a fabric-gateway client, kubo's RPC and age, called directly. The bare submit is a
// put of a plain contract that only the benchmarks' chaincode program has. It adds as
// many bytes to the ledger as the operation that it is compared with; each run measures
// that size first. The bare evaluate is the get of that contract.
package table

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/chart"
	"github.com/chartseal/chartseal/client/bench/stage"
)

// Options select the measurements and the directories.
type Options struct {
	Bin     string // directory of the programs
	Dir     string // of the network; it is created, and removed at the end
	JSON    string // file for the rows as JSON
	Plots   string // directory for the plots; empty: none
	Page    string // document with a section to replace by the results; empty: none
	Quick   bool   // smaller sizes and fewer repetitions, within five minutes
	Minutes int    // duration of a soak
	Rate    float64
	Profile string // file for a CPU profile of this process while it seals small records; empty: none
	Only    string // parts of the table to make, separated by commas; empty: all

	Out io.Writer
}

func (o *Options) parse(name string, args []string, stderr io.Writer) bool {
	fs := flag.NewFlagSet("chartseal-bench "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.Bin, "bin", "build", "`directory` of the programs")
	fs.StringVar(&o.Dir, "dir", "build/bench-"+name, "`directory` for the network, which is removed afterwards")
	if name == "table" {
		fs.StringVar(&o.JSON, "json", "build/bench.json", "`file` for the rows")
		fs.StringVar(&o.Plots, "plots", "", "`directory` for plots as SVG")
		fs.StringVar(&o.Profile, "cpuprofile", "", "`file` for a CPU profile of sealing small records in batches")
		fs.StringVar(&o.Only, "only", "", "make only these `parts` of the table, separated by commas")
		fs.BoolVar(&o.Quick, "quick", false, "measure less, within five minutes")
	} else {
		fs.StringVar(&o.JSON, "json", "build/soak.json", "`file` for the samples")
		fs.IntVar(&o.Minutes, "minutes", 20, "how long, in `minutes`")
		fs.Float64Var(&o.Rate, "rate", 4, "`operations` a second")
	}
	fs.StringVar(&o.Page, "page", "", "`document` to put the figures in")
	if err := fs.Parse(args); err != nil {
		return false
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "chartseal-bench %s: unexpected argument %q\n", name, fs.Arg(0))
		return false
	}
	for _, dir := range []*string{&o.Bin, &o.Dir} { // programs run in other working directories
		if abs, err := filepath.Abs(*dir); err == nil {
			*dir = abs
		}
	}
	return true
}

// Main is the command "table" of chartseal-bench. A missed target is not an error: the
// table reports it.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return command(ctx, "table", args, stdout, stderr, (*run).table)
}

// Soak is the command "soak" of chartseal-bench.
func Soak(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return command(ctx, "soak", args, stdout, stderr, (*run).soak)
}

func command(ctx context.Context, name string, args []string, stdout, stderr io.Writer, do func(*run, context.Context) error) int {
	o := Options{Out: stdout}
	if !o.parse(name, args, stderr) {
		return 2
	}
	r := &run{Options: o, report: &bench.Report{Out: stdout}, started: time.Now()}
	err := r.up(ctx)
	if err == nil {
		err = errors.Join(do(r, ctx), r.Close())
	}
	if err != nil {
		fmt.Fprintf(stderr, "chartseal-bench %s: error: %v\n", name, err)
		return 1
	}
	return 0
}

// page writes a section of the document, if the options name one.
func (r *run) page(section string, write func(io.Writer) error) error {
	if r.Page == "" {
		return nil
	}
	var text strings.Builder
	if err := write(&text); err != nil {
		return err
	}
	return bench.ReplaceSection(r.Page, section, text.String())
}

// machine describes the time and the machine of the run.
func (r *run) machine() string {
	return r.started.UTC().Format("2 January 2006") + ", " + bench.Machine()
}

// A run is one run of the benchmark.
type run struct {
	Options
	*stage.Stage
	a, b    *stage.Person // doctors at two hospitals
	report  *bench.Report
	started time.Time
	charts  []chart.Chart
}

// The scope of the development network, and the policy of the sealed records.
const (
	scope      = "consortium"
	policyText = "HospitalA:role=doctor or HospitalB:role=doctor"
)

func (r *run) up(ctx context.Context) (err error) {
	if r.Stage, err = stage.Up(ctx, stage.Options{Bin: r.Bin, Dir: r.Dir}); err != nil {
		return err
	}
	row := bench.Just("network up from nothing, servers and programs built", "s", r.Took.Seconds())
	row.Require(row.Ours <= 10, "at most 10 s")
	r.report.Add(row)
	if r.a, err = r.Person("doctor@HospitalA"); err == nil {
		r.b, err = r.Person("doctor@HospitalB")
	}
	if err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}

// of returns one of two numbers: the first in a whole run, the second in a quick one.
func of[T any](r *run, whole, quick T) T {
	if r.Quick {
		return quick
	}
	return whole
}

type part struct {
	name  string
	do    func(context.Context) error
	whole bool // skipped in a quick run unless it is named in Only
}

func (r *run) table(ctx context.Context) error {
	named := strings.Split(r.Only, ",")
	for _, part := range []part{
		{name: "waiting", do: r.waiting}, {name: "throughput", do: r.throughput}, {"apart", r.apart, true}, {name: "concurrency", do: r.concurrency},
		{name: "ledger bytes", do: r.ledgerBytes}, {name: "large records", do: r.large}, {name: "memory of the program", do: r.programMemory},
		{name: "record sizes", do: r.sizes}, {name: "policy sizes", do: r.policies}, {name: "abe", do: r.encryption},
		{name: "processes", do: r.processes}, {name: "start", do: r.warmStart},
		{"hospitals", r.hospitals, true}, {"ordering", r.ordering, true}, // last, because they stop the run's own network
	} {
		if r.Only != "" && !slices.Contains(named, part.name) || r.Only == "" && r.Quick && part.whole {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	r.report.Say("")
	if err := r.report.Table(r.Out); err != nil {
		return err
	}
	if missed := r.report.Missed(); len(missed) > 0 {
		r.report.Say("\ntargets missed: %s", strings.Join(missed, "; "))
	}
	if r.Plots != "" {
		if err := chart.Draw(r.Plots, r.charts...); err != nil {
			return err
		}
	}
	took := time.Since(r.started).Round(time.Second)
	r.report.Say("\n%d rows in %s, written to %s", len(r.report.Rows), took, r.JSON)
	return errors.Join(r.report.WriteJSON(r.JSON), r.page("table", func(w io.Writer) error {
		fmt.Fprintf(w, "%s, in one run of %s.\n\n", r.machine(), took)
		return r.report.Markdown(w)
	}))
}
