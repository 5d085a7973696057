package e2e

import (
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
	"github.com/chartseal/chartseal/client/trust"
	"github.com/chartseal/chartseal/client/wallet"
)

// author returns a Client of doctor@HospitalA with an outbox of its own. The mark points
// at the end of the chain: later transactions begin there.
func author(t *testing.T) (c *client.Client, mark begin) {
	t.Helper()
	level(t) // keeps earlier writes out of this test
	before := len(readBlocks(t, "HospitalA"))
	u := user(t, doctorA)
	stored, err := u.Keys(ledger.Actor("HospitalA", "doctor"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []*abe.UserKey
	for _, k := range stored {
		key, err := abe.ParseUserKey(k.Key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	identity, err := abe.NewIdentity(keys)
	if err != nil {
		t.Fatal(err)
	}
	box, err := outbox.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err = client.New(client.Config{Ledger: connect(t, doctorA), Blobs: store(t, "HospitalA", 0), Memory: u.Memory(),
		Outbox: box, Identities: []age.Identity{identity}, Signer: signer(t, u)})
	if err != nil {
		t.Fatal(err)
	}
	return c, func(all []transaction) int { return min(before, len(all)) }
}

// record seals a note under keywords and returns its id.
func record(t *testing.T, c *client.Client, mode index.Mode, keywords ...string) string {
	t.Helper()
	sealed, err := c.Seal(t.Context(), client.SealRequest{
		Sources: []client.Source{client.ReaderSource("note", strings.NewReader("a note"))},
		Policy:  twoDoctors, Scope: "consortium", Keywords: keywords, Index: mode,
	})
	if err != nil || len(sealed[0].Warnings) > 0 {
		t.Fatalf("%+v, %v", sealed, err)
	}
	return sealed[0].ID
}

// words makes n random keywords. Each is one term, and no other record has it.
func words(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strings.ToLower(rand.Text())
	}
	return out
}

// begin returns the index of the transaction at which a test begins, or a negative number
// if it is not there.
type begin func([]transaction) int

// registration finds the transaction that registers a record.
func registration(t *testing.T, record string) begin {
	return func(all []transaction) int {
		return slices.IndexFunc(all, func(tx transaction) bool {
			return tx.function == ledger.RecordCreate && slices.Contains(tx.records(t), record)
		})
	}
}

// since returns the transactions in a peer's blocks from the mark on. It waits until they
// contain the given number of index transactions.
func since(t *testing.T, organisation string, mark begin, puts int) []transaction {
	t.Helper()
	from := func(all []transaction) []transaction {
		if i := mark(all); i >= 0 {
			return all[i:]
		}
		return nil
	}
	return from(transactions(t, organisation, func(all []transaction) bool { return len(putsOf(from(all))) >= puts }))
}

func putsOf(all []transaction) []transaction {
	return slices.DeleteFunc(slices.Clone(all), func(tx transaction) bool { return tx.function != ledger.IndexPut })
}

// TestEqualKeywordsAtRest: the adversary has the regulator's block files and suspects
// that two records share all their keywords. No distance between the entries of two
// records separates the pairs that share keywords from those that do not.
func TestEqualKeywordsAtRest(t *testing.T) {
	const pairs = 12 // enough for the rank test: with 8 pairs, p is never below 7.8e-4
	c, mark := author(t)
	equal := make([]bool, 0, 2*pairs)
	for i := range 2 * pairs {
		same := i%2 == 0
		shared := words(12)
		for half := range 2 {
			mine := shared
			if !same && half == 1 {
				mine = words(12)
			}
			record(t, c, index.ModeNow, mine...)
		}
		equal = append(equal, same)
	}
	puts := putsOf(since(t, "Regulator", mark, 4*pairs))
	if len(puts) != 4*pairs {
		t.Fatalf("%d index transactions for %d records", len(puts), 4*pairs)
	}
	seen := make(map[string]bool)
	for _, tx := range puts {
		for _, e := range tx.entries(t) {
			for _, part := range [][]byte{e.Label[:], e.Value[:16], e.Value[16:32], e.Value[32:]} {
				if seen[string(part)] {
					t.Fatalf("%x is in the blocks twice", part)
				}
				seen[string(part)] = true
			}
		}
	}
	for what, part := range map[string]func(index.Entry) []byte{
		"labels":        func(e index.Entry) []byte { return e.Label[:] },
		"synthetic IVs": func(e index.Entry) []byte { return e.Value[:16] },
		"ciphertexts":   func(e index.Entry) []byte { return e.Value[16:] },
	} {
		var scores [2][]float64
		for i, same := range equal {
			a, b := puts[2*i].entries(t), puts[2*i+1].entries(t)
			score := nearest(a, b, part)
			if same {
				scores[0] = append(scores[0], score)
			} else {
				scores[1] = append(scores[1], score)
			}
		}
		// If the two kinds of pairs look alike, every order of the scores is equally
		// likely.
		if p := rankTest(scores[0], scores[1]); p < 1e-4 {
			t.Errorf("%s tell equal keywords from different ones: p = %g, %v and %v", what, p, scores[0], scores[1])
		}
	}
	// The same test separates the pairs if a label is a plain hash of the keyword.
	var naive [2][]float64
	for i, same := range equal {
		a, b := puts[2*i].entries(t), slices.Clone(puts[2*i+1].entries(t))
		if same {
			b[0].Label = a[0].Label
			naive[0] = append(naive[0], nearest(a, b, func(e index.Entry) []byte { return e.Label[:] }))
		} else {
			naive[1] = append(naive[1], nearest(a, b, func(e index.Entry) []byte { return e.Label[:] }))
		}
	}
	if p := rankTest(naive[0], naive[1]); p > 1e-3 {
		t.Errorf("the adversary is too weak to notice deterministic labels: p = %g", p)
	}
}

// TestKeywordCountAtRest: up to the bucket size, records with few and with many keywords
// leave transactions of the same size in the blocks.
func TestKeywordCountAtRest(t *testing.T) {
	c, mark := author(t)
	// Every note also has terms for its own kind. Together with 55 keywords they just fit
	// into the bucket of 64.
	counts := []int{1, 7, 25, 55}
	for _, n := range append(counts, 90) {
		record(t, c, index.ModeNow, words(n)...)
	}
	puts := putsOf(since(t, "Regulator", mark, len(counts)+1))
	if len(puts) != len(counts)+1 {
		t.Fatalf("%d index transactions", len(puts))
	}
	for i, tx := range puts {
		want := 64
		if i == len(counts) {
			want = 128
		}
		keys := make(map[string]bool)
		for _, w := range tx.writes {
			keys[w.Key] = true
			if len(w.Value) != index.ValueSize {
				t.Errorf("record %d: a value of %d bytes in the write set", i, len(w.Value))
			}
		}
		if n := len(tx.entries(t)); n != want || len(keys) != want {
			t.Errorf("record %d: %d entries and %d writes, want %d", i, n, len(keys), want)
		}
		// DER signatures differ in length by a few bytes, for any content.
		if d := tx.size - puts[0].size; i < len(counts) && (d < -16 || d > 16) {
			t.Errorf("record %d: the transaction differs by %d bytes", i, d)
		}
	}
}

// A sighting is one entry as the adversary sees it, with its true record.
type sighting struct {
	features []int // categorical
	truth    int   // record of the round, in order of registration
}

// TestBatchedEntriesCannotBeAttributed: each round seals eight records in sequence, and
// their entries are written together. For each entry the adversary knows its place in the
// write set, its transaction, the times, the creator and all bytes. The adversary is
// trained on half of the rounds with the true records. On the other half, its attribution
// is no better than chance.
func TestBatchedEntriesCannotBeAttributed(t *testing.T) {
	const each = 40
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	truth := newOracle(t)
	var training, test []sighting
	closest, total := 0, 0
	c, _ := author(t)
	for round := range rounds {
		ids, marks := make([]string, outbox.DefaultRecords), make([][]string, outbox.DefaultRecords)
		for i := range ids {
			marks[i] = words(each)
			ids[i] = record(t, c, index.ModeBatched, marks[i]...)
		}
		txs := since(t, "HospitalC", registration(t, ids[0]), 1) // 512 entries
		seen := sightings(t, txs, truth.of(marks))
		if len(seen) != outbox.DefaultRecords*each {
			t.Fatalf("round %d: the truth of %d entries is known", round, len(seen))
		}
		if round < rounds/2 {
			training = append(training, seen...)
		} else {
			test = append(test, seen...)
		}
		for _, s := range seen { // guesses the last record registered before the entry
			total++
			if s.truth == len(ids)-1 {
				closest++
			}
		}
	}
	check := func(what string, right, of int, chance float64) {
		t.Helper()
		rate, sigma := float64(right)/float64(of), math.Sqrt(chance*(1-chance)/float64(of))
		t.Logf("%s: %.1f %% of %d entries attributed, %.1f %% is chance", what, 100*rate, of, 100*chance)
		if rate > chance+5.5*sigma { // 1 in ten million
			t.Errorf("%s attributes %.1f %% of the entries, chance is %.1f %%", what, 100*rate, 100*chance)
		}
	}
	const chance = 1.0 / outbox.DefaultRecords
	learnt := learn(training, outbox.DefaultRecords)
	check("the trained adversary", learnt.right(test), len(test), chance)
	check("the nearest registration", closest, total, chance)
	for f := range test[0].features {
		one := learnt
		one.only = &f
		check(fmt.Sprintf("feature %d alone", f), one.right(test), len(test), chance)
	}
	// Neighbours in a transaction share a record no more often than any two entries do.
	same := 0
	for i := range len(test) - 1 {
		if test[i].truth == test[i+1].truth {
			same++
		}
	}
	check("neighbours", same, len(test)-1, float64(each-1)/float64(each*outbox.DefaultRecords-1))

	// The same adversary attributes the entries if they are in the order of their
	// records.
	sorted := func(data []sighting) []sighting {
		data = slices.Clone(data)
		for i := range data {
			data[i].features = slices.Clone(data[i].features)
			data[i].features[1] = data[i].truth * 2
		}
		return data
	}
	if right := learn(sorted(training), outbox.DefaultRecords).right(sorted(test)); right < len(test)*9/10 {
		t.Errorf("the adversary attributes %d of %d entries that are not shuffled: it is too weak to prove anything", right, len(test))
	}
}

// TestNowEntriesCanBeAttributed is the control: the same adversary attributes entries
// that are written at once.
func TestNowEntriesCanBeAttributed(t *testing.T) {
	c, mark := author(t)
	ids, marks := make([]string, 6), make([][]string, 6)
	for i := range ids {
		marks[i] = words(10)
		ids[i] = record(t, c, index.ModeNow, marks[i]...)
	}
	txs := since(t, "HospitalC", mark, len(ids))
	truth := newOracle(t).of(marks)
	// One user's client seals in sequence. By its clock, the n-th index transaction
	// belongs to the n-th registration.
	mine := slices.DeleteFunc(slices.Clone(txs), func(tx transaction) bool { return tx.creator != txs[0].creator })
	slices.SortFunc(mine, func(a, b transaction) int { return a.time.Compare(b.time) })
	registered := slices.DeleteFunc(slices.Clone(mine), func(tx transaction) bool { return tx.function != ledger.RecordCreate })
	right, of := 0, 0
	for n, tx := range putsOf(mine) {
		guess := slices.Index(ids, registered[n].records(t)[0])
		for _, e := range tx.entries(t) {
			if record, known := truth[e.Label]; known {
				of++
				if record == guess {
					right++
				}
			}
		}
	}
	if of != 60 || right < of*9/10 {
		t.Errorf("the adversary attributes %d of %d entries that were written at once: it is too weak to prove anything", right, of)
	}
}

// sightings returns the entries with a known record, and all their features in the
// blocks.
func sightings(t *testing.T, txs []transaction, truth map[index.Label]int) []sighting {
	t.Helper()
	var out []sighting
	registered := 0
	for _, tx := range txs {
		if tx.function == ledger.RecordCreate {
			registered++
		}
	}
	puts := putsOf(txs)
	for k, tx := range puts {
		entries := tx.entries(t)
		for i, e := range entries {
			record, known := truth[e.Label]
			if !known {
				continue
			}
			out = append(out, sighting{truth: record, features: []int{
				k, i * 16 / len(entries), i % 8,
				int(e.Label[0]) >> 4, int(e.Label[index.LabelSize-1]) & 15, int(e.Value[0]) >> 4, int(e.Value[24]) >> 4, int(e.Value[index.ValueSize-1]) & 15,
				int(tx.position), registered,
			}})
		}
	}
	return out
}

// signer signs for a user of the wallet.
func signer(t *testing.T, u *wallet.User) *trust.Signer {
	t.Helper()
	s, err := trust.NewSigner(u.Signer(), u.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
