package index_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/chartseal/chartseal/client/index"
)

// shelf is a minimal store of an index.
type shelf struct {
	mu      sync.Mutex
	entries map[index.Label][]byte
}

func (s *shelf) GetEntries(_ context.Context, batches []index.Batch) ([][][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([][][]byte, len(batches))
	for i, b := range batches {
		for _, l := range b.Labels {
			out[i] = append(out[i], s.entries[l])
		}
	}
	return out, nil
}

func (s *shelf) PutEntries(_ context.Context, entries []index.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if _, ok := s.entries[e.Label]; ok {
			return index.ErrExists
		}
	}
	for _, e := range entries {
		s.entries[e.Label] = e.Value[:]
	}
	return nil
}

func Example() {
	ctx := context.Background()
	ledger := &shelf{entries: make(map[index.Label][]byte)}
	key := index.NewScopeKey()

	// HospitalA indexes a record by what it says.
	facts := index.Facts{
		Kind:     "fhir:Condition",
		Patients: []index.Identifier{{System: "http://hospital-a.example", Value: "12345"}},
		Codes:    []index.Code{{System: "http://hl7.org/fhir/sid/icd-10-cm", Code: "I21.4"}},
		Dates:    []index.Date{{Year: 2019, Month: 3, Day: 14}},
	}
	writer := &index.Writer{Store: ledger, MSP: "HospitalA"}
	report, err := writer.Put(ctx, key, facts.Items([16]byte{0x4f}, 1, index.Add))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Entries, "entries and", report.Dummies, "dummies in", report.Transactions, "transaction")

	// HospitalB, which has the scope's key, searches.
	searcher := &index.Searcher{Store: ledger, MSPs: []string{"HospitalA", "HospitalB"}}
	query, err := index.ParseQuery("icd10:I20-I25 and date:2019-01..2019-06 and not home:HospitalB")
	if err != nil {
		fmt.Println(err)
		return
	}
	session := searcher.Session([]index.ScopeKey{key})
	hits, err := query.Evaluate(ctx, session)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range hits {
		fmt.Printf("%x %s %s %s\n", h.Record[:2], h.Kind, h.Last, h.Home)
	}
	// Output:
	// 25 entries and 39 dummies in 1 transaction
	// 4f00 fhir:Condition 2019-03-14 HospitalA
}
