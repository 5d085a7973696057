package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/access"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// A jobRun is one run of a job.
type jobRun struct {
	*Client
	job      *Job
	progress func(Job)
	dry      bool
	limit    *rate.Limiter

	mu  sync.Mutex
	due []string // of a dry run
}

// jobPages is the number of pages that are worked on at the same time: most of the time
// goes into waiting for blocks.
const jobPages = 4

func (r *jobRun) run(ctx context.Context) error {
	if !r.dry {
		if err := r.author.Prepare(ctx); err != nil {
			return err
		}
	}
	r.limit = rate.NewLimiter(rate.Inf, ledger.MaxRecordsPerCall)
	if r.job.Rate > 0 {
		r.limit.SetLimit(rate.Limit(r.job.Rate))
	}
	r.job.Ended = time.Time{}
	retry := r.job.Unopened
	r.job.Unopened = nil
	for ids := range slices.Chunk(retry, ledger.MaxRecordsPerCall) {
		done, err := r.records(ctx, ids)
		if err != nil {
			r.job.Unopened = retry // all of them again
			return err
		}
		r.add(done)
	}
	for more := true; more; {
		var err error
		if more, err = r.pages(ctx); err != nil {
			return err
		}
		if err := r.save(); err != nil {
			return err
		}
	}
	if _, err := r.FlushIndex(ctx, FlushOptions{All: true, Size: index.MaxBatch}); err != nil {
		return err
	}
	if len(r.job.Unopened) == 0 {
		r.job.Ended = time.Now().UTC().Truncate(time.Second)
	}
	return r.save()
}

func (r *jobRun) save() error {
	if r.progress != nil {
		r.progress(*r.job)
	}
	if r.dry {
		return nil
	}
	return r.saveJob(r.job)
}

// A jobPage is the outcome of a page of records.
type jobPage struct {
	changed  int
	unopened []string
}

func (r *jobRun) add(p jobPage) {
	r.job.Changed += p.changed
	r.job.Unopened = append(r.job.Unopened, p.unopened...)
	slices.Sort(r.job.Unopened)
	r.job.Unopened = slices.Compact(r.job.Unopened)
}

