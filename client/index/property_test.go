package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	hospitals = []string{"HospitalA", "HospitalB", "HospitalC"}
	testKey   = ScopeKey{1, 2, 3}
)

func recordID(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func posting(n int) Posting {
	return Posting{
		Record: recordID(n), Version: 1, Op: Add, Kind: "text", First: NoDay, Last: NoDay,
		Written: time.Unix(1_700_000_000+int64(n), 0),
	}
}

// plain is the model: what an index without secrets would say.
type plain map[Term]map[hitKey]Posting

func (m plain) apply(home string, items []Item) {
	for _, it := range items {
		if m[it.Term] == nil {
			m[it.Term] = make(map[hitKey]Posting)
		}
		k := hitKey{home, it.Posting.Record}
		if it.Posting.Op == Delete {
			if old, ok := m[it.Term][k]; ok && old.Version <= it.Posting.Version {
				delete(m[it.Term], k)
			}
			continue
		}
		if old, ok := m[it.Term][k]; !ok || old.Version <= it.Posting.Version {
			m[it.Term][k] = it.Posting
		}
	}
}

func (m plain) compare(t *testing.T, answer *Answer, terms []Term) {
	t.Helper()
	for _, err := range answer.Problems {
		t.Errorf("problem: %v", err)
	}
	for _, term := range terms {
		got := make(map[hitKey]Posting)
		for _, h := range answer.Hits[term] {
			if _, twice := got[h.key()]; twice {
				t.Errorf("%s: %v twice", term, h.key())
			}
			got[h.key()] = h.Posting
		}
		want := make(map[hitKey]Posting)
		for k, p := range m[term] {
			p.Written = p.Written.UTC()
			want[k] = p
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %d hits, want %d", term, len(got), len(want))
		}
	}
}

// liar gives hints that are lost, stale, far too long, or right.
type liar struct {
	MemoryHints
	mu     sync.Mutex
	random *mathrand.Rand
}

func (l *liar) Load(id HintID) (uint64, bool) {
	n, ok := l.MemoryHints.Load(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.random.IntN(5) {
	case 0:
		return 0, false
	case 1:
		return n / 2, true
	case 2:
		return n + uint64(l.random.IntN(5000)), true
	case 3:
		return 1 << l.random.IntN(64), true
	}
	return n, ok
}

func TestAgreesWithPlainModel(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 3 // one of each kind of hints
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := mathrand.New(mathrand.NewPCG(seed, 7))
			ledger, model := newMemory(), plain{}
			var hints Hints
			switch seed % 3 {
			case 1:
				hints = &MemoryHints{}
			case 2:
				hints = &liar{random: random}
			}
			terms := make([]Term, 12)
			for i := range terms {
				terms[i] = Term(fmt.Sprintf("word:w%d", i))
			}
			versions := make(map[hitKey]uint32)
			for call := range 25 {
				home := hospitals[random.IntN(3)]
				var items []Item
				for range random.IntN(200) {
					p := posting(random.IntN(60))
					k := hitKey{home, p.Record}
					versions[k] += uint32(random.IntN(2))
					p.Version = max(1, versions[k])
					p.Written = time.Unix(1_700_000_000, 0).Add(time.Duration(call) * time.Minute)
					item := Item{terms[min(random.IntN(12), random.IntN(12))], p}
					if random.IntN(4) == 0 && p.Version > 1 {
						item.Posting.Op = Delete
						item.Posting.Version = p.Version - 1
					}
					items = append(items, item)
				}
				w := &Writer{Store: ledger.as(home), MSP: home, Hints: hints}
				if _, err := w.Put(t.Context(), testKey, items); err != nil {
					t.Fatal(err)
				}
				model.apply(home, items)
			}
			s := &Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals, Hints: hints}
			for range 3 { // the later ones with the hints of the earlier
				answer, err := s.Lookup(t.Context(), []ScopeKey{testKey}, terms...)
				if err != nil {
					t.Fatal(err)
				}
				model.compare(t, answer, terms)
			}
		})
	}
}

