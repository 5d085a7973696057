package index

import (
	"fmt"
	"testing"
)

// BenchmarkLookup is the client's own work for a keyword with ten hits (derivations,
// labels, authentication): the first time, and again when hints say how long the chains
// are.
func BenchmarkLookup(b *testing.B) {
	ledger := newMemory()
	for i := range 10 {
		w := &Writer{Store: ledger.as(hospitals[i%3]), MSP: hospitals[i%3]}
		if _, err := w.Put(b.Context(), testKey, []Item{{"word:x", posting(i)}}); err != nil {
			b.Fatal(err)
		}
	}
	for name, hints := range map[string]Hints{"first": nil, "again": &MemoryHints{}} {
		b.Run(name, func(b *testing.B) {
			s := &Searcher{Store: ledger.as("HospitalA"), MSPs: hospitals, Hints: hints}
			look := func() {
				ledger.gets = nil
				if _, err := s.Lookup(b.Context(), []ScopeKey{testKey}, "word:x"); err != nil {
					b.Fatal(err)
				}
			}
			look()
			b.ReportAllocs()
			for b.Loop() {
				look()
			}
			b.ReportMetric(float64(ledger.asked()), "labels/op")
		})
	}
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

// BenchmarkOpenValue is what each hit costs.
func BenchmarkOpenValue(b *testing.B) {
	keys := deriveTermKeys(testKey.Key("word:x"))
	label := keys.labelAt(chainName("HospitalA", 0), 0)
	e, err := keys.seal(label, posting(1))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.open(label, e.Value[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseQuery reads what a clinician types.
func BenchmarkParseQuery(b *testing.B) {
	for b.Loop() {
		if _, err := ParseQuery(`icd10:I21 and date:2019-03..2020-06 and not snomed:44054006 or (patient:"MRN 7" and kind:fhir:Observation)`); err != nil {
			b.Fatal(err)
		}
	}
}
