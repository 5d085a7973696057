package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/scope"
)

// RebuildOptions refine a rebuilding of the index.
type RebuildOptions struct {
	// IDs names the records to examine. Nil means all that this person has sealed.
	IDs []string

	// KeepEntries leaves the entries to a later FlushIndex.
	KeepEntries bool

	Progress func(Rebuilt) // so far; may be nil
}

// A Rebuilt is the result of rebuilding the index.
type Rebuilt struct {
	Records  int      `json:"records"`  // examined
	Indexed  int      `json:"indexed"`  // of these, the records of which entries were missing
	Entries  int      `json:"entries"`  // that were missing
	Unopened []string `json:"unopened"` // records that this person cannot open, or whose envelope does not verify
	Scopes   []string `json:"scopes"`   // skipped, as this person cannot write into their current epoch
}

// RebuildIndex looks for records that this person has sealed and whose index entries are
// missing, as their outbox was lost or damaged, or is an older copy. It makes the
// entries again from the records' envelopes. Each envelope leaves an access entry with
// the purpose RECORDMGT. It examines the current versions of which this person is the
// author. It may be interrupted at any time and called again. A damaged outbox counts as
// rebuilt unless a scope was skipped.
//
// Errors:
//   - ErrDenied if the ledger refuses the caller.
//   - ErrUnavailable if the ledger does not answer, or no node has a record whose
//     envelope had no room for its keywords.
//   - errors of the outbox.
func (c *Client) RebuildIndex(ctx context.Context, o RebuildOptions) (Rebuilt, error) {
	r := rebuilding{Client: c, o: o, done: Rebuilt{Unopened: []string{}, Scopes: []string{}}, views: make(map[string]*scope.View)}
	if err := r.run(ctx); err != nil {
		return r.done, fmt.Errorf("rebuild the index: %w", err)
	}
	return r.done, nil
}

type rebuilding struct {
	*Client
	o     RebuildOptions
	done  Rebuilt
	views map[string]*scope.View // by scope; nil if this person cannot search it
	kept  int                    // entries in the outbox since the last flush
}

func (r *rebuilding) run(ctx context.Context) error {
	if r.o.IDs != nil {
		for ids := range slices.Chunk(r.o.IDs, ledger.MaxRecordsPerCall) {
			if err := r.records(ctx, ids); err != nil {
				return err
			}
		}
		return r.flush(ctx, 1)
	}
	damaged, err := r.flusher.Box.Damaged()
	if err != nil {
		return err
	}
	var ids []string
	q := ledger.RecordQuery{Author: r.ledger.Actor(), PageSize: ledger.MaxPageSize}
	for more := true; more; {
		page, err := r.ledger.AuditRecords(ctx, q)
		if err != nil {
			return err
		}
		for _, v := range page.Versions {
			ids = append(ids, v.ID)
		}
		q.Bookmark = page.Bookmark
		more = page.Bookmark != ""
		for len(ids) >= ledger.MaxRecordsPerCall || !more && len(ids) > 0 {
			n := min(len(ids), ledger.MaxRecordsPerCall)
			if err := r.records(ctx, ids[:n]); err != nil {
				return err
			}
			ids = ids[n:]
		}
	}
	if err := r.flush(ctx, 1); err != nil {
		return err
	}
	if len(r.done.Scopes) > 0 {
		return nil // the damage is not made good
	}
	return r.flusher.Box.Rebuilt(damaged)
}

// rebuildEntries is the number of entries that causes a flush.
const rebuildEntries = 16 << 10

// flush writes the entries so far if there are least of them.
func (r *rebuilding) flush(ctx context.Context, least int) error {
	if r.o.KeepEntries || r.kept < least {
		return nil
	}
	r.kept = 0
	_, err := r.FlushIndex(ctx, FlushOptions{All: true, Size: index.MaxBatch})
	return err
}

// records examines up to ledger.MaxRecordsPerCall records.
func (r *rebuilding) records(ctx context.Context, ids []string) error {
	found, err := r.ledger.Records(ctx, slices.Compact(slices.Sorted(slices.Values(ids))))
	if err != nil {
		return err
	}
	waiting, err := r.flusher.Box.Waiting()
	if err != nil {
		return err
	}
	var own []ledger.Record
	var names []string
	for _, f := range found {
		v := f.Current()
		id, err := ledger.ParseRecordID(v.ID)
		if err != nil {
			return err
		}
		if f.Erasure == nil && v.Author == r.ledger.Actor() && v.Home == r.ledger.MSP() && !waiting[id] {
			own, names = append(own, f), append(names, f.ID)
		}
	}
	if len(own) == 0 {
		return nil
	}
	accesses, err := r.ledger.RequestAccess(ctx, names, access.Managing)
	if err != nil {
		return err
	}
	byScope := make(map[string][]index.Item)
	for _, f := range own {
		err := r.items(ctx, f, accesses[0].ID, byScope)
		switch {
		case notOpened(err):
			r.done.Unopened = append(r.done.Unopened, f.ID)
		case err != nil:
			return fmt.Errorf("record %s: %w", f.ID, err)
		}
	}
	r.done.Records += len(own)
	job := outbox.Job{}
	indexed := make(map[[16]byte]bool)
	for scope, items := range byScope {
		missing, err := r.missing(ctx, scope, items)
		if err != nil {
			return fmt.Errorf("scope %s: %w", scope, err)
		}
		job.Entries = append(job.Entries, missing...)
		for _, m := range missing {
			indexed[m.Posting.Record] = true
		}
	}
	for _, f := range own {
		v := f.Current()
		if id, err := ledger.ParseRecordID(v.ID); err == nil && indexed[id] {
			job.Records = append(job.Records, outbox.Record{ID: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment})
		}
	}
	if len(job.Entries) > 0 {
		if err := r.flusher.Box.Prepare(&job); err != nil {
			return err
		}
		if err := r.flusher.Box.Registered(job.ID); err != nil {
			return err
		}
	}
	r.done.Indexed += len(job.Records)
	r.done.Entries += len(job.Entries)
	r.kept += len(job.Entries)
	if r.o.Progress != nil {
		r.o.Progress(r.done)
	}
	return r.flush(ctx, rebuildEntries)
}