func TestLongChains(t *testing.T) {
	ledger, model := newMemory(), plain{}
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
	next := 0
	for _, n := range []int{1, 3, 60, 700, 3000, 6000} {
		var items []Item
		for range n {
			items = append(items, Item{"word:hot", posting(next)})
			next++
		}
		if _, err := w.Put(t.Context(), testKey, items); err != nil {
			t.Fatal(err)
		}
		model.apply("HospitalA", items)
		s := &Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals}
		answer, err := s.Lookup(t.Context(), []ScopeKey{testKey}, "word:hot", "word:none")
		if err != nil {
			t.Fatal(err)
		}
		model.compare(t, answer, []Term{"word:hot", "word:none"})
		labels := 0
		for _, call := range ledger.gets {
			for _, b := range call {
				labels += len(b.Labels)
			}
		}
		ledger.gets = nil
		t.Logf("%d hits: %d round trips, %d labels asked (writes included)", next, answer.RoundTrips, labels)
		hits := answer.Hits["word:hot"]
		if !slices.IsSortedFunc(hits, compareHits) || hits[0].Record != recordID(next-1) {
			t.Error("not newest first")
		}
	}
}

func TestUsualLookupIsOneOrTwoRoundTrips(t *testing.T) {
	ledger := newMemory()
	var items []Item
	for i := range 10 {
		items = append(items, Item{"word:ten", posting(i)}, Item{Term(fmt.Sprint("word:other", i)), posting(i)})
	}
	for i, it := range items {
		home := hospitals[i/2%3]
		w := &Writer{Store: ledger.as(home), MSP: home}
		if _, err := w.Put(t.Context(), testKey, []Item{it}); err != nil {
			t.Fatal(err)
		}
	}
	s := &Searcher{Store: ledger.as("HospitalA"), MSPs: append(hospitals, "HospitalD", "HospitalE")}
	answer, err := s.Lookup(t.Context(), []ScopeKey{testKey}, "word:ten", "word:other3")
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Hits["word:ten"]) != 10 || answer.RoundTrips > 2 {
		t.Errorf("%d hits in %d round trips", len(answer.Hits["word:ten"]), answer.RoundTrips)
	}
}

// Sixteen writers, some sharing a Writer, write the same hot term at once: nothing lost,
// nothing twice.
func TestConcurrentWriters(t *testing.T) {
	ledger := newMemory()
	ledger.beforeCommit = func(string) { time.Sleep(time.Millisecond) } // so that transactions overlap
	var collisions, transactions atomic.Int64
	var group sync.WaitGroup
	shared := make(map[string]*Writer)
	for _, h := range hospitals {
		shared[h] = &Writer{Store: ledger.as(h), MSP: h, Hints: &MemoryHints{}, Backoff: 2 * time.Millisecond, Attempts: 60}
	}
	const writers, each = 16, 12
	for n := range writers {
		home := hospitals[n%3]
		w := shared[home]
		if n%2 == 0 { // another process
			w = &Writer{Store: ledger.as(home), MSP: home, Hints: &MemoryHints{}, Backoff: 2 * time.Millisecond, Attempts: 60}
		}
		group.Go(func() {
			for i := range each {
				p := posting(n*each + i)
				report, err := w.Put(t.Context(), testKey, []Item{{"icd10:I21.4", p}, {Term(fmt.Sprint("word:", n)), p}})
				if err != nil {
					t.Errorf("writer %d: %v", n, err)
					return
				}
				collisions.Add(int64(report.Collisions))
				transactions.Add(int64(report.Transactions))
			}
		})
	}
	group.Wait()
	t.Logf("%d transactions, %d collisions", transactions.Load(), collisions.Load())
	s := &Searcher{Store: ledger.as("HospitalA"), MSPs: hospitals}
	session := s.Session([]ScopeKey{testKey})
	hits, err := session.All(t.Context(), []Term{"icd10:I21.4"})
	if err != nil {
		t.Fatal(err)
	}
	if len(hits[0]) != writers*each || len(session.Problems()) > 0 {
		t.Errorf("%d hits, want %d; problems %v", len(hits[0]), writers*each, session.Problems())
	}
	postings := 0
	for _, c := range session.readings["icd10:I21.4"].readers {
		postings += len(c.postings)
	}
	if postings != writers*each {
		t.Errorf("%d postings, want %d: written twice", postings, writers*each)
	}
}

