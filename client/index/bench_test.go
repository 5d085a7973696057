package index

import (
	"fmt"
	"testing"
)

// BenchmarkLookup is the client's own work for a keyword with ten hits: derivations, labels, authentication.
func BenchmarkLookup(b *testing.B) {
	ledger := newMemory()
	for i := range 10 {
		w := &Writer{Store: ledger.as(hospitals[i%3]), MSP: hospitals[i%3]}
		if _, err := w.Put(b.Context(), testKey, []Item{{"word:x", posting(i)}}); err != nil {
			b.Fatal(err)
		}
	}
	s := &Searcher{Store: ledger.as("HospitalA"), MSPs: hospitals}
	for b.Loop() {
		if _, err := s.Lookup(b.Context(), []ScopeKey{testKey}, "word:x"); err != nil {
			b.Fatal(err)
		}
	}
	labels := 0
	for _, batch := range ledger.gets[len(ledger.gets)-1] {
		labels += len(batch.Labels)
	}
	b.ReportMetric(float64(labels), "labels/op")
}

// BenchmarkPut is the client's own work for a full transaction of distinct terms.
func BenchmarkPut(b *testing.B) {
	ledger := newMemory()
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA", Hints: &MemoryHints{}}
	n := 0
	for b.Loop() {
		var items []Item
		for i := range MaxBatch {
			items = append(items, Item{Term(fmt.Sprint("word:", i)), posting(n)})
			n++
		}
		if _, err := w.Put(b.Context(), testKey, items); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/entry")
}
