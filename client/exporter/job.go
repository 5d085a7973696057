// Package exporter exports all records that a search finds: as the age files that they
// are made of, for a patient, or opened, as files or as lines of JSON.
//
//	search     client.Search, page by page
//	have       records that an earlier run exported, by the rows it wrote
//	Export     hand out the age files, or
//	Open       hand out the content; the ledger has an access entry for each
//	commit     give the files their names, then write the row
//
// A row is written after the files it names, so an export that is killed goes on where it
// was when it is run again: it leaves out no record, and logs no second access to one
// that has its row.
package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
)

// A Client finds, hands out and opens records. client.Client is one.
type Client interface {
	Search(ctx context.Context, q *index.Query, o client.SearchOptions) (client.Results, error)
	Export(ctx context.Context, id string, wrapped, payload io.Writer, r client.ExportRequest) (client.Exported, error)
	Open(ctx context.Context, id string, out io.Writer, r client.OpenRequest) (client.Opened, error)
}

// A File is a new file. It is complete once it is committed, and gone if it is closed
// before.
type File interface {
	io.ReadWriteSeeker
	Commit() error
	Close() error
}

// A Job exports the records that Query finds in the scope of Search. All fields are
// required but Page, Jobs and Progress.
type Job struct {
	Client  Client
	Query   *index.Query
	Search  client.SearchOptions // its Limit is the size of a page; zero means 1000
	Purpose string               // of each access, a code of HL7 v3 PurposeOfUse
	Form    Form

	// Rows is the file of the rows. It may have those of an earlier run.
	Rows RowFile

	// Page gets a page of HTML that lists what there is; nil for none. With Details it
	// has kinds and dates of sealed records too: then it should not be in the clear.
	Page    io.Writer
	Details bool

	// Create makes a file for one record, which replaces one of the same name. A file
	// with an empty name is never committed.
	Create func(name string) (File, error)

	Jobs     int           // records at a time; zero means 4
	Progress func(Summary) // gets the counts so far, from one goroutine at a time
}

// A Form is how records are exported.
type Form string

// Forms of exports.
const (
	Sealed Form = "sealed" // the envelope and the payload, two age files
	Opened Form = "opened" // the content, in a file
	Lines  Form = "line"   // the content, in the row
)

// A Summary counts records, and has what is wrong with some.
type Summary struct {
	Found    int   `json:"found"`
	Before   int   `json:"before"` // exported by an earlier run
	Exported int   `json:"exported"`
	Bytes    int64 `json:"bytes"`   // of payloads or contents
	Refused  int   `json:"refused"` // the ledger or the envelope refuses this person
	Failed   int   `json:"failed"`  // what was read does not verify

	Failures []error  `json:"-"` // one for each that failed, ErrTampered
	Problems []error  `json:"-"` // of the index, see [client.Results]
	Warnings []string `json:"-"` // the same
}

// Run runs the job to its end. It goes on beside records that are refused or that do not
// verify.
//
// Errors:
//   - those of [client.Client.Search].
//   - client.ErrInvalid if Rows has something else than rows of this form.
//   - client.ErrUnavailable if a peer or a node does not answer. Run it again.
//   - those of Create and of the files.
func (j *Job) Run(ctx context.Context) (Summary, error) {
	have, err := openRows(j.Rows, j.Form)
	if err != nil {
		return Summary{}, err
	}
	r := &run{Job: j, have: have, hits: make(map[version]client.Hit)}
	options := j.Search
	options.Limit = cmp.Or(options.Limit, 1000)
	for more := true; more; {
		page, err := j.Client.Search(ctx, j.Query, options)
		if err != nil {
			return r.sum, err
		}
		r.sum.Problems = append(r.sum.Problems, page.Problems...)
		r.sum.Warnings = append(r.sum.Warnings, page.Warnings...)
		if err := r.page(ctx, page.Hits); err != nil {
			return r.sum, err
		}
		options.After, more = page.Next, page.Truncated
	}
	if j.Page != nil {
		err = r.writePage()
	}
	return r.sum, err
}

