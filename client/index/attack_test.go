package index

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// seeded is an index of 60 postings of one term, with its reader.
func seeded(t *testing.T) (*memory, *Searcher, map[Label]*chainReader) {
	t.Helper()
	ledger := newMemory()
	for i := range 60 {
		w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"} // a process each, so that all chains are in use
		if _, err := w.Put(t.Context(), testKey, []Item{{"word:x", posting(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	s := &Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals}
	session := s.Session([]ScopeKey{testKey})
	if _, err := session.All(t.Context(), []Term{"word:x"}); err != nil {
		t.Fatal(err)
	}
	real := make(map[Label]*chainReader)
	for _, c := range session.readings["word:x"].readers {
		for p := range c.postings {
			real[c.keys.labelAt(c.chain, p)] = c
		}
	}
	if len(real) != 60 {
		t.Fatalf("%d real labels", len(real))
	}
	return ledger, s, real
}

func lookup(t *testing.T, s *Searcher) *Answer {
	t.Helper()
	answer, err := s.Lookup(t.Context(), []ScopeKey{testKey}, "word:x")
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// A peer that withholds any entry but the last of a chain is found out, whichever it is.
func TestWithheldEntryIsReported(t *testing.T) {
	ledger, s, real := seeded(t)
	reported, silent := 0, 0
	for label, c := range real {
		last := c.keys.labelAt(c.chain, c.minLength-1) == label
		ledger.answer = func(msp string, l Label, v []byte) []byte {
			if l == label {
				return nil
			}
			return v
		}
		answer := lookup(t, s)
		if len(answer.Hits["word:x"]) != 59 {
			t.Errorf("%d hits, want 59", len(answer.Hits["word:x"]))
		}
		if last {
			silent++ // a shorter chain: documented
			continue
		}
		reported++
		var p *Problem
		if len(answer.Problems) != 1 || !errors.As(answer.Problems[0], &p) || p.MSP != "HospitalA" || !errors.Is(p, ErrTampered) {
			t.Errorf("problems %v", answer.Problems)
		}
	}
	if reported < 30 || silent != min(Slots, silent) {
		t.Errorf("%d reported, %d silent", reported, silent)
	}
}

// A peer that is only behind, and shows an entry when asked again, is not accused.
func TestLateEntryIsNoProblem(t *testing.T) {
	ledger, s, real := seeded(t)
	for label, c := range real {
		if c.keys.labelAt(c.chain, c.minLength-1) == label {
			continue
		}
		asked := 0
		ledger.answer = func(msp string, l Label, v []byte) []byte {
			if l == label {
				if asked++; asked == 1 {
					return nil
				}
			}
			return v
		}
		if answer := lookup(t, s); len(answer.Problems) > 0 || len(answer.Hits["word:x"]) != 60 {
			t.Fatalf("%d hits, problems %v", len(answer.Hits["word:x"]), answer.Problems)
		}
		return
	}
}

func TestAlteredValuesAreReported(t *testing.T) {
	ledger, s, real := seeded(t)
	var labels []Label
	for l := range real {
		labels = append(labels, l)
	}
	a, b := labels[0], labels[1]
	state := ledger.state["HospitalA"]
	flip := func(v []byte, i int) []byte {
		v = bytes.Clone(v)
		v[i] ^= 1
		return v
	}
	attacks := map[string]func(l Label, v []byte) []byte{
		"swapped": func(l Label, v []byte) []byte {
			switch l {
			case a:
				return state[b]
			case b:
				return state[a]
			}
			return v
		},
		"synthetic IV": func(l Label, v []byte) []byte {
			if l == a {
				return flip(v, 3)
			}
			return v
		},
		"ciphertext": func(l Label, v []byte) []byte {
			if l == a {
				return flip(v, 20)
			}
			return v
		},
		"last byte": func(l Label, v []byte) []byte {
			if l == a {
				return flip(v, ValueSize-1)
			}
			return v
		},
		"short": func(l Label, v []byte) []byte {
			if l == a {
				return v[:ValueSize-1]
			}
			return v
		},
		"empty": func(l Label, v []byte) []byte {
			if l == a {
				return []byte{}
			}
			return v
		},
		// The peer says that every label exists, to make the client read for ever.
		"everything exists": func(l Label, v []byte) []byte {
			if v == nil {
				return state[a]
			}
			return v
		},
		// The peer shows one hospital's entry as another's.
		"replayed": nil,
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			calls := len(ledger.gets)
			ledger.answer = func(msp string, l Label, v []byte) []byte {
				if attack == nil {
					if msp == "HospitalC" {
						return state[a]
					}
					return v
				}
				return attack(l, v)
			}
			answer := lookup(t, s)
			if len(answer.Problems) == 0 {
				t.Error("not noticed")
			}
			for _, err := range answer.Problems {
				if !errors.Is(err, ErrTampered) {
					t.Errorf("%v is not ErrTampered", err)
				}
			}
			for _, h := range answer.Hits["word:x"] {
				if h.Home != "HospitalA" {
					t.Errorf("hit of %s", h.Home)
				}
			}
			if n := len(ledger.gets) - calls; n > 10 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// A writer whose chain was spoilt by a colleague's client goes to another one, and its
// postings are found.
func TestWriterAvoidsSpoiltChains(t *testing.T) {
	ledger := newMemory()
	keys := deriveTermKeys(testKey.Key("word:x"))
	ledger.state["HospitalA"] = make(map[Label][]byte)
	for slot := range Slots - 1 {
		ledger.state["HospitalA"][keys.labelAt(chainName("HospitalA", slot), 0)] = make([]byte, ValueSize)
	}
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
	if _, err := w.Put(t.Context(), testKey, []Item{{"word:x", posting(1)}}); err != nil {
		t.Fatal(err)
	}
	answer := lookup(t, &Searcher{Store: ledger.as("HospitalA"), MSPs: hospitals})
	if len(answer.Hits["word:x"]) != 1 || len(answer.Problems) != Slots-1 {
		t.Errorf("%d hits, %d problems", len(answer.Hits["word:x"]), len(answer.Problems))
	}
	ledger.state["HospitalA"] = make(map[Label][]byte)
	for slot := range Slots {
		ledger.state["HospitalA"][keys.labelAt(chainName("HospitalA", slot), 0)] = make([]byte, ValueSize)
	}
	_, err := w.Put(t.Context(), testKey, []Item{{"word:x", posting(1)}})
	var failed *PutError
	if !errors.As(err, &failed) || len(failed.Pending) != 1 || !errors.Is(err, ErrTampered) {
		t.Errorf("error %v", err)
	}
}

// A peer that hides the entries of a chain from a writer makes it try in vain and go to
// another chain, and not write over anything or leave a hole.
func TestWriterWhosePeerHidesEntries(t *testing.T) {
	ledger := newMemory()
	hints := &MemoryHints{}
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA", Hints: hints, Backoff: time.Microsecond}
	put := func(i int) Report {
		t.Helper()
		report, err := w.Put(t.Context(), testKey, []Item{{"word:x", posting(i)}})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	for i := range 5 {
		put(i)
	}
	ledger.answer = func(string, Label, []byte) []byte { return nil }
	w.Hints = nil
	n := 5
	for collisions := 0; collisions == 0; n++ { // the writer may have wandered to a chain without entries; the next time it has one
		collisions = put(n).Collisions
		if n > 50 {
			t.Fatal("nothing was hidden")
		}
	}
	ledger.answer = nil
	if answer := lookup(t, &Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals}); len(answer.Hits["word:x"]) != n || len(answer.Problems) > 0 {
		t.Errorf("%d hits, problems %v", len(answer.Hits["word:x"]), answer.Problems)
	}
}
