package index

import (
	"cmp"
	"context"
	"slices"
)

// A Searcher reads an index. It is safe for concurrent use.
type Searcher struct {
	Store Store
	MSPs  []string // all hospitals of the consortium
	Hints Hints    // may be nil

	// Skip, if set, reports that a hospital's entries under a key need not be read,
	// because the hospital has written them anew under another key.
	Skip func(key ScopeKey, msp string) bool
}

// An Answer is the result of a lookup.
type Answer struct {
	Hits map[Term][]Hit // newest first; a key for every term asked

	// Problems list entries that cannot be read, each a [*Problem]. Every hit is
	// authenticated, but hits may be missing: show the problems.
	Problems   []error
	RoundTrips int
}

// Lookup finds the records of each term, over all epochs whose keys are given. The terms
// are read together: a usual lookup takes one or two round trips for any number of terms.
//
// Errors:
//   - the error of the store.
//   - [ErrTampered] if the peer's answer does not have the shape of the request.
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

// A Session reads the terms of one query. It keeps the postings that it has read, so that
// no entry is read twice. It implements [Source] and is not safe for concurrent use.
type Session struct {
	searcher *Searcher
	keys     []ScopeKey
	readings map[Term]*reading
	trips    int
}

// A reading is the state of one term: the readers of all its chains, and then the hits.
type reading struct {
	readers  []*chainReader
	hits     []Hit
	resolved bool
}

// Session starts a query over all epochs whose keys are given.
func (s *Searcher) Session(keys []ScopeKey) *Session {
	return &Session{searcher: s, keys: slices.Clone(keys), readings: make(map[Term]*reading)}
}

// Peek reads the first round of the terms that were not read before, and returns the size
// of each term.
//
// Errors: see [Searcher.Lookup].
func (s *Session) Peek(ctx context.Context, terms []Term) ([]Size, error) {
	var fresh []*chainReader
	for _, term := range terms {
		if _, ok := s.readings[term]; !ok {
			fresh = append(fresh, s.reading(term).readers...)
		}
	}
	for { // more than once only if the terms do not fit in one round
		var unasked []*chainReader
		for _, c := range fresh {
			if !c.asked {
				unasked = append(unasked, c)
			}
		}
		if len(unasked) == 0 {
			break
		}
		if _, err := s.roundTrip(ctx, unasked); err != nil {
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
//
// Errors: see [Searcher.Lookup].
func (s *Session) All(ctx context.Context, terms []Term) ([][]Hit, error) {
	for {
		var open []*chainReader
		for _, term := range terms {
			for _, c := range s.reading(term).readers {
				if !c.done() {
					open = append(open, c)
				}
			}
		}
		if len(open) == 0 {
			break
		}
		if _, err := s.roundTrip(ctx, open); err != nil {
			return nil, err
		}
	}
	hits := make([][]Hit, len(terms))
	for i, term := range terms {
		hits[i] = s.reading(term).resolve(s.searcher.Hints)
	}
	return hits, nil
}

// Problems returns the entries so far that cannot be read, each a [*Problem].
func (s *Session) Problems() []error {
	var all []*Problem
	for _, r := range s.readings {
		for _, c := range r.readers {
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

// RoundTrips returns the number of round trips. Concurrent calls count as one.
func (s *Session) RoundTrips() int { return s.trips }

func (s *Session) roundTrip(ctx context.Context, readers []*chainReader) (bool, error) {
	s.trips++
	return roundTrip(ctx, s.searcher.Store, readers)
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
				c := newChainReader(keys, msp, slot, true)
				c.recall(s.searcher.Hints, keys.hintID(c.chain))
				r.readers = append(r.readers, c)
			}
		}
	}
	s.readings[term] = r
	return r
}

func (r *reading) size() Size {
	size := Size{Complete: true}
	for _, c := range r.readers {
		size.Complete = size.Complete && c.done()
		size.AtLeast += int(c.minLength)
	}
	return size
}

func (r *reading) resolve(hints Hints) []Hit {
	if r.resolved {
		return r.hits
	}
	var all []Hit
	found := slices.ContainsFunc(r.readers, func(c *chainReader) bool { return c.minLength > 0 })
	for _, c := range r.readers {
		// Empty chains are worth a hint if the term has others. A term without postings
		// is not: it may be a typing error.
		if hints != nil && (c.minLength != c.hint || found && !c.hinted) {
			hints.Store(c.keys.hintID(c.chain), c.minLength)
		}
		for _, p := range c.postings {
			all = append(all, Hit{Posting: p, Home: c.msp})
		}
	}
	r.hits, r.resolved = resolve(all), true
	return r.hits
}

// A Size is the size of a term as far as a peek shows it.
type Size struct {
	AtLeast  int  // postings, with deletes
	Complete bool // AtLeast counts all, and reading the term needs no further round trip
}

// A Source reads terms. [Session] reads them from the ledger.
type Source interface {
	// Peek returns the sizes of the terms. It takes one round trip.
	Peek(ctx context.Context, terms []Term) ([]Size, error)
	// All returns the hits of each term, newest first. The caller must not change them.
	All(ctx context.Context, terms []Term) ([][]Hit, error)
}
