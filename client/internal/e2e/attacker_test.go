package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/bits"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/index"
)

// nearest returns the smallest Hamming distance, in bits, between a part of an entry of a
// and the same part of an entry of b.
func nearest(a, b []index.Entry, part func(index.Entry) []byte) float64 {
	best := math.MaxInt
	for _, x := range a {
		for _, y := range b {
			d := 0
			for i, c := range part(x) {
				d += bits.OnesCount8(c ^ part(y)[i])
			}
			best = min(best, d)
		}
	}
	return float64(best)
}

// rankTest returns the two-sided p-value of the Mann-Whitney test, by the normal
// approximation. It does not correct for ties, so it errs towards "no difference".
func rankTest(a, b []float64) float64 {
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x < y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	n, m := float64(len(a)), float64(len(b))
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}

// bayes is a naive Bayes classifier over categorical features with Laplace's correction.
type bayes struct {
	classes int
	counts  []map[[2]int]float64 // by feature, of (value, class)
	totals  []float64            // by class
	only    *int                 // the only feature to look at, if set
}

func learn(data []sighting, classes int) bayes {
	b := bayes{classes: classes, totals: make([]float64, classes)}
	for range data[0].features {
		b.counts = append(b.counts, make(map[[2]int]float64))
	}
	for _, s := range data {
		b.totals[s.truth]++
		for f, v := range s.features {
			b.counts[f][[2]int{v, s.truth}]++
		}
	}
	return b
}

func (b bayes) right(data []sighting) int {
	right := 0
	for _, s := range data {
		best, guess := math.Inf(-1), 0
		for class := range b.classes {
			score := 0.0
			for f, v := range s.features {
				if b.only == nil || *b.only == f {
					score += math.Log((b.counts[f][[2]int{v, class}] + 1) / (b.totals[class] + 16))
				}
			}
			if score > best {
				best, guess = score, class
			}
		}
		if guess == s.truth {
			right++
		}
	}
	return right
}

// oracle knows the scope's keys, and with them the true record of each entry.
type oracle struct {
	t     *testing.T
	keys  []index.ScopeKey
	store *recorder
}

// recorder collects the existing labels among those that a search asks for.
type recorder struct {
	index.Store
	found []index.Label
}

func (r *recorder) GetEntries(ctx context.Context, batches []index.Batch) ([][][]byte, error) {
	got, err := r.Store.GetEntries(ctx, batches)
	for i, values := range got {
		for j, v := range values {
			if v != nil {
				r.found = append(r.found, batches[i].Labels[j])
			}
		}
	}
	return got, err
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	expect(t, exitDone, doctorA, "search", "anything") // the search stores the scope's keys
	text, err := user(t, doctorA).Memory().Load("scope/consortium.json")
	if err != nil {
		t.Fatal(err)
	}
	var remembered struct{ Keys map[int][]byte }
	if err := json.Unmarshal(text, &remembered); err != nil {
		t.Fatal(err)
	}
	o := &oracle{t: t, store: &recorder{Store: connect(t, doctorA)}}
	for _, raw := range remembered.Keys {
		key, err := index.ParseScopeKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		o.keys = append(o.keys, key)
	}
	return o
}

// of maps each entry to the number of its record. Each keyword must belong to one record
// only.
func (o *oracle) of(marks [][]string) map[index.Label]int {
	o.t.Helper()
	truth := make(map[index.Label]int)
	for i, keywords := range marks {
		var terms []index.Term
		for _, word := range keywords {
			terms = append(terms, index.WordTerm(word))
		}
		o.store.found = nil
		s := &index.Searcher{Store: o.store, MSPs: []string{"HospitalA"}}
		if _, err := s.Lookup(o.t.Context(), o.keys, terms...); err != nil {
			o.t.Fatal(err)
		}
		for _, l := range o.store.found {
			name, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(ledger.IndexKey("HospitalA", l[:]), "i/"))
			if err != nil {
				o.t.Fatal(err)
			}
			truth[index.Label(name)] = i // the name that transaction.entries uses
		}
	}
	return truth
}
