package index

import (
	"bytes"
	"context"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"testing"
)

// What is written for the same keyword many times looks like what is written for
// different ones: no label or value repeats, and over all bytes neither differs from
// random ones (chi-squared with 255 degrees of freedom).
func TestEntriesAtRestLookRandom(t *testing.T) {
	for _, same := range []bool{true, false} {
		ledger := newMemory()
		w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
		for call := range 4 {
			var items []Item
			for i := range 900 {
				term := Term("icd10:I21.4")
				if !same {
					term = Term(fmt.Sprint("word:", call, "-", i))
				}
				items = append(items, Item{term, posting(call*900 + i)})
			}
			if _, err := w.Put(t.Context(), testKey, items); err != nil {
				t.Fatal(err)
			}
		}
		var labels, values [256]int
		seen := make(map[string]bool)
		entries := 0
		for _, tx := range ledger.puts {
			if len(tx) != 1024 {
				t.Errorf("a transaction of %d entries", len(tx))
			}
			for _, e := range tx {
				entries++
				for _, b := range e.Label {
					labels[b]++
				}
				for _, b := range e.Value {
					values[b]++
				}
				for _, part := range []string{string(e.Label[:]), string(e.Value[:24]), string(e.Value[24:40])} {
					if seen[part] {
						t.Errorf("%x repeats", part)
					}
					seen[part] = true
				}
			}
		}
		for name, counts := range map[string][256]int{"labels": labels, "values": values} {
			total, x2 := 0, 0.0
			for _, n := range counts {
				total += n
			}
			expected := float64(total) / 256
			for _, n := range counts {
				x2 += math.Pow(float64(n)-expected, 2) / expected
			}
			if x2 > 255+8*math.Sqrt(2*255) { // eight standard deviations: never by chance
				t.Errorf("same=%v, %s: chi squared %.0f over %d entries", same, name, x2, entries)
			}
		}
	}
}

// The adversary sees two batches and guesses in which one all entries share a keyword.
// Over sizes, order and the bits of labels and values it does no better than a coin.
func TestEqualKeywordsCannotBeTold(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	const games = 120
	// The strategies look for what a bad scheme would show: equal labels next to each
	// other, close labels, equal value bytes.
	strategies := map[string]func([]Entry) float64{
		"closest labels": func(tx []Entry) float64 {
			best := 129
			for i := range tx {
				for j := range i {
					d := 0
					for k := range tx[i].Label {
						d += popcount(tx[i].Label[k] ^ tx[j].Label[k])
					}
					best = min(best, d)
				}
			}
			return float64(best)
		},
		"equal value bytes": func(tx []Entry) float64 {
			n := 0
			for i := 1; i < len(tx); i++ {
				for k := range tx[i].Value {
					if tx[i].Value[k] == tx[0].Value[k] {
						n++
					}
				}
			}
			return float64(n)
		},
		"order": func(tx []Entry) float64 {
			n := 0
			for i := 1; i < len(tx); i++ {
				if bytes.Compare(tx[i].Label[:], tx[i-1].Label[:]) > 0 {
					n++
				}
			}
			return float64(n)
		},
	}
	wins := make(map[string]int)
	for range games {
		var batch [2][]Entry
		for same := range 2 {
			ledger := newMemory()
			w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
			var items []Item
			for i := range 40 {
				term := Term("word:same")
				if same == 0 {
					term = Term(fmt.Sprint("word:", i))
				}
				items = append(items, Item{term, posting(i)})
			}
			if _, err := w.Put(context.Background(), testKey, items); err != nil {
				t.Fatal(err)
			}
			batch[same] = ledger.puts[0]
		}
		for name, score := range strategies {
			a, b := score(batch[1]), score(batch[0])
			if a > b || a == b && random.IntN(2) == 0 {
				wins[name]++
			}
		}
	}
	for name, n := range wins {
		if off := math.Abs(float64(n) - games/2); off > 5*math.Sqrt(games)/2 {
			t.Errorf("%s: right in %d of %d games", name, n, games)
		}
	}
}

func popcount(b byte) int {
	n := 0
	for ; b != 0; b &= b - 1 {
		n++
	}
	return n
}

// The count of a batch's terms is hidden up to its bucket.
func TestBatchesArePadded(t *testing.T) {
	for n := range 1100 {
		if n%37 > 1 && n != 64 && n != 65 && n != 1024 && n != 1025 {
			continue
		}
		ledger := newMemory()
		w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
		var items []Item
		for i := range n {
			items = append(items, Item{"word:x", posting(i)})
		}
		report, err := w.Put(t.Context(), testKey, items)
		if err != nil {
			t.Fatal(err)
		}
		written := 0
		for _, tx := range ledger.puts {
			if Bucket(len(tx)) != len(tx) {
				t.Errorf("%d items: a transaction of %d entries", n, len(tx))
			}
			written += len(tx)
		}
		if report.Entries != n || report.Entries+report.Dummies != written || report.Transactions != len(ledger.puts) {
			t.Errorf("%d items: report %+v, written %d", n, report, written)
		}
	}
}

// Labels of a query are sent in order of their bytes, so that slots and counters do not
// show.
func TestQueryLabelsAreSorted(t *testing.T) {
	ledger, s, _ := seeded(t)
	ledger.gets = nil
	lookup(t, s)
	for _, call := range ledger.gets {
		for _, b := range call {
			for i := 1; i < len(b.Labels); i++ {
				if bytes.Compare(b.Labels[i-1][:], b.Labels[i][:]) >= 0 {
					t.Fatal("not sorted, or asked twice")
				}
			}
		}
	}
}
