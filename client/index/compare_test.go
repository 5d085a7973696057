package index

import (
	"errors"
	"testing"
)

// A peer that hides the end of a chain cannot be found out alone; beside a second one it
// is, and the hits are complete.
func TestComparisonFindsAHiddenEnd(t *testing.T) {
	honest, _, real := seeded(t)
	lying := newMemory()
	lying.state = honest.state
	hidden := 0
	ends := make(map[Label]bool)
	for label, c := range real {
		if c.keys.labelAt(c.chain, c.minLength-1) == label {
			ends[label] = true
			hidden++
		}
	}
	lying.answer = func(_ string, l Label, v []byte) []byte {
		if ends[l] {
			return nil
		}
		return v
	}
	alone := lookup(t, &Searcher{Store: lying.as("HospitalB"), MSPs: hospitals})
	if len(alone.Hits["word:x"]) != 60-hidden || len(alone.Problems) != 0 {
		t.Fatalf("alone: %d hits, %v", len(alone.Hits["word:x"]), alone.Problems)
	}
	for name, both := range map[string]*Comparison{
		"first lies":  {First: lying.as("HospitalB"), Second: honest.as("HospitalB")},
		"second lies": {First: honest.as("HospitalB"), Second: lying.as("HospitalB")},
	} {
		answer := lookup(t, &Searcher{Store: both, MSPs: hospitals})
		if len(answer.Hits["word:x"]) != 60 || len(both.Differences()) != hidden {
			t.Errorf("%s: %d hits, %d differences, want %d", name, len(answer.Hits["word:x"]), len(both.Differences()), hidden)
		}
		for _, err := range both.Differences() {
			if !errors.Is(err, ErrTampered) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	agree := &Comparison{First: honest.as("HospitalA"), Second: honest.as("HospitalB")}
	if lookup(t, &Searcher{Store: agree, MSPs: hospitals}); len(agree.Differences()) != 0 {
		t.Errorf("honest peers: %v", agree.Differences())
	}
}