func notOpened(err error) bool {
	return errors.Is(err, ErrNotSatisfied) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrTampered)
}

// rebuildVersions is the number of versions before the current one that are examined.
const rebuildVersions = 8

// items adds to each scope what the index should say of a record: the terms of its
// current version, and that it is no longer found by those of earlier versions.
func (r *rebuilding) items(ctx context.Context, f ledger.Record, accessID string, byScope map[string][]index.Item) error {
	v := f.Current()
	record, err := ledger.ParseRecordID(v.ID)
	if err != nil {
		return err
	}
	sealed, err := ledger.ParseTime(v.Time)
	if err != nil {
		return ledger.Errorf(ErrTampered, "it is of %q", v.Time)
	}
	m, facts, err := r.indexedFacts(ctx, v, accessID)
	if err != nil || m.Scope == "" {
		return err
	}
	type place struct {
		scope string
		term  index.Term
	}
	kept := make(map[place]bool)
	for _, item := range facts.Items(record, uint32(v.Version), index.Add) {
		kept[place{m.Scope, item.Term}] = true
		item.Posting.Written = sealed
		byScope[m.Scope] = append(byScope[m.Scope], item)
	}
	earlier := f.Versions[max(0, len(f.Versions)-1-rebuildVersions) : len(f.Versions)-1]
	for _, before := range earlier {
		m, facts, err := r.indexedFacts(ctx, before, accessID)
		if notOpened(err) || err == nil && m.Scope == "" {
			continue
		}
		if err != nil {
			return err
		}
		for _, item := range facts.Items(record, uint32(v.Version-1), index.Delete) {
			if at := (place{m.Scope, item.Term}); !kept[at] {
				kept[at] = true
				byScope[m.Scope] = append(byScope[m.Scope], item)
			}
		}
	}
	return nil
}

// missing returns entries, in the scope's current epoch, for the items that no search
// finds, or that it should not find any more.
func (r *rebuilding) missing(ctx context.Context, scope string, items []index.Item) ([]index.Pending, error) {
	v, err := r.view(ctx, scope)
	if v == nil || err != nil {
		return nil, err
	}
	var terms []index.Term
	for _, item := range items {
		terms = append(terms, item.Term)
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	searcher := &index.Searcher{Store: r.ledger, MSPs: []string{r.ledger.MSP()}, Hints: r.hints, Skip: v.Skip}
	hits, err := searcher.Session(v.Keys).All(ctx, terms)
	if err != nil {
		return nil, err
	}
	type posted struct {
		term   index.Term
		record [16]byte
	}
	version := make(map[posted]uint32)
	for i, term := range terms {
		for _, h := range hits[i] {
			version[posted{term, h.Record}] = h.Version
		}
	}
	items = slices.DeleteFunc(items, func(i index.Item) bool {
		found := version[posted{i.Term, i.Posting.Record}]
		if i.Posting.Op == index.Delete {
			return found == 0 || found > i.Posting.Version
		}
		return found >= i.Posting.Version
	})
	return v.Keys[0].Pend(items)
}

// view returns the part of a scope that this person can search, or nil if they cannot
// write into its current epoch.
func (r *rebuilding) view(ctx context.Context, name string) (*scope.View, error) {
	if v, known := r.views[name]; known {
		return v, nil
	}
	s, err := r.ledger.Searchable(ctx, name)
	if err != nil {
		return nil, err
	}
	named, err := scope.Named(s.Scopes, name)
	if err != nil {
		return nil, err
	}
	v, _, err := r.Client.views.View(ctx, s, name, access.Managing, nil)
	if errors.Is(err, ErrNotSatisfied) || err == nil && v.Epochs[v.Keys[0]] != named.Epoch {
		v, err = nil, nil
	}
	if err == nil {
		r.views[name] = v
		if v == nil {
			r.done.Scopes = append(r.done.Scopes, name)
		}
	}
	return v, err
}
