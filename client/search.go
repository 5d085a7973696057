package client

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

const defaultLimit = 100

// Search finds the records of a scope that match the query, newest first, over all epochs whose key this person can unwrap. See
// [index.Query] for the language; a mistake in it is an [*index.QueryError].
//
// Hits whose record is not on the ledger (a seal that failed half way) or that another hospital than the record's home has
// indexed are left out. ErrNotSatisfied says that no epoch's key can be unwrapped, and what is missing.
//
// A peer that withholds or alters entries is told of in Results.Problems, beside what did verify.
func (c *Client) Search(ctx context.Context, query string, o SearchOptions) (Results, error) {
	q, err := index.ParseQuery(query)
	if err != nil {
		return Results{}, err
	}
	results, err := c.search(ctx, q, o)
	if err != nil {
		return Results{}, fmt.Errorf("search: %w", err)
	}
	return results, nil
}

func (c *Client) search(ctx context.Context, q *index.Query, o SearchOptions) (Results, error) {
	var none, results Results
	purpose, err := checkPurpose(o.Purpose)
	if err != nil {
		return none, err
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	if _, _, err := index.Page(nil, o.After, 0); err != nil {
		return none, err
	}
	found, err := c.find(ctx, q, o, purpose, &results)
	if err != nil {
		return none, err
	}
	results.Problems = append(results.Problems, found.problems...)
	return results, c.resolve(ctx, found.hits, o, &results)
}

// found is what the index answers, not yet compared with the ledger.
type found struct {
	hits     []index.Hit
	problems []error
}

// find asks the index. What can be searched seldom changes, so while that is asked, the index is already read with what this
// client knew last; if it did change, the index is read again.
func (c *Client) find(ctx context.Context, q *index.Query, o SearchOptions, purpose string, out *Results) (found, error) {
	last := c.views.get(o.Scope)
	if last == nil || o.Verify != nil {
		v, err := c.view(ctx, o, purpose, out)
		if err != nil {
			return found{}, err
		}
		return c.look(ctx, q, v, o)
	}
	var v *view
	var early found
	var earlyErr error
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		v, err = c.view(gctx, o, purpose, out)
		return err
	})
	g.Go(func() error {
		early, earlyErr = c.look(gctx, q, last, o)
		return nil
	})
	if err := g.Wait(); err != nil {
		return found{}, err
	}
	if !v.equal(last) {
		return c.look(ctx, q, v, o)
	}
	return early, earlyErr
}

// look reads the index as far as a view goes.
func (c *Client) look(ctx context.Context, q *index.Query, v *view, o SearchOptions) (found, error) {
	searcher := &index.Searcher{Store: c.ledger, MSPs: v.hospitals, Hints: c.hints, Skip: v.skip}
	var comparison *index.Comparison
	if o.Verify != nil {
		comparison = &index.Comparison{First: c.ledger, Second: o.Verify}
		searcher.Store = comparison
	}
	session := searcher.Session(v.keys)
	hits, err := q.Evaluate(ctx, session)
	if err != nil {
		return found{}, err
	}
	problems := session.Problems()
	if comparison != nil {
		problems = append(problems, comparison.Differences()...)
	}
	return found{hits, problems}, nil
}

// A view is what one person can search of a scope.
type view struct {
	keys      []index.ScopeKey // newest epoch first
	epochs    map[index.ScopeKey]int
	hospitals []string
	retired   map[string]int // by MSP, the last epoch that it has indexed anew
}

func (v *view) skip(key index.ScopeKey, msp string) bool { return v.epochs[key] <= v.retired[msp] }

func (v *view) equal(other *view) bool {
	return slices.Equal(v.keys, other.keys) && maps.Equal(v.epochs, other.epochs) &&
		slices.Equal(v.hospitals, other.hospitals) && maps.Equal(v.retired, other.retired)
}

// views are the last view of each scope.
type views struct {
	mu sync.Mutex
	of map[string]*view
}

func (l *views) get(scope string) *view {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[scope]
}

func (l *views) set(scope string, v *view) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = make(map[string]*view)
	}
	l.of[scope] = v
}

