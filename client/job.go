package client

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A Job changes all records of the own hospital that it selects: it seals them again, or
// erases them. It reads the hospital's records in the order of the ledger, keeps its
// position, and may be interrupted at any time and run again. What it does to a record
// makes the record one that it no longer selects, so it does nothing twice; records that
// are sealed while it runs come at its end, so it forgets none.
type Job struct {
	ID      string    `json:"id"` // chosen by the caller
	Kind    string    `json:"kind"`
	Select  Selection `json:"select"`
	Policy  string    `json:"policy,omitempty"`  // of JobReseal and JobRevoke, see [ResealRequest]
	Without string    `json:"without,omitempty"` // the same
	Reason  string    `json:"reason,omitempty"`  // of JobErase
	Rate    float64   `json:"rate,omitempty"`    // records that are changed in a second at most; zero is no limit

	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"` // zero while there may be something left
	Position string    `json:"position"`       // bookmark of the ledger's pages
	Examined int       `json:"examined"`       // rows of the ledger, versions of all hospitals
	Changed  int       `json:"changed"`        // records

	// Unopened are records that this person could not open, and so not examine. The next
	// run tries them again.
	Unopened []string `json:"unopened"`
}

// Kinds of jobs.
const (
	JobReseal = "reseal"
	JobRevoke = "revoke"
	JobErase  = "erase"
)

// A Selection tells which records a job changes. Exactly one field is set.
type Selection struct {
	// Attribute selects versions whose policy names it and which were sealed to an
	// earlier key of one of their attributes, or have another policy than the job gives
	// them.
	Attribute string `json:"attribute,omitempty"`

	// Patient selects the records of a patient, by an identifier.
	Patient string `json:"patient,omitempty"`

	// Retention selects records whose time of keeping is over.
	Retention []Retention `json:"retention,omitempty"`
}

// A Retention is for how long records of a kind are kept, counted from the last date of
// their content, or from their sealing if they have none.
type Retention struct {
	Kind  string `json:"kind" yaml:"kind"` // as in a search: "fhir" stands for all of its kinds
	Years int    `json:"years" yaml:"years"`
}

// jobItem is the name of the item that keeps a job.
func jobItem(id string) string { return "jobs/" + id + ".json" }

// LoadJob reads a job from the memory.
//
// Errors:
//   - ErrNotFound if there is no such job.
//   - ErrInvalid if it cannot be read.
func (c *Client) LoadJob(id string) (*Job, error) {
	text, err := c.memory.Load(jobItem(id))
	if err != nil {
		return nil, err
	}
	j := new(Job)
	if err := json.Unmarshal(text, j); err != nil || j.ID != id {
		return nil, ledger.Errorf(ErrInvalid, "job %s cannot be read: %v", id, err)
	}
	return j, nil
}

// SaveJob writes a job to the memory.
//
// Errors:
//   - ErrInvalid if the job is none.
func (c *Client) SaveJob(j *Job) error {
	if err := j.check(); err != nil {
		return err
	}
	return c.saveJob(j)
}

func (c *Client) saveJob(j *Job) error {
	text, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return c.memory.Store(jobItem(j.ID), text)
}

func (j *Job) check() error {
	s := j.Select
	given := 0
	for _, set := range []bool{s.Attribute != "", s.Patient != "", len(s.Retention) > 0} {
		if set {
			given++
		}
	}
	if given != 1 {
		return ledger.Errorf(ErrInvalid, "a job selects records by an attribute, by a patient or by a time of keeping")
	}
	switch j.Kind {
	case JobReseal, JobRevoke:
		if s.Attribute == "" {
			return ledger.Errorf(ErrInvalid, "a job that seals records again selects them by an attribute")
		}
		if j.Policy != "" && j.Without != "" {
			return ledger.Errorf(ErrInvalid, "a policy and an attribute to take out exclude each other")
		}
	case JobErase:
		if s.Attribute != "" {
			return ledger.Errorf(ErrInvalid, "a job that erases records selects them by a patient or by a time of keeping")
		}
		if _, known := ledger.ErasureReasons[j.Reason]; !known {
			return ledger.Errorf(ErrInvalid, "%q is no reason to erase a record", j.Reason)
		}
	default:
		return ledger.Errorf(ErrInvalid, "%q is no kind of job", j.Kind)
	}
	for _, r := range s.Retention {
		if r.Kind == "" || r.Years < 1 {
			return ledger.Errorf(ErrInvalid, "a time of keeping has a kind and at least one year, not %q and %d", r.Kind, r.Years)
		}
	}
	if j.Rate < 0 {
		return ledger.Errorf(ErrInvalid, "a rate of %g records a second", j.Rate)
	}
	return nil
}

// RunJob runs a job to its end, and saves it after each page of the ledger. It is for the
// hospital's custodian, who can open all envelopes; each leaves an access entry with the
// purpose RECORDMGT. A dry run changes nothing, and hands over the records that the job
// would change.
//
// Errors:
//   - ErrInvalid if the job is none, or nobody satisfies a policy without the attribute.
//   - ErrDenied if the ledger refuses the caller.
//   - ErrUnavailable if the ledger or the store does not answer.
//   - ErrUnknownOutcome if nobody can tell whether a transaction was committed. Run the
//     job again: it looks at the ledger.
func (c *Client) RunJob(ctx context.Context, j *Job, progress func(Job)) error {
	if err := c.SaveJob(j); err != nil {
		return err
	}
	r := &jobRun{Client: c, job: j, progress: progress}
	if err := r.run(ctx); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	return nil
}

// Due returns the records that a job would change. It leaves access entries as the job
// does, and changes nothing else.
//
// Errors: those of [Client.RunJob].
func (c *Client) Due(ctx context.Context, j Job) ([]string, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	j.Position, j.Unopened = "", nil
	r := &jobRun{Client: c, job: &j, dry: true}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	slices.Sort(r.due)
	return slices.Compact(r.due), nil
}
