package index

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// A Hit is a record that has a term. Its posting is the newest one that no delete hides.
type Hit struct {
	Posting
	Home string // MSP ID of the hospital that wrote the posting; compare it with the record's own when you fetch the record
}

// hitKey identifies a record. The hospital belongs to it: no hospital can index another's
// record.
type hitKey struct {
	home   string
	record [16]byte
}

func (h Hit) key() hitKey { return hitKey{h.Home, h.Record} }

// resolve applies deletes, keeps the newest live posting of each record, and sorts newest
// first.
func resolve(all []Hit) []Hit {
	deleted := make(map[hitKey]uint32)
	for _, h := range all {
		if h.Op == Delete {
			deleted[h.key()] = max(deleted[h.key()], h.Version)
		}
	}
	live := make(map[hitKey]Hit)
	for _, h := range all {
		if h.Op != Add || h.Version <= deleted[h.key()] {
			continue
		}
		if old, ok := live[h.key()]; !ok || newer(h, old) {
			live[h.key()] = h
		}
	}
	hits := make([]Hit, 0, len(live))
	for _, h := range live {
		hits = append(hits, h)
	}
	slices.SortFunc(hits, compareHits)
	return hits
}

// newer orders postings of one record. The order is total, so that the order of reading
// does not matter.
func newer(a, b Hit) bool {
	return cmp.Or(cmp.Compare(a.Version, b.Version), a.Written.Compare(b.Written), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Last, b.Last), cmp.Compare(a.First, b.First)) > 0
}

// compareHits puts the newest first: by last clinical day, then by time of writing. The
// day of writing counts for a record without a clinical day, or with one that was in the
// future then, such as an appointment or a mistake. Record and hospital break ties.
func compareHits(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.sortDay(), a.sortDay()), b.Written.Compare(a.Written),
		bytes.Compare(a.Record[:], b.Record[:]), cmp.Compare(a.Home, b.Home))
}

func (h Hit) sortDay() Day {
	written := DayOf(h.Written.In(time.UTC))
	if h.Last == NoDay || h.Last > written+1 { // a day may begin earlier than in UTC
		return written
	}
	return h.Last
}
