package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/emr"
)

// A Sealer is a client.Client.
type Sealer interface {
	Seal(ctx context.Context, r client.SealRequest) ([]client.Sealed, error)
}

// A Registry is a client.Ledger.
type Registry interface {
	Records(ctx context.Context, ids []string) ([]ledger.Record, error)
}

// A Job is what to import and how. Source and Rules are required, and for Run also
// Client, Ledger and Journal.
type Job struct {
	Source string // directory or file
	Rules  *Rules
	Split  bool   // take FHIR bundles apart
	Scope  string // where to index when a rule does not say; empty means not at all

	Client  Sealer
	Ledger  Registry
	Journal *Journal

	// Jobs is how many records are inspected at a time; zero means 4. How many are sealed
	// is up to Client: [InFlight] times its Parallel.
	Jobs int

	// Report gets a row for every item that this run dealt with, from one goroutine at a
	// time. A row is reported before it is noted as done, so a killed run may report an
	// item twice but leaves out none. An error ends the job.
	Report func(Row) error

	// Progress is told the counts so far, from one goroutine at a time.
	Progress func(Summary)

	// Flush writes the index entries that Seal has put aside: from time to time those
	// that are due, and in the end all. Nil is for a Client that puts nothing aside.
	Flush func(ctx context.Context, all bool) error

	// Backoff is the first wait after a service did not answer; it doubles, six times.
	// Zero means half a second.
	Backoff time.Duration
}

// InFlight is how many batches are sealed at a time, so that one is encrypted while
// another is ordered.
const InFlight = 2

// Bounds on a batch, which is one transaction.
const (
	batchRecords = ledger.MaxNewRecords
	batchBytes   = 16 << 20 // of content; large records have many terms, and their entries are held until they are registered
)

// Run imports. The Summary says how far it came also when there is an error; the same job
// may then be run again. Items that failed are no error: they are counted and have their
// rows.
func (j *Job) Run(ctx context.Context) (Summary, error) {
	r := &run{Job: j, started: time.Now(), broken: make(map[*Rule]error)}
	err := j.check()
	if err == nil {
		err = r.sameLedger(ctx)
	}
	if err == nil {
		err = r.all(ctx)
	}
	if err == nil {
		err = r.flush(ctx, true)
	}
	r.sum.rate(time.Since(r.started))
	if err != nil {
		return r.sum, fmt.Errorf("import %s: %w", j.Source, err)
	}
	return r.sum, nil
}

func (j *Job) check() error {
	if j.Rules == nil || j.Client == nil || j.Ledger == nil || j.Journal == nil {
		return errors.New("incomplete job")
	}
	return nil
}

func (j *Job) jobs() int {
	if j.Jobs <= 0 {
		return 4
	}
	return j.Jobs
}

// run is a Job on its way.
type run struct {
	*Job
	started time.Time

	mu     sync.Mutex
	sum    Summary
	broken map[*Rule]error // rules that fail for every record

	unwritten int // index entries since the last flush
}

// sameLedger refuses marks that were made on another ledger: on this one, what they say
// is done is not.
func (r *run) sameLedger(ctx context.Context) error {
	if r.Journal.Last == "" {
		return nil
	}
	found, err := r.Ledger.Records(ctx, []string{r.Journal.Last})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return ledger.Errorf(ledger.ErrInvalid, "record %s, which its journal knows, is not on this ledger: the job was begun on another one", r.Journal.Last)
	}
	return nil
}

