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

// A Sealer seals records. client.Client is one.
type Sealer interface {
	Seal(ctx context.Context, r client.SealRequest) ([]client.Sealed, error)
}

// A Registry knows the registered records. client.Ledger is one.
type Registry interface {
	Records(ctx context.Context, ids []string) ([]ledger.Record, error)
}

// A Job describes an import. Source and Rules are required. Run also requires Client,
// Ledger and Journal.
type Job struct {
	Source string // directory or file
	Rules  *Rules
	Split  bool   // import the resources of a FHIR bundle one by one
	Scope  string // for rules that name no scope; empty means no index

	Client  Sealer
	Ledger  Registry
	Journal *Journal

	// Jobs is the number of records that are inspected at a time; zero means 4. The
	// number that is sealed at a time is [InFlight] times the Client's Parallel.
	Jobs int

	// Report gets a row for every item of this run, from one goroutine at a time. A row
	// is reported before the item is marked as done: runs that are killed may report an
	// item twice, but never leave one out. An error ends the job.
	Report func(Row) error

	// Progress gets the counts so far, from one goroutine at a time.
	Progress func(Summary)

	// Flush writes the index entries that Seal has left in the outbox: those that are
	// due, from time to time, and all of them at the end. It returns the number of
	// records whose last entries it wrote, also beside an error. Leave it nil if the
	// Client has no outbox.
	Flush func(ctx context.Context, all bool) (records int, err error)

	// Secrets are further secrets that the job may have had in a journal that was lost,
	// see [Secrets].
	Secrets [][]byte

	// Reindex makes index entries again that are missing, of records that an earlier run
	// has sealed. Nil leaves that out.
	Reindex func(ctx context.Context, ids []string) error

	// Backoff is the first wait after a service did not answer. It doubles, six times.
	// Zero means half a second.
	Backoff time.Duration
}

// InFlight is the number of batches that are sealed at a time: one is encrypted while
// another is ordered.
const InFlight = 2

// Bounds on a batch, which is one transaction.
const (
	batchRecords = ledger.MaxNewRecords
	batchBytes   = 16 << 20 // of content: large records have many entries, which stay in memory until they are registered
)

// Run imports. The Summary is valid even if there is an error; the job may then be run
// again. An item that fails is no error: it is counted and has a row.
//
// Errors:
//   - client.ErrNotFound if there is no Source.
//   - client.ErrInvalid if the journal was begun on another ledger.
//   - the last error of a service that stayed away, such as client.ErrUnavailable.
//   - the error of Report, of Flush or of the file system.
//   - the error of ctx, once it has ended.
func (j *Job) Run(ctx context.Context) (Summary, error) {
	r := &run{Job: j, started: time.Now(), broken: make(map[*Rule]error), unpacker: newUnpacker()}
	defer r.unpacker.close()
	err := j.check()
	if err == nil {
		err = r.sameLedger(ctx)
	}
	if err == nil {
		r.patients, err = findPatients(ctx, walker{split: r.Split, unpacker: r.unpacker}, r.Source)
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

// A run is a Job that is running.
type run struct {
	*Job
	started time.Time

	mu     sync.Mutex
	sum    Summary
	broken map[*Rule]error // rules that fail for every record

	unpacker  *unpacker
	patients  *patients
	unflushed int // index entries since the last flush
}

// sameLedger refuses the marks of another ledger: here, those items are not done.
func (r *run) sameLedger(ctx context.Context) error {
	if r.Journal.Last == "" {
		return nil
	}
	found, err := r.Ledger.Records(ctx, []string{r.Journal.Last})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return ledger.Errorf(ledger.ErrInvalid, "record %s of its journal is not on this ledger: the job was begun on another one", r.Journal.Last)
	}
	return nil
}

// all runs the pipeline: walk, inspect, group into batches, seal.
func (r *run) all(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	found, ready, batches := make(chan *item, 64), make(chan *item, 64), make(chan []*item)
	g.Go(func() error {
		defer close(found)
		w := walker{split: r.Split, unpacker: r.unpacker, skip: r.skip, item: func(i *item) error {
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
		return intoBatches(ctx, ready, batches)
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

// intoBatches collects items of one rule: a SealRequest has one policy.
func intoBatches(ctx context.Context, ready <-chan *item, batches chan<- []*item) error {
	waiting := make(map[*Rule][]*item)
	size := make(map[*Rule]int64)
	release := func(rule *Rule) error {
		batch := waiting[rule]
		delete(waiting, rule)
		size[rule] = 0
		return send(ctx, batches, batch)
	}
	for i := range ready {
		rule := i.rule
		if size[rule]+i.section.length > batchBytes && len(waiting[rule]) > 0 {
			if err := release(rule); err != nil {
				return err
			}
		}
		waiting[rule] = append(waiting[rule], i)
		size[rule] += i.section.length
		if len(waiting[rule]) == batchRecords {
			if err := release(rule); err != nil {
				return err
			}
		}
	}
	for rule := range waiting {
		if err := release(rule); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Plan reports the rows that Run would report, with status "sealed" for items that would
// be sealed. It needs no network and changes nothing.
//
// Errors:
//   - client.ErrNotFound if there is no Source.
//   - the error of Report or of the file system.
//   - the error of ctx, once it has ended.
func (j *Job) Plan(ctx context.Context) (Summary, error) {
	r := &run{Job: j, started: time.Now()}
	secret := make([]byte, 32)
	w := walker{split: j.Split, unpacker: newUnpacker(), skip: r.skip, item: func(i *item) error {
		if err := i.inspect(ctx, j.Rules, secret); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return r.fail(i, err)
		}
		kind := i.kind
		if kind == "" { // the rules did not need it, but readers of the plan may
			kind, _ = i.readKind(ctx)
		}
		row := r.row(i, StatusSealed)
		row.Kind = kind
		return r.tell(row, func(s *Summary) { s.Sealed++; s.Bytes += i.section.length; s.Read += i.section.length })
	}}
	defer w.unpacker.close()
	err := w.walk(ctx, j.Source)
	r.sum.rate(time.Since(r.started))
	return r.sum, err
}

func (i *item) readKind(ctx context.Context) (string, error) {
	in, err := i.open()
	if err != nil {
		return "", err
	}
	defer in.Close()
	d, err := emr.Extract(ctx, io.NewSectionReader(in, i.section.offset, i.section.length))
	return d.Kind, err
}

// row begins the row of an item.
func (r *run) row(i *item, status string) Row {
	row := Row{File: i.name, Part: i.part, Status: status, Size: i.section.length, Kind: i.kind}
	if i.rule != nil {
		row.Rule, row.Policy, row.Scope = i.rule.Name, i.rule.Policy, r.scopeOf(i.rule)
		row.Keywords, row.PatientKey = i.rule.Keywords, i.rule.PatientKey
	}
	if i.warning != "" {
		row.Warnings = []string{i.warning}
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