func TestEpochs(t *testing.T) {
	ledger := newMemory()
	old, now := ScopeKey{1}, ScopeKey{2}
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA"}
	put := func(k ScopeKey, p Posting) {
		if _, err := w.Put(context.Background(), k, []Item{{"word:x", p}}); err != nil {
			t.Fatal(err)
		}
	}
	gone := posting(2)
	put(old, posting(1))
	put(old, gone)
	put(now, posting(3))
	gone.Op = Delete
	put(now, gone) // a delete in a later epoch hides an add in an earlier one
	s := &Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals}
	for _, c := range []struct {
		keys []ScopeKey
		want int
	}{{[]ScopeKey{old, now}, 2}, {[]ScopeKey{old}, 2}, {[]ScopeKey{now}, 1}, {nil, 0}, {[]ScopeKey{{9}}, 0}} {
		answer, err := s.Lookup(t.Context(), c.keys, "word:x")
		if err != nil {
			t.Fatal(err)
		}
		if got := len(answer.Hits["word:x"]); got != c.want {
			t.Errorf("%d keys: %d hits, want %d", len(c.keys), got, c.want)
		}
	}
}

// Six processes of one hospital that keep indexing the same terms, one or many, find
// chains of their own, and then hardly ever collide.
func TestWritersDriftApart(t *testing.T) {
	for _, terms := range []int{1, 16} {
		ledger := newMemory()
		ledger.beforeCommit = func(string) { time.Sleep(5 * time.Millisecond) }
		const writers, each = 6, 60
		var late atomic.Int64
		var group sync.WaitGroup
		for n := range writers {
			w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA", Hints: &MemoryHints{}, Backoff: 2 * time.Millisecond, Attempts: 60}
			group.Go(func() {
				for i := range each {
					var items []Item
					for k := range terms {
						items = append(items, Item{Term(fmt.Sprint("word:hot", k)), posting(n*each + i)})
					}
					report, err := w.Put(t.Context(), testKey, items)
					if err != nil {
						t.Error(err)
						return
					}
					if i >= each/2 {
						late.Add(int64(report.Collisions))
					}
				}
			})
		}
		group.Wait()
		if n := late.Load(); n > writers*each/2/4 { // at random it would be near half, and with many terms nearly all
			t.Errorf("%d terms: %d collisions in the second half", terms, n)
		}
	}
}

// One process that writes a term for long spreads it over chains all the same.
func TestLongWriterUsesManyChains(t *testing.T) {
	ledger := newMemory()
	w := &Writer{Store: ledger.as("HospitalA"), MSP: "HospitalA", Hints: &MemoryHints{}}
	const n = 40 * slotTransactions
	for i := range n {
		if _, err := w.Put(t.Context(), testKey, []Item{{"word:hot", posting(i)}}); err != nil {
			t.Fatal(err)
		}
		ledger.gets, ledger.puts = nil, nil
	}
	session := (&Searcher{Store: ledger.as("HospitalB"), MSPs: hospitals}).Session([]ScopeKey{testKey})
	hits, err := session.All(t.Context(), []Term{"word:hot"})
	if err != nil || len(hits[0]) != n {
		t.Fatalf("%d hits, %v", len(hits[0]), err)
	}
	used := 0
	for _, c := range session.readings["word:hot"].readers {
		if c.minLength > 0 {
			used++
		}
	}
	if used < Slots/2 { // forty moves, on average
		t.Errorf("%d chains in use", used)
	}
}