// A run is one run of a job.
type run struct {
	*Job

	mu   sync.Mutex // also orders the rows
	have map[version]bool
	hits map[version]client.Hit
	sum  Summary
}

func (r *run) page(ctx context.Context, hits []client.Hit) error {
	g, exporting := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(r.Jobs, 4))
	for _, h := range hits {
		if exporting.Err() != nil {
			break
		}
		r.mu.Lock()
		v := version{h.ID, h.Version}
		had := r.have[v]
		r.have[v], r.hits[v] = true, h
		r.sum.Found++
		if had {
			r.sum.Before++
		}
		r.mu.Unlock()
		if !had {
			g.Go(func() error { return r.record(exporting, h) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// record exports a record, and counts it.
func (r *run) record(ctx context.Context, h client.Hit) error {
	size, err := r.export(ctx, h)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.sum.Exported++
		r.sum.Bytes += size
	case errors.Is(err, client.ErrDenied), errors.Is(err, client.ErrNotSatisfied), errors.Is(err, client.ErrNotFound):
		r.sum.Refused++ // an erased record is not found
	case errors.Is(err, client.ErrTampered):
		r.sum.Failed++
		r.sum.Failures = append(r.sum.Failures, err)
	default:
		return err
	}
	if r.Progress != nil {
		r.Progress(r.sum)
	}
	return nil
}

func (r *run) export(ctx context.Context, h client.Hit) (int64, error) {
	if r.Form == Sealed {
		return r.seal(ctx, h)
	}
	return r.open(ctx, h)
}

// seal writes the two age files of a record.
func (r *run) seal(ctx context.Context, h client.Hit) (int64, error) {
	name := fmt.Sprintf("%s.%d", h.ID, h.Version)
	row := Row{Form: r.Form, Envelope: name + ".envelope.age", Payload: name + ".payload.age"}
	envelope, err := r.Create(row.Envelope)
	if err != nil {
		return 0, err
	}
	defer envelope.Close()
	payload, err := r.Create(row.Payload)
	if err != nil {
		return 0, err
	}
	defer payload.Close()
	e, err := r.Client.Export(ctx, h.ID, envelope, payload, client.ExportRequest{Version: h.Version, Purpose: r.Purpose})
	if err != nil {
		return 0, err
	}
	row.Record, row.Version, row.Home, row.Size, row.Access = e.ID, e.Version, e.Home, e.Payload, e.Access.ID
	row.Sealed = h.Time
	if err := payload.Commit(); err != nil {
		return 0, err
	}
	if err := envelope.Commit(); err != nil {
		return 0, err
	}
	return row.Size, r.write(row, nil)
}

// open writes the content of a record.
func (r *run) open(ctx context.Context, h client.Hit) (int64, error) {
	name := ""
	if r.Form == Opened {
		name = fmt.Sprintf("%s.%d", h.ID, h.Version)
	}
	content, err := r.Create(name)
	if err != nil {
		return 0, err
	}
	defer content.Close()
	o, err := r.Client.Open(ctx, h.ID, content, client.OpenRequest{Version: h.Version, Purpose: r.Purpose})
	if err != nil {
		return 0, err
	}
	row := Row{
		Record: o.ID, Version: o.Version, Form: r.Form, Name: o.Name, MediaType: o.MediaType, Kind: o.Kind, Date: h.Date, Size: o.Size, SHA256: o.SHA256,
		Patient: o.Patient, Codes: o.Codes, Author: o.Author, Signed: &o.Signed, Home: o.Home, Sealed: h.Time, Access: o.Access.ID,
		File: name,
	}
	if r.Form == Lines {
		return row.Size, r.write(row, content)
	}
	if err := content.Commit(); err != nil {
		return 0, err
	}
	return row.Size, r.write(row, nil)
}

func (r *run) write(row Row, content io.ReadSeeker) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return writeRow(r.Rows, row, content)
}
