package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/bench"
	"github.com/chartseal/chartseal/client/bench/stage"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/session"
)

// A sample is one window of a soak.
type sample struct {
	Seconds   float64            `json:"seconds"` // since the start, at the end of the window
	Latency   map[string]float64 `json:"latency"` // p50 in ms, by operation
	P95       map[string]float64 `json:"p95"`
	Done      int                `json:"done"`
	Errors    int                `json:"errors"`
	LastError string             `json:"lastError,omitempty"`
	Memory    map[string]float64 `json:"memory"` // resident MiB of all servers of a kind; "client" is this process
	Disk      float64            `json:"disk"`   // MiB of the whole network
}

// soak applies a mixed load at a fixed rate, even if earlier operations are still
// running.
func (r *run) soak(ctx context.Context) error {
	c, err := r.a.Client()
	if err != nil {
		return err
	}
	other, err := r.b.Client()
	if err != nil {
		return err
	}
	auditor, err := r.User("auditor@Regulator")
	if err != nil {
		return err
	}
	audited, err := session.Open(auditor, session.Options{})
	if err != nil {
		return err
	}
	defer audited.Close()
	l := &load{c: c, other: other, auditor: audited.Client}
	if err := l.seal(ctx, 0); err != nil {
		return err
	}
	window := time.Duration(r.Minutes) * time.Minute / 10
	if window > 2*time.Minute {
		window = 2 * time.Minute
	}
	var samples []sample
	start := time.Now()
	tick := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	end := start.Add(window)
	for i := 1; time.Since(start) < time.Duration(r.Minutes)*time.Minute; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		running.Go(func() { l.do(ctx, i) })
		if time.Now().After(end) {
			end = end.Add(window)
			s := l.sample()
			s.Seconds = time.Since(start).Seconds()
			if s.Memory, err = r.resident(); err != nil {
				return err
			}
			s.Disk = float64(stage.Size(r.Dir, "")) / (1 << 20)
			samples = append(samples, s)
			r.report.Say("%4.0f s: %d done, %d errors %s", s.Seconds, s.Done, s.Errors, s.LastError)
		}
	}
	running.Wait()
	printSamples(r.Out, samples)
	text, err := json.MarshalIndent(samples, "", "  ")
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(r.JSON), 0o755), os.WriteFile(r.JSON, append(text, '\n'), 0o644))
	}
	err = errors.Join(err, r.page("soak", func(w io.Writer) error {
		fmt.Fprintf(w, "%s; %d minutes, %g operations a second.\n\n```\n", r.machine(), r.Minutes, r.Rate)
		printSamples(w, samples)
		_, err := fmt.Fprintln(w, "```")
		return err
	}))
	if failed := l.failed; err == nil && failed > 0 {
		err = fmt.Errorf("%d operations failed, the last one: %s", failed, l.lastError)
	}
	return err
}

// load runs the operations of a soak and counts them.
type load struct {
	c, other, auditor *client.Client

	mu        sync.Mutex
	records   []string
	times     map[string]bench.Times
	done      int
	errors    int
	failed    int // over the whole soak
	lastError string
}

// do performs the i-th operation. Of ten operations, four seal, three open, two search
// and one audits.
func (l *load) do(ctx context.Context, i int) {
	name, operation := "seal", l.seal
	switch i % 10 {
	case 1, 4, 7:
		name, operation = "open", l.open
	case 2, 6:
		name, operation = "search", l.search
	case 9:
		name, operation = "audit", l.audit
	}
	start := time.Now()
	err := operation(ctx, i)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errors++
		l.failed++
		l.lastError = err.Error()
		return
	}
	if l.times == nil {
		l.times = make(map[string]bench.Times)
	}
	l.done++
	l.times[name] = append(l.times[name], time.Since(start))
}

func (l *load) seal(ctx context.Context, i int) error {
	s, err := sealOne(ctx, l.c, i, index.ModeBatched, fmt.Sprintf("soak%d", i%100))
	if err == nil {
		l.mu.Lock()
		l.records = append(l.records, s.ID)
		l.mu.Unlock()
	}
	return err
}

func (l *load) record(i int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[i%len(l.records)]
}

func (l *load) open(ctx context.Context, i int) error {
	_, err := l.other.Open(ctx, l.record(i), io.Discard, client.OpenRequest{})
	return err
}

func (l *load) search(ctx context.Context, i int) error {
	_, err := l.other.Search(ctx, index.MustParseQuery(fmt.Sprintf("soak%d", i%100)), client.SearchOptions{Scope: scope})
	return err
}

func (l *load) audit(ctx context.Context, i int) error {
	_, err := l.auditor.AuditHistory(ctx, ledger.RecordQuery{Record: l.record(i)})
	return err
}

// sample closes a window.
func (l *load) sample() sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := sample{Latency: map[string]float64{}, P95: map[string]float64{}, Done: l.done, Errors: l.errors}
	if l.errors > 0 {
		s.LastError = l.lastError
	}
	for name, t := range l.times {
		s.Latency[name] = t.Median().Seconds() * 1000
		s.P95[name] = t.Quantile(0.95).Seconds() * 1000
	}
	l.times, l.done, l.errors = nil, 0, 0
	return s
}

// resident adds up the resident memory of the servers, by kind.
func (r *run) resident() (map[string]float64, error) {
	all, err := r.Servers()
	if err != nil {
		return nil, err
	}
	sum := map[string]float64{"client": float64(stage.Memory(os.Getpid(), "VmRSS")) / (1 << 20)}
	for _, s := range all {
		sum[s.Kind] += float64(stage.Memory(s.PID, "VmRSS")) / (1 << 20)
	}
	return sum, nil
}

func printSamples(w io.Writer, samples []sample) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SECONDS\tDONE\tERRORS\tSEAL p50/p95 ms\tOPEN\tSEARCH\tAUDIT\tCLIENT MiB\tPEERS\tORDERERS\tIPFS\tDISK MiB")
	for _, s := range samples {
		fmt.Fprintf(t, "%.0f\t%d\t%d", s.Seconds, s.Done, s.Errors)
		for _, name := range []string{"seal", "open", "search", "audit"} {
			fmt.Fprintf(t, "\t%.0f / %.0f", s.Latency[name], s.P95[name])
		}
		fmt.Fprintf(t, "\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", s.Memory["client"], s.Memory["peer"], s.Memory["orderer"], s.Memory["ipfs"], s.Disk)
	}
	t.Flush()
}
