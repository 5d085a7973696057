package index

import (
	"cmp"
	"context"
	"slices"
)

// A Hit is a record that has a term, as the newest live posting of its hospital tells.
type Hit struct {
	Posting
	Home string // MSP ID under which the posting stands; compare it with the record's own when you fetch the record
}

// A Searcher reads an index. It is safe for concurrent use.
type Searcher struct {
	Store Store
	MSPs  []string // all hospitals of the consortium
	Hints Hints    // may be nil

	// Skip, if set, says that a hospital has nothing to be found under a key: it has
	// written its entries anew under another.
	Skip func(key ScopeKey, msp string) bool
}

// An Answer is what a search found.
type Answer struct {
	Hits map[Term][]Hit // newest first; a key for every term asked

	// Problems are proofs that the peer withheld or altered entries, each a [*Problem].
	// The hits are right as far as they go: every one is authenticated. Show the
	// problems: there may be more hits.
	Problems   []error
	RoundTrips int
}

// Lookup finds the records that have the terms, each term for itself, over all epochs
// whose keys are given. Terms are read together: a usual lookup is one or two round
// trips, whatever the number of terms.
func (s *Searcher) Lookup(ctx context.Context, keys []ScopeKey, terms ...Term) (*Answer, error) {
	session := s.Session(keys)
	hits, err := session.All(ctx, terms)
	if err != nil {
		return nil, err
	}
	answer := &Answer{Hits: make(map[Term][]Hit), Problems: session.Problems(), RoundTrips: session.RoundTrips()}
	for i, term := range terms {
		answer.Hits[term] = hits[i]
	}
	return answer, nil
}

// A Session is the reading of one query. It keeps what it has read, so that peeking first
// costs nothing more. It implements [Source] and is not safe for concurrent use.
type Session struct {
	searcher *Searcher
	keys     []ScopeKey
	readings map[Term]*reading
	trips    int
}

// reading is all chains of one term.
type reading struct {
	cursors []*cursor
	hits    []Hit
	solved  bool
}

// Session starts a query over all epochs whose keys are given.
func (s *Searcher) Session(keys []ScopeKey) *Session {
	return &Session{searcher: s, keys: slices.Clone(keys), readings: make(map[Term]*reading)}
}

// Peek reads the first window of the terms that were not read before, all in one round,
// and returns a size for each term.
func (s *Session) Peek(ctx context.Context, terms []Term) ([]Size, error) {
	var fresh []*cursor
	for _, term := range terms {
		if _, ok := s.readings[term]; !ok {
			fresh = append(fresh, s.reading(term).cursors...)
		}
	}
	for { // more than one round only when the terms do not fit in one
		var unasked []*cursor
		for _, c := range fresh {
			if !c.asked {
				unasked = append(unasked, c)
			}
		}
		if len(unasked) == 0 {
			break
		}
		if _, err := s.round(ctx, unasked); err != nil {
			return nil, err
		}
	}
	sizes := make([]Size, len(terms))
	for i, term := range terms {
		sizes[i] = s.reading(term).size()
	}
	return sizes, nil
}

// All reads the terms to the end and returns their hits, aligned with terms, newest
// first.
func (s *Session) All(ctx context.Context, terms []Term) ([][]Hit, error) {
	for {
		var open []*cursor
		for _, term := range terms {
			for _, c := range s.reading(term).cursors {
				if !c.done() {
					open = append(open, c)
				}
			}
		}
		if len(open) == 0 {
			break
		}
		if _, err := s.round(ctx, open); err != nil {
			return nil, err
		}
	}
	hits := make([][]Hit, len(terms))
	for i, term := range terms {
		hits[i] = s.reading(term).resolve(s.searcher.Hints)
	}
	return hits, nil
}

// Problems returns what is wrong with the answers so far.
func (s *Session) Problems() []error {
	var all []*Problem
	for _, r := range s.readings {
		for _, c := range r.cursors {
			for _, err := range c.problems() {
				all = append(all, err.(*Problem))
			}
		}
	}
	slices.SortFunc(all, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.MSP, b.MSP), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Counter, b.Counter))
	})
	out := make([]error, len(all))
	for i, p := range all {
		out[i] = p
	}
	return out
}

// RoundTrips returns how often the store was asked, counting calls made at the same time
// as one.
func (s *Session) RoundTrips() int { return s.trips }

func (s *Session) round(ctx context.Context, cursors []*cursor) (bool, error) {
	s.trips++
	return round(ctx, s.searcher.Store, cursors)
}

func (s *Session) reading(term Term) *reading {
	if r, ok := s.readings[term]; ok {
		return r
	}
	r := &reading{}
	for _, key := range s.keys {
		keys := deriveTermKeys(key.Key(term))
		for _, msp := range s.searcher.MSPs {
			if s.searcher.Skip != nil && s.searcher.Skip(key, msp) {
				continue
			}
			for slot := range Slots {
				c := newCursor(keys, msp, slot, true)
				c.recall(s.searcher.Hints, keys.hintID(c.chain))
				r.cursors = append(r.cursors, c)
			}
		}
	}
	s.readings[term] = r
	return r
}

func (r *reading) size() Size {
	size := Size{Complete: true}
	for _, c := range r.cursors {
		size.Complete = size.Complete && c.done()
		size.AtLeast += int(c.lo)
	}
	return size
}

func (r *reading) resolve(hints Hints) []Hit {
	if r.solved {
		return r.hits
	}
	var all []Hit
	found := slices.ContainsFunc(r.cursors, func(c *cursor) bool { return c.lo > 0 })
	for _, c := range r.cursors {
		// Empty chains are worth remembering beside others. Those of a term that is
		// nowhere are not: it may be a slip of the pen.
		if hints != nil && (c.lo != c.hint || found && !c.hinted) {
			hints.Store(c.keys.hintID(c.chain), c.lo)
		}
		for _, p := range c.got {
			all = append(all, Hit{Posting: p, Home: c.msp})
		}
	}
	r.hits, r.solved = resolve(all), true
	return r.hits
}

// A Size is what a peek tells of a term.
type Size struct {
	AtLeast  int  // postings, deletes included
	Complete bool // AtLeast is all, and reading the term needs no further round trip
}

// A Source answers for terms. [Session] is the one over the ledger.
type Source interface {
	// Peek looks at the terms in one round trip.
	Peek(ctx context.Context, terms []Term) ([]Size, error)
	// All returns the hits of each term, newest first. The caller must not change them.
	All(ctx context.Context, terms []Term) ([][]Hit, error)
}