// view finds out what can be searched, and warns of what cannot.
func (c *Client) view(ctx context.Context, o SearchOptions, purpose string, out *Results) (*view, error) {
	v := &view{}
	var keys *scopeKeys
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		keys, err = c.scopeKeys(gctx, o.Scope, purpose, false)
		return err
	})
	g.Go(func() (err error) {
		v.hospitals, err = c.hospitals(gctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	v.keys, v.epochs = keys.newestFirst()
	if len(v.keys) == 0 {
		return nil, keys.refused[keys.scope.Epoch]
	}
	if keys.scope.Epoch > 1 {
		var err error
		if v.retired, err = c.retired(ctx, o, out); err != nil {
			return nil, err
		}
	}
	if n := keys.unsearched(v.hospitals, v.retired); n > 0 {
		out.warn("%d of %d epochs of scope %s are not for you and were not searched", n, keys.scope.Epoch, o.Scope)
	}
	c.views.set(o.Scope, v)
	return v, nil
}

// unsearched counts the epochs that somebody else could find something in.
func (k *scopeKeys) unsearched(hospitals []string, retired map[string]int) int {
	n := 0
	for epoch := range k.refused {
		if slices.ContainsFunc(hospitals, func(msp string) bool { return retired[msp] < epoch }) {
			n++
		}
	}
	return n
}

// retired asks which epochs hospitals have indexed anew. A peer that invents a retirement would hide what it retires, as if
// it withheld it; with a second peer only what both know of counts, and a difference is a problem.
func (c *Client) retired(ctx context.Context, o SearchOptions, out *Results) (map[string]int, error) {
	own, err := c.ledger.Retirements(ctx, o.Scope)
	if err != nil {
		return nil, err
	}
	retired := make(map[string]int)
	for _, r := range own {
		retired[r.MSP] = r.Epoch
	}
	if o.Verify == nil {
		return retired, nil
	}
	theirs, err := o.Verify.Retirements(ctx, o.Scope)
	if err != nil {
		return nil, err
	}
	both := make(map[string]int)
	for _, r := range theirs {
		both[r.MSP] = min(r.Epoch, retired[r.MSP])
	}
	for msp, epoch := range retired {
		if both[msp] < epoch {
			out.Problems = append(out.Problems, ledger.Errorf(ErrTampered,
				"the own peer says that %s has indexed epoch %d of scope %s anew, and the other peer does not know of it", msp, epoch, o.Scope))
		}
	}
	return both, nil
}

func (r *Results) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// hospitals are the MSPs whose entries to look for: those with an authority, and the own.
func (c *Client) hospitals(ctx context.Context) ([]string, error) {
	all, err := c.ledger.Authorities(ctx)
	if err != nil {
		return nil, err
	}
	msps := []string{c.ledger.MSP()}
	for _, a := range all {
		if !slices.Contains(msps, a.MSP) {
			msps = append(msps, a.MSP)
		}
	}
	slices.Sort(msps)
	return msps, nil
}

// resolve compares hits with the ledger until there are enough.
func (c *Client) resolve(ctx context.Context, all []index.Hit, o SearchOptions, out *Results) error {
	hits, _, err := index.Page(all, o.After, 0)
	if err != nil {
		return err
	}
	rest, foreign := hits, 0
	for len(rest) > 0 && len(out.Hits) < o.Limit {
		n := min(len(rest), o.Limit-len(out.Hits), ledger.MaxRecordsPerCall)
		others, err := c.compare(ctx, rest[:n], out)
		if err != nil {
			return err
		}
		foreign += others
		rest = rest[n:]
	}
	if out.Truncated = len(rest) > 0; out.Truncated {
		if _, out.Next, err = index.Page(hits, "", len(hits)-len(rest)); err != nil {
			return err
		}
	}
	if foreign > 0 {
		out.warn("%d entries were left out: another hospital than the record's home wrote them", foreign)
	}
	return nil
}

// compare adds those hits whose record is on the ledger, and counts those that another hospital than its home has indexed.
func (c *Client) compare(ctx context.Context, hits []index.Hit, out *Results) (foreign int, err error) {
	ids := make([]string, len(hits))
	for i, h := range hits {
		ids[i] = hex.EncodeToString(h.Record[:])
	}
	records, err := c.ledger.Records(ctx, ids)
	if err != nil {
		return 0, err
	}
	byID := make(map[string]ledger.Record, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	for i, h := range hits {
		r, ok := byID[ids[i]]
		v := slices.IndexFunc(r.Versions, func(v ledger.RecordVersion) bool { return v.Version == int(h.Version) })
		switch {
		case !ok || v < 0:
			out.Dangling++
		case r.Home != h.Home:
			foreign++
		default:
			out.Hits = append(out.Hits, Hit{
				ID: ids[i], Version: int(h.Version), Kind: h.Kind, Date: h.Last.String(), Home: r.Home, Time: r.Versions[v].Time,
			})
		}
	}
	return foreign, nil
}
