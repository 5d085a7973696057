package index

import (
	"maps"
	mathrand "math/rand/v2"
	"testing"
)

// frozen gives the hints of some moment in the past, for ever.
type frozen map[HintID]uint64

func (f frozen) Load(id HintID) (uint64, bool) {
	n, ok := f[id]
	return n, ok
}

func (frozen) Store(HintID, uint64) {}

// asked counts the labels of all calls since the last count.
func (m *memory) asked() int {
	n := 0
	for _, call := range m.gets {
		for _, b := range call {
			n += len(b.Labels)
		}
	}
	m.gets = nil
	return n
}

// A lookup that was made before asks for what was there, and for three labels a chain to
// see that nothing was added.
func TestHintsSaveLabels(t *testing.T) {
	ledger, s, real := seeded(t)
	s.Hints = &MemoryHints{}
	ledger.gets = nil
	lookup(t, s)
	first := ledger.asked()
	answer := lookup(t, s)
	want := len(real) + len(hospitals)*Slots*(1+lookahead)
	if n := ledger.asked(); n != want || n >= first || answer.RoundTrips != 1 || len(answer.Hits["word:x"]) != len(real) {
		t.Errorf("asked %d labels in %d rounds, want %d in one; %d the first time", n, answer.RoundTrips, want, first)
	}
	if _, err := s.Lookup(t.Context(), []ScopeKey{testKey}, "word:nowhere"); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Hints.(*MemoryHints).m); n != len(hospitals)*Slots {
		t.Errorf("%d hints, want those of the term that was found", n)
	}
}

// Whatever chains have grown by since the hints were made, all is found, in few rounds.
func TestStaleHints(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(3, 4))
	ledger := newMemory()
	next := 0
	grow := func(n int) {
		t.Helper()
		for range n { // by a process each, which picks a chain
			w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
			if _, err := w.Put(t.Context(), testKey, []Item{{"word:x", posting(next)}}); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	for _, by := range []int{0, 1, 3, 8, 40, 300} {
		hints := &MemoryHints{}
		s := &Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals, Hints: hints}
		lookup(t, s)
		old := frozen(maps.Clone(hints.m))
		grow(by)
		for _, stale := range []Hints{old, hints, &liar{random: random, MemoryHints: MemoryHints{m: maps.Clone(old)}}} {
			s.Hints = stale
			answer := lookup(t, s)
			if len(answer.Hits["word:x"]) != next || len(answer.Problems) > 0 {
				t.Errorf("%d more: %d hits, want %d; problems %v", by, len(answer.Hits["word:x"]), next, answer.Problems)
			}
			if answer.RoundTrips > 5 {
				t.Errorf("%d more: %d rounds", by, answer.RoundTrips)
			}
			if stale == hints && by <= 8 && answer.RoundTrips > 2 {
				t.Errorf("%d more over %d chains: %d rounds", by, Slots, answer.RoundTrips)
			}
		}
	}
}

// Hints save the far probes and not the proof: whether they are of now or older, one or
// two entries of a chain that has others after them are not withheld unnoticed.
func TestHintsDoNotHideWithheldEntries(t *testing.T) {
	ledger, s, _ := seeded(t)
	hints := &MemoryHints{}
	s.Hints = hints
	lookup(t, s)
	old := frozen(maps.Clone(hints.m))
	for i := range 40 {
		w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
		if _, err := w.Put(t.Context(), testKey, []Item{{"word:x", posting(100 + i)}}); err != nil {
			t.Fatal(err)
		}
	}
	session := s.Session([]ScopeKey{testKey})
	if _, err := session.All(t.Context(), []Term{"word:x"}); err != nil {
		t.Fatal(err)
	}
	now := frozen(maps.Clone(hints.m))
	tried, step := 0, uint64(1)
	if testing.Short() {
		step = 3
	}
	for _, c := range session.readings["word:x"].readers {
		for from := uint64(0); from < c.minLength; from += step {
			for width := uint64(1); width <= lookahead && from+width < c.minLength; width++ {
				hidden := make(map[Label]bool)
				for p := from; p < from+width; p++ {
					hidden[c.keys.labelAt(c.chain, p)] = true
				}
				ledger.answer = func(_ string, l Label, v []byte) []byte {
					if hidden[l] {
						return nil
					}
					return v
				}
				for name, h := range map[string]Hints{"old": old, "now": now, "none": nil} {
					s.Hints = h
					answer := lookup(t, s)
					if len(answer.Problems) != int(width) || len(answer.Hits["word:x"]) != 100-int(width) {
						t.Errorf("%s hints, %d withheld from %d of %d: %d hits, problems %v", name, width, from, c.minLength, len(answer.Hits["word:x"]), answer.Problems)
					}
					tried++
				}
			}
		}
	}
	if tried < 300/int(step) {
		t.Errorf("only %d attacks", tried)
	}
}
