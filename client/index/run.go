package index

import (
	"bytes"
	"context"
	"fmt"
	mathrand "math/rand/v2"
)

// A run is the postings of one term in one transaction, at consecutive counters of one chain.
type run struct {
	keys     *termKeys
	items    []int // positions of the postings in the transaction
	postings []Posting
	sealed   []Entry // aligned with postings; nil when the place is new
	landed   bool    // committed
	doubt    bool    // a former attempt may yet be committed: the place is kept unless it is seen to be taken

	cursor *cursor // nil when a chain has to be chosen
	slot   int     // of the cursor
	start  uint64  // the first posting's counter
	id     HintID
	busy   bool        // this run marked the chain in Writer.busy
	broken [Slots]bool // chains whose end does not authenticate
	last   error       // why the last chain was broken
	stuck  int         // attempts at the same place that were refused although the place looked free
}

// maxStuck is how often a place is tried that the peer shows free and the endorsers refuse. The peer may just be behind.
const maxStuck = 3

func groupRuns(items []Pending) []*run {
	byTerm := make(map[TermKey]*run)
	var runs []*run
	for i, item := range items {
		r, ok := byTerm[item.Key]
		if !ok {
			r = &run{keys: deriveTermKeys(item.Key)}
			byTerm[item.Key] = r
			runs = append(runs, r)
		}
		r.items = append(r.items, i)
		r.postings = append(r.postings, item.Posting)
	}
	return runs
}

// position gives every run that has none a chain and a place at its end, all in the same round trips.
func (w *Writer) position(ctx context.Context, runs []*run, random *mathrand.Rand, report *Report) error {
	for {
		var fresh []*run
		var cursors []*cursor
		for _, r := range runs {
			if r.cursor == nil && !r.landed {
				if err := w.choose(r, random); err != nil {
					return err
				}
				fresh = append(fresh, r)
				cursors = append(cursors, r.cursor)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		for {
			asked, err := round(ctx, w.Store, cursors)
			if err != nil {
				return err
			}
			if !asked {
				break
			}
			report.Reads++
		}
		for _, r := range fresh {
			r.start = r.cursor.lo
			// A value that does not authenticate at the end of a chain makes it useless: readers would stop there.
			if err, bad := r.cursor.bad[r.start]; bad && err != nil {
				r.broken[r.cursor.slot], r.last = true, err
				w.letGo(r)
			}
		}
	}
}

// choose picks one of the term's chains at random, one that no other transaction of this process is at if there is one.
func (w *Writer) choose(r *run, random *mathrand.Rand) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == nil {
		w.busy = make(map[HintID]bool)
	}
	slot, free := -1, false
	order := random.Perm(Slots)
	if s, ok := w.settled[r.term()]; ok {
		order = append([]int{s}, order...)
	}
	for _, s := range order {
		if r.broken[s] {
			continue
		}
		if idle := !w.busy[r.keys.hintID(chainName(w.MSP, s))]; slot < 0 || idle && !free {
			slot, free = s, idle
		}
	}
	if slot < 0 {
		return fmt.Errorf("every chain of a term is damaged: %w", r.last)
	}
	r.cursor, r.slot = newCursor(r.keys, w.MSP, slot, false), slot
	r.id = r.keys.hintID(r.cursor.chain)
	r.stuck = 0
	if free {
		w.busy[r.id], r.busy = true, true
	}
	r.cursor.recall(w.Hints, r.id)
	return nil
}

// landed looks which runs are committed after all, and returns whether all are. A run whose place was taken by
// someone else loses it.
func (w *Writer) landed(ctx context.Context, runs []*run, report *Report) (bool, error) {
	var questions []question
	byLabel := make(map[Label]*run, len(runs))
	for _, r := range runs {
		if !r.landed {
			label := r.sealed[0].Label
			questions = append(questions, question{label, r.cursor, r.start})
			byLabel[label] = r
		}
	}
	values, err := ask(ctx, w.Store, questions)
	if err != nil {
		return false, err
	}
	report.Reads++
	all := true
	for i, q := range questions {
		r := byLabel[q.label]
		if bytes.Equal(values[i], r.sealed[0].Value[:]) { // a transaction is written whole, so all of the run is there
			r.landed = true
			continue
		}
		all = false
		if values[i] != nil {
			w.move(r)
		}
		if r.stuck++; values[i] != nil || r.stuck >= maxStuck && !r.doubt {
			w.letGo(r)
		}
	}
	return all, nil
}

// term names the run's term in the writer's memory.
func (r *run) term() HintID { return r.keys.hintID(nil) }

// maxSettled bounds the terms for which a writer remembers a chain.
const maxSettled = 4096

// move notes another chain for a term over which this writer met another process. From now on it stays there until it meets
// someone again. So processes that index the same hot term drift apart, each to a chain of its own, and stop colliding. Terms without
// collisions are spread at random, which keeps chains short and reading fast.
func (w *Writer) move(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.settled == nil || len(w.settled) >= maxSettled {
		w.settled = make(map[HintID]int)
	}
	w.settled[r.term()] = (r.cursor.slot + 1 + mathrand.IntN(Slots-1)) % Slots
}

// moved reports whether some run has lost its place.
func moved(runs []*run) bool {
	for _, r := range runs {
		if r.cursor == nil && !r.landed {
			return true
		}
	}
	return false
}

func (w *Writer) remember(runs []*run) {
	if w.Hints == nil {
		return
	}
	for _, r := range runs {
		w.Hints.Store(r.id, r.start+uint64(len(r.postings)))
	}
}

func (w *Writer) release(runs []*run) {
	for _, r := range runs {
		if r.cursor != nil {
			w.letGo(r)
		}
	}
}

// letGo takes a run's place away.
func (w *Writer) letGo(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.busy {
		delete(w.busy, r.id)
	}
	r.busy, r.cursor, r.sealed, r.doubt = false, nil, nil, false
}
