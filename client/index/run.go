package index

import (
	"bytes"
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
)

// A run is the postings of one term in one transaction, at consecutive counters of one
// chain.
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

// maxStuck is how often a place is tried that the peer shows free and the endorsers
// refuse. The peer may just be behind.
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

// position gives every run that has none a chain and a place at its end, all in the same
// round trips.
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
			// A value that does not authenticate at the end of a chain makes it useless:
			// readers would stop there.
			if err, bad := r.cursor.bad[r.start]; bad && err != nil {
				r.broken[r.cursor.slot], r.last = true, err
				w.letGo(r)
			}
		}
	}
}

// choose picks one of the term's chains: that of the writer's own slot, or another if a
// transaction of this process is at that one.
//
// A writer keeps to one slot for all terms because transactions share many of them (a
// ward, a month, a frequent diagnosis). Two processes that chose for each term by itself
// would nearly always meet at some of them, and one such collision costs a whole
// transaction. So they meet at all or at none, and the one that lost moves away, see
// move.
func (w *Writer) choose(r *run, random *mathrand.Rand) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == nil {
		w.busy = make(map[HintID]bool)
		w.slot = random.IntN(Slots)
	}
	found := false
	try := func(slot int) (free bool) {
		if r.broken[slot] {
			return false
		}
		id := r.keys.hintID(chainName(w.MSP, slot))
		if free = !w.busy[id]; free || !found {
			r.slot, r.id, found = slot, id, true
		}
		return free
	}
	free := try(w.slot)
	if !free {
		free = slices.ContainsFunc(random.Perm(Slots), try)
	}
	if !found {
		return fmt.Errorf("every chain of a term is damaged: %w", r.last)
	}
	r.cursor = newCursor(r.keys, w.MSP, r.slot, false)
	r.cursor.recall(w.Hints, r.id)
	r.stuck = 0
	if free {
		w.busy[r.id], r.busy = true, true
	}
	return nil
}

// move gives the writer another slot, if it met another process at its own, or cannot get
// on there. So processes that write the same terms drift apart, each to chains of its
// own, and stop colliding.
func (w *Writer) move(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slot == r.slot {
		w.slot = (r.slot + 1 + mathrand.IntN(Slots-1)) % Slots
	}
}

// landed looks which runs are committed after all, and returns whether all are. A run
// whose place was taken by someone else loses it.
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
		if r.stuck++; values[i] != nil || r.stuck >= maxStuck && !r.doubt {
			w.move(r)
			w.letGo(r)
		}
	}
	return all, nil
}

// stay is for how many transactions a writer keeps to a slot, on average.
const stay = 64

// wander gives the writer another slot now and then. Otherwise one great import would put
// all of a frequent term into one chain, and a reader, who asks for a limited part of
// each chain in a round, would read it slowly. It is seldom enough that few collisions
// come of it, and at random, so that processes do not move in step.
func (w *Writer) wander(random *mathrand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if random.IntN(stay) == 0 {
		w.slot = random.IntN(Slots)
	}
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