// pages works on the next pages of the ledger, and moves the position on behind those
// that are done without a gap.
func (r *jobRun) pages(ctx context.Context) (more bool, err error) {
	type page struct {
		ids  []string
		rows int
		next string
		done *jobPage
	}
	var all []*page
	at := r.job.Position
	seen := make(map[string]bool)
	for more = true; more && len(all) < jobPages; {
		rows, err := r.ledger.AuditRecords(ctx, ledger.RecordQuery{Bookmark: at, PageSize: ledger.MaxRecordsPerCall})
		if err != nil {
			return false, err
		}
		p := &page{rows: len(rows.Versions), next: rows.Bookmark}
		for _, v := range rows.Versions {
			if v.Home == r.ledger.MSP() && !seen[v.ID] {
				seen[v.ID] = true
				p.ids = append(p.ids, v.ID)
			}
		}
		all = append(all, p)
		at, more = rows.Bookmark, rows.Bookmark != ""
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, p := range all {
		g.Go(func() error {
			done, err := r.records(gctx, p.ids)
			if err == nil {
				p.done = &done
			}
			return err
		})
	}
	err = g.Wait()
	for _, p := range all {
		if p.done == nil {
			break
		}
		r.add(*p.done)
		if p.next != "" { // the last page may grow, and is read again by the next run
			r.job.Position = p.next
			r.job.Examined += p.rows
		}
	}
	if err != nil {
		return false, errors.Join(err, r.save())
	}
	return more, nil
}

// A candidate is a record that the job can open.
type candidate struct {
	record   ledger.Record
	versions []ledger.RecordVersion // to seal again
	selected bool
}

// records changes those of up to [ledger.MaxRecordsPerCall] records that the job selects.
func (r *jobRun) records(ctx context.Context, ids []string) (jobPage, error) {
	var done jobPage
	if len(ids) == 0 {
		return done, nil
	}
	records, err := r.ledger.Records(ctx, ids)
	if err != nil {
		return done, err
	}
	var live []ledger.Record
	var targets []string
	for _, f := range records {
		if f.Earlier > 0 {
			if alone, err := r.ledger.Records(ctx, []string{f.ID}); err != nil {
				return done, err
			} else if len(alone) == 1 {
				f = alone[0]
			}
		}
		if f.Erasure == nil && f.Home == r.ledger.MSP() {
			live, targets = append(live, f), append(targets, f.ID)
		}
	}
	if len(live) == 0 {
		return done, nil
	}
	accesses, err := r.ledger.RequestAccess(ctx, targets, access.Managing)
	if err != nil {
		return done, err
	}
	candidates := make([]candidate, len(live))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	var mu sync.Mutex
	for i, f := range live {
		g.Go(func() error {
			c, err := r.examine(gctx, f, accesses[0].ID)
			candidates[i] = c
			if notOpened(err) {
				mu.Lock()
				done.unopened = append(done.unopened, f.ID)
				mu.Unlock()
				return nil
			}
			if err != nil {
				return fmt.Errorf("record %s: %w", f.ID, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return done, err
	}
	var chosen []string
	var versions []ledger.RecordVersion
	for _, c := range candidates {
		if c.selected {
			chosen = append(chosen, c.record.ID)
			versions = append(versions, c.versions...)
		}
	}
	if len(chosen) == 0 {
		return done, nil
	}
	if r.dry {
		r.mu.Lock()
		r.due = append(r.due, chosen...)
		r.mu.Unlock()
		return done, nil
	}
	if err := r.limit.WaitN(ctx, len(chosen)); err != nil {
		return done, err
	}
	done.changed = len(chosen)
	if r.job.Kind == JobErase {
		_, err = r.eraseTogether(ctx, chosen, EraseRequest{Reason: r.job.Reason})
	} else {
		err = r.sealAgain(ctx, versions, accesses[0].ID)
	}
	return done, err
}

// sealAgain seals versions again as the job says.
func (r *jobRun) sealAgain(ctx context.Context, versions []ledger.RecordVersion, accessID string) error {
	s := &resealing{Client: r.Client, covered: make(map[string]int),
		r: ResealRequest{Policy: r.job.Policy, Without: r.job.Without, NewPayload: r.job.Kind == JobRevoke}}
	for part := range slices.Chunk(versions, ledger.MaxNewRecords) {
		if err := s.versions(ctx, part, accessID); err != nil {
			return err
		}
	}
	return nil
}

// examine tells whether the job changes a record.
func (r *jobRun) examine(ctx context.Context, f ledger.Record, accessID string) (candidate, error) {
	c := candidate{record: f}
	for _, v := range f.Versions {
		now, data, err := r.access.Envelope(ctx, v, accessID)
		if err != nil {
			return c, err
		}
		if r.job.Kind != JobErase {
			header, err := envelope.ReadHeader(data)
			if err != nil {
				return c, err
			}
			again, err := r.outdated(ctx, header)
			if err != nil {
				return c, err
			}
			if again {
				c.versions, c.selected = append(c.versions, now), true
			}
			continue
		}
		m, facts, err := openEnvelope(data, now, r.identities)
		if err != nil {
			return c, err
		}
		if m.Facts == nil && m.Partial {
			if facts, err = r.readFacts(ctx, now, m, facts); err != nil {
				return c, err
			}
		}
		if r.ends(m, facts, v.Version == f.Current().Version) {
			c.selected = true
			return c, nil
		}
	}
	return c, nil
}

// outdated reports whether a version has to be sealed again.
func (r *jobRun) outdated(ctx context.Context, header *envelope.Header) (bool, error) {
	former, err := header.Policy()
	if err != nil {
		return false, err
	}
	p, err := policy.Parse(former)
	if err != nil {
		return false, ledger.WithKind(err, ErrTampered)
	}
	if !slices.Contains(p.Attributes(), r.job.Select.Attribute) {
		return false, nil
	}
	s := &resealing{Client: r.Client, r: ResealRequest{Policy: r.job.Policy, Without: r.job.Without}}
	if r.job.Without != "" && p.Without(policy.Holding(r.job.Without)) == p {
		return false, nil // done already
	}
	next, err := s.nextPolicy(former)
	if err != nil {
		return false, err
	}
	to, err := r.audiences.Of(ctx, next, "")
	if err != nil {
		return false, err
	}
	if to.Policy != former {
		return true, nil
	}
	for _, stanza := range header.Recipients {
		if !abe.IsStanza(stanza.Type) {
			continue
		}
		was, err := abe.StanzaPolicy(stanza)
		if err != nil {
			return false, ledger.WithKind(err, ErrTampered)
		}
		for _, k := range was.Keys {
			if to.ABE.Version(k.Attribute) > k.Version {
				return true, nil
			}
		}
	}
	return false, nil
}

// ends reports whether the job erases a record that has a version with these facts.
func (r *jobRun) ends(m *envelope.Metadata, facts index.Facts, current bool) bool {
	if id := r.job.Select.Patient; id != "" {
		wanted := index.Facts{Patients: []index.Identifier{identifier(id)}}.Expand().Terms
		has := facts.Expand().Terms
		if slices.ContainsFunc(wanted, func(t index.Term) bool { return slices.Contains(has, t) }) {
			return true
		}
		return m.Patient == id
	}
	if !current { // an earlier version is kept as long as the record
		return false
	}
	since := m.Sealed
	if _, last := facts.Days(); last != index.NoDay {
		since = last.Time()
	}
	for _, rule := range r.job.Select.Retention {
		if kindMatches(rule.Kind, m.Kind) {
			return !since.AddDate(rule.Years, 0, 0).After(time.Now())
		}
	}
	return false
}

// kindMatches reports whether a kind, or one of the kinds that it stands for, is that of
// a record. "*" stands for all.
func kindMatches(rule, kind string) bool {
	return rule == "*" || strings.EqualFold(rule, kind) ||
		len(kind) > len(rule) && strings.EqualFold(kind[:len(rule)], rule) && kind[len(rule)] == ':'
}
