package index

import (
	"bytes"
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
)

// An extension is the postings of one term in one transaction. They extend one of the
// term's chains and so get consecutive counters.
type extension struct {
	keys      *termKeys
	items     []int // positions of the postings in the transaction
	postings  []Posting
	sealed    []Entry // aligned with postings; nil when the place is new
	committed bool
	uncertain bool // an earlier attempt may yet be committed: the place is kept until another entry is seen there

	reader  *chainReader // of the chain; nil until one is chosen
	slot    int          // of the reader
	start   uint64       // the first posting's counter
	id      HintID
	busy    bool        // this extension marked the chain in Writer.busy
	broken  [Slots]bool // chains whose end does not authenticate
	last    error       // why the last chain was broken
	refused int         // attempts at this place that failed although it looked free
}

// maxRefused bounds the attempts at a place that the peer shows as free and the endorsers
// refuse. The peer may just be behind.
const maxRefused = 3

// extensionsOf groups items by term.
func extensionsOf(items []Pending) []*extension {
	byTerm := make(map[TermKey]*extension)
	var extensions []*extension
	for i, item := range items {
		x, ok := byTerm[item.Key]
		if !ok {
			x = &extension{keys: deriveTermKeys(item.Key)}
			byTerm[item.Key] = x
			extensions = append(extensions, x)
		}
		x.items = append(x.items, i)
		x.postings = append(x.postings, item.Posting)
	}
	return extensions
}

// findPlaces chooses a chain for every extension that has none and finds the chain's end.
// All extensions share the round trips.
func (w *Writer) findPlaces(ctx context.Context, extensions []*extension, random *mathrand.Rand, report *Report) error {
	for {
		var fresh []*extension
		var readers []*chainReader
		for _, x := range extensions {
			if x.reader == nil && !x.committed {
				if err := w.chooseChain(x, random); err != nil {
					return err
				}
				fresh = append(fresh, x)
				readers = append(readers, x.reader)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		for {
			asked, err := roundTrip(ctx, w.Store, readers)
			if err != nil {
				return err
			}
			if !asked {
				break
			}
			report.Reads++
		}
		for _, x := range fresh {
			x.start = x.reader.minLength
			// Nothing may follow a value that does not authenticate: readers stop there.
			if err, bad := x.reader.missing[x.start]; bad && err != nil {
				x.broken[x.reader.slot], x.last = true, err
				w.releasePlace(x)
			}
		}
	}
}

// chooseChain picks one of the term's chains: that of the writer's slot, or another one
// if a transaction of this process is extending it.
//
// A writer uses one slot for all terms, because transactions share many terms (a ward, a
// month, a frequent diagnosis). Two processes that chose a slot for each term would
// nearly always collide at some term, and one collision costs a whole transaction. With
// one slot they collide at all terms or at none, and the loser moves away: see leaveSlot.
func (w *Writer) chooseChain(x *extension, random *mathrand.Rand) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == nil {
		w.busy = make(map[HintID]bool)
		w.slot = random.IntN(Slots)
	}
	found := false
	try := func(slot int) (free bool) {
		if x.broken[slot] {
			return false
		}
		id := x.keys.hintID(chainName(w.MSP, slot))
		if free = !w.busy[id]; free || !found {
			x.slot, x.id, found = slot, id, true
		}
		return free
	}
	free := try(w.slot)
	if !free {
		free = slices.ContainsFunc(random.Perm(Slots), try)
	}
	if !found {
		return fmt.Errorf("every chain of a term is damaged: %w", x.last)
	}
	x.reader = newChainReader(x.keys, w.MSP, x.slot, false)
	x.reader.recall(w.Hints, x.id)
	x.refused = 0
	if free {
		w.busy[x.id], x.busy = true, true
	}
	return nil
}

// leaveSlot gives the writer another slot after a collision or too many refusals in its
// own. So processes that write the same terms drift apart, each to its own chains, and
// stop colliding.
func (w *Writer) leaveSlot(x *extension) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slot == x.slot {
		w.slot = (x.slot + 1 + mathrand.IntN(Slots-1)) % Slots
	}
}

// checkCommitted reads back which extensions are committed, and returns whether all are.
// An extension loses its place if another entry stands there.
func (w *Writer) checkCommitted(ctx context.Context, extensions []*extension, report *Report) (bool, error) {
	var probes []probe
	byLabel := make(map[Label]*extension, len(extensions))
	for _, x := range extensions {
		if !x.committed {
			label := x.sealed[0].Label
			probes = append(probes, probe{label, x.reader, x.start})
			byLabel[label] = x
		}
	}
	values, err := getValues(ctx, w.Store, probes)
	if err != nil {
		return false, err
	}
	report.Reads++
	all := true
	for i, q := range probes {
		x := byLabel[q.label]
		if bytes.Equal(values[i], x.sealed[0].Value[:]) { // a transaction is written whole, so all of the extension is there
			x.committed = true
			continue
		}
		all = false
		if x.refused++; values[i] != nil || x.refused >= maxRefused && !x.uncertain {
			w.leaveSlot(x)
			w.releasePlace(x)
		}
	}
	return all, nil
}

// slotTransactions is the mean number of transactions between two changes of the slot.
const slotTransactions = 64

// changeSlot gives the writer another slot now and then. Otherwise one large import would
// put a frequent term into one chain. Readers ask for a limited part of each chain in a
// round, so one long chain is slow to read. Changes are rare, which keeps collisions few,
// and random, so that processes do not move in step.
func (w *Writer) changeSlot(random *mathrand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if random.IntN(slotTransactions) == 0 {
		w.slot = random.IntN(Slots)
	}
}

// lostPlace reports whether an extension needs another place.
func lostPlace(extensions []*extension) bool {
	for _, x := range extensions {
		if x.reader == nil && !x.committed {
			return true
		}
	}
	return false
}

// storeHints remembers the new lengths of the chains.
func (w *Writer) storeHints(extensions []*extension) {
	if w.Hints == nil {
		return
	}
	for _, x := range extensions {
		w.Hints.Store(x.id, x.start+uint64(len(x.postings)))
	}
}

func (w *Writer) release(extensions []*extension) {
	for _, x := range extensions {
		if x.reader != nil {
			w.releasePlace(x)
		}
	}
}

// releasePlace takes an extension's place away.
func (w *Writer) releasePlace(x *extension) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.busy {
		delete(w.busy, x.id)
	}
	x.busy, x.reader, x.sealed, x.uncertain = false, nil, nil, false
}