// all moves items from the walk over inspection into batches.
func (r *run) all(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	found, ready, batches := make(chan *item, 64), make(chan *item, 64), make(chan []*item)
	g.Go(func() error {
		defer close(found)
		w := walker{split: r.Split, skip: r.skip, item: func(i *item) error {
			if r.Journal.has(i) {
				r.count(func(s *Summary) { s.Before++; s.Read += i.section.length })
				return nil
			}
			return send(ctx, found, i)
		}}
		return w.walk(ctx, r.Source)
	})
	var inspectors sync.WaitGroup
	for range r.jobs() {
		inspectors.Add(1)
		g.Go(func() error {
			defer inspectors.Done()
			for i := range found {
				err := i.inspect(ctx, r.Rules, r.Journal.Header.Secret)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					err = r.fail(i, err)
				} else {
					err = send(ctx, ready, i)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	go func() { inspectors.Wait(); close(ready) }()
	g.Go(func() error {
		defer close(batches)
		return group(ctx, ready, batches)
	})
	for range InFlight {
		g.Go(func() error {
			for batch := range batches {
				if err := r.batch(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// group collects items of one rule, for what a Seal does is the same for all of its
// records.
func group(ctx context.Context, ready <-chan *item, batches chan<- []*item) error {
	waiting := make(map[*Rule][]*item)
	size := make(map[*Rule]int64)
	for i := range ready {
		rule := i.rule
		if size[rule]+i.section.length > batchBytes && len(waiting[rule]) > 0 {
			if err := send(ctx, batches, waiting[rule]); err != nil {
				return err
			}
			waiting[rule], size[rule] = nil, 0
		}
		waiting[rule] = append(waiting[rule], i)
		size[rule] += i.section.length
		if len(waiting[rule]) == batchRecords {
			if err := send(ctx, batches, waiting[rule]); err != nil {
				return err
			}
			waiting[rule], size[rule] = nil, 0
		}
	}
	for _, rest := range waiting {
		if len(rest) > 0 {
			if err := send(ctx, batches, rest); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// Plan tells for every item what Run would give it: rows of status "sealed" for what
// would be, and those that Run would report as failed or skipped. It needs no network and
// changes nothing.
func (j *Job) Plan(ctx context.Context) (Summary, error) {
	r := &run{Job: j, started: time.Now()}
	secret := make([]byte, 32)
	w := walker{split: j.Split, skip: r.skip, item: func(i *item) error {
		if err := i.inspect(ctx, j.Rules, secret); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return r.fail(i, err)
		}
		kind := i.kind
		if kind == "" { // the rules did not need it, but people may
			kind, _ = i.readKind()
		}
		row := r.row(i, StatusSealed)
		row.Kind = kind
		return r.tell(row, func(s *Summary) { s.Sealed++; s.Bytes += i.section.length; s.Read += i.section.length })
	}}
	err := w.walk(ctx, j.Source)
	r.sum.rate(time.Since(r.started))
	return r.sum, err
}

func (i *item) readKind() (string, error) {
	in, err := i.open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	d, err := emr.Extract(io.NewSectionReader(in, i.section.offset, i.section.length))
	return d.Kind, err
}

// row begins the row of an item.
func (r *run) row(i *item, status string) Row {
	row := Row{File: i.name, Part: i.part, Status: status, Size: i.section.length, Kind: i.kind}
	if i.rule != nil {
		row.Rule, row.Policy, row.Scope = i.rule.Name, i.rule.Policy, r.scopeOf(i.rule)
		row.Keywords, row.PatientKey = i.rule.Keywords, i.rule.PatientKey
	}
	if i.id != "" && (status == StatusSealed || status == StatusPresent) && r.Journal != nil {
		row.Record = i.id
	}
	return row
}

func (r *run) scopeOf(rule *Rule) string {
	switch {
	case rule.NoIndex:
		return ""
	case rule.Scope != "":
		return rule.Scope
	}
	return r.Scope
}

func (r *run) fail(i *item, err error) error {
	row := r.row(i, StatusFailed)
	row.Reason = reason(err)
	return r.tell(row, func(s *Summary) { s.Failed++; s.Read += i.section.length })
}

func (r *run) skip(name string, err error, failed bool) error {
	row := Row{File: name, Status: StatusSkipped, Reason: reason(err)}
	if failed {
		row.Status = StatusFailed
	}
	if errors.Is(err, fs.ErrNotExist) {
		row.Reason = "it was removed meanwhile"
	}
	return r.tell(row, func(s *Summary) {
		if failed {
			s.Failed++
		} else {
			s.Skipped++
		}
	})
}

// tell reports a row and counts it.
func (r *run) tell(row Row, count func(*Summary)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Report != nil {
		if err := r.Report(row); err != nil {
			return err
		}
	}
	r.countLocked(count)
	return nil
}

func (r *run) count(count func(*Summary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.countLocked(count)
}

func (r *run) countLocked(count func(*Summary)) {
	count(&r.sum)
	if r.Progress != nil {
		s := r.sum
		s.rate(time.Since(r.started))
		r.Progress(s)
	}
}
