package ledger

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// store gives the values and the beginnings in a peer's private data.
func store(e Envelopes) (values [][]byte, beginnings map[string][]byte) {
	beginnings = map[string][]byte{}
	for _, b := range e.Beginnings {
		beginnings[BeginningKey(b)] = b
	}
	for i := range e.Parts {
		values = append(values, e.Value(i))
	}
	return values, beginnings
}

func readFrom(beginnings map[string][]byte) func(string) ([]byte, error) {
	return func(key string) ([]byte, error) {
		if b, ok := beginnings[key]; ok {
			return b, nil
		}
		return nil, ErrUnavailable
	}
}

// sealedTogether makes envelopes with beginnings of the given sizes, so many of each, in
// random order.
func sealedTogether(r *rand.Rand, sizes, counts []int) [][]byte {
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"[r.IntN(64)]
		}
		return b
	}
	var all [][]byte
	for i, n := range counts {
		beginning := append([]byte("age-encryption.org/v1\n-> a policy that all have\n"), random(sizes[i])...)
		for range n {
			all = append(all, slices.Concat(beginning, random(1000)))
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func TestEnvelopesStayWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		sizes, counts []int
		beginnings    int
	}{
		{nil, nil, 0},
		{[]int{2000}, []int{1}, 0},
		{[]int{2000}, []int{2}, 1},
		{[]int{2000}, []int{MaxNewRecords}, 1},
		{[]int{2000, 1300}, []int{60, 40}, 2},
		{[]int{2000, 2000, 2000, 2000}, []int{30, 1, 2, 1}, 2},
		{slices.Repeat([]int{1500}, 50), slices.Repeat([]int{2}, 50), 50},
		{[]int{100}, []int{2}, 0}, // what it saves is less than it costs
		{slices.Repeat([]int{1500}, 4), slices.Repeat([]int{1}, 4), 0},
	} {
		whole := sealedTogether(r, c.sizes, c.counts)
		e := DivideEnvelopes(whole)
		if len(e.Beginnings) != c.beginnings {
			t.Errorf("%v: %d beginnings, want %d", c.counts, len(e.Beginnings), c.beginnings)
		}
		packed := e.Pack()
		back, err := UnpackEnvelopes(packed, len(whole))
		if err != nil {
			t.Fatalf("%v: %v", c.counts, err)
		}
		values, beginnings := store(back)
		stored := 0
		for i, w := range whole {
			got, err := JoinEnvelope(values[i], readFrom(beginnings))
			if err != nil || !bytes.Equal(got, w) || back.Size(i) != len(w) || !bytes.HasPrefix(w, back.Begins(i)) || !bytes.HasPrefix(back.Begins(i), []byte("age-")) {
				t.Fatalf("%v, envelope %d: %d bytes for %d, %v", c.counts, i, len(got), len(w), err)
			}
			stored += len(values[i])
		}
		if n := len(whole); c.beginnings == 1 && n > 2 && stored > n*1060 {
			t.Errorf("%d envelopes take %d bytes", n, stored)
		}
		// Two envelopes share no more than a few letters by chance: everything else is in
		// a beginning.
		for i, a := range back.Parts {
			for _, b := range back.Parts[:i] {
				if a.Beginning >= 0 && a.Beginning == b.Beginning && alike(a.Rest, b.Rest) > 4 {
					t.Errorf("%v: %d more bytes are alike", c.counts, alike(a.Rest, b.Rest))
				}
			}
		}
	}
	// Equal envelopes, and envelopes that are the beginning of others.
	same := []byte("age-encryption.org/v1\n" + strings.Repeat("a", 1000))
	whole := [][]byte{same, same, same[:900], same[:1]}
	values, beginnings := store(DivideEnvelopes(whole))
	for i, w := range whole {
		if got, err := JoinEnvelope(values[i], readFrom(beginnings)); err != nil || !bytes.Equal(got, w) {
			t.Errorf("envelope %d: %q, %v", i, got, err)
		}
	}
}

func TestEnvelopesInvalid(t *testing.T) {
	one, two := []byte("age-one"), []byte("age-two")
	part := func(k byte, rest string) []byte { return append([]byte{partMark, k}, rest...) }
	for name, c := range map[string]struct {
		n     int
		items [][]byte
	}{
		"too few":                     {2, [][]byte{one}},
		"one more":                    {1, [][]byte{one, two}},
		"a beginning of none":         {2, [][]byte{one, two, two}},
		"a beginning of one":          {2, [][]byte{one, part(0, "x"), two}},
		"a beginning that is not":     {2, [][]byte{one, part(0, "x"), part(1, "x")}},
		"no beginnings":               {2, [][]byte{part(0, "x"), part(0, "y")}},
		"an empty one":                {2, [][]byte{{}, part(0, "x"), part(0, "y")}},
		"nothing after it":            {2, [][]byte{one, part(0, ""), part(0, "y")}},
		"no position":                 {2, [][]byte{one, {partMark}, part(0, "y")}},
		"in another order":            {4, [][]byte{one, two, part(1, "x"), part(1, "x"), part(0, "x"), part(0, "x")}},
		"given twice":                 {4, [][]byte{one, one, part(0, "x"), part(1, "x"), part(0, "x"), part(1, "x")}},
		"a part of a part":            {2, [][]byte{part(0, "x"), part(0, "x"), part(0, "x"), part(0, "y"), part(1, "x")}},
		"none of which there is none": {0, [][]byte{one}},
	} {
		if _, err := UnpackEnvelopes(PackList(c.items), c.n); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "age-") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, err := UnpackEnvelopes(PackList([][]byte{one, part(0, "x"), two, part(0, "y")}), 3); err != nil || len(e.Beginnings) != 1 || e.Parts[1].Beginning != -1 {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestBeginningsExchanged plays the administrator of a peer, who changes stored values.
func TestBeginningsExchanged(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	whole := sealedTogether(r, []int{2000, 2000}, []int{2, 2})
	values, beginnings := store(DivideEnvelopes(whole))
	var keys []string
	for k := range beginnings {
		keys = append(keys, k)
	}
	if len(keys) != 2 {
		t.Fatalf("%d beginnings", len(keys))
	}
	for name, bad := range map[string]map[string][]byte{
		"another's": {keys[0]: beginnings[keys[1]], keys[1]: beginnings[keys[0]]},
		"cut off":   {keys[0]: beginnings[keys[0]][:1000], keys[1]: beginnings[keys[1]][:1000]},
		"longer":    {keys[0]: append(slices.Clone(beginnings[keys[0]]), 'x'), keys[1]: append(slices.Clone(beginnings[keys[1]]), 'x')},
		"empty":     {keys[0]: {}, keys[1]: {}},
	} {
		for _, v := range values {
			if got, err := JoinEnvelope(v, readFrom(bad)); !errors.Is(err, ErrTampered) || got != nil {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	}
	for _, n := range []int{1, 2, 1 + 32} {
		if got, err := JoinEnvelope(values[0][:n], readFrom(beginnings)); !errors.Is(err, ErrTampered) || got != nil {
			t.Errorf("a value of %d bytes: %v", n, err)
		}
	}
	if got, err := JoinEnvelope(values[0], readFrom(nil)); !errors.Is(err, ErrUnavailable) || got != nil {
		t.Errorf("no beginning: %v", err)
	}
}

// FuzzEnvelopes checks that accepted bytes have one form, and that dividing envelopes
// loses nothing.
func FuzzEnvelopes(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	f.Add(DivideEnvelopes(sealedTogether(r, []int{300, 900}, []int{4, 2})).Pack(), 6)
	f.Add(PackList([][]byte{[]byte("age-"), {partMark, 0, 'x'}, {partMark, 0, 'y'}}), 2)
	f.Add(PackList([][]byte{[]byte("age-a"), []byte("age-b")}), 2)
	f.Add([]byte{0, 0, 0, 1}, 1)
	f.Fuzz(func(t *testing.T, packed []byte, n int) {
		if n < 0 || n > MaxNewRecords {
			return
		}
		e, err := UnpackEnvelopes(packed, n)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(e.Pack(), packed) {
			t.Fatalf("%x is packed as %x", packed, e.Pack())
		}
		values, beginnings := store(e)
		whole := make([][]byte, n)
		for i := range whole {
			if whole[i], err = JoinEnvelope(values[i], readFrom(beginnings)); err != nil || len(whole[i]) != e.Size(i) {
				t.Fatalf("envelope %d: %v", i, err)
			}
			if len(whole[i]) == 0 || whole[i][0] == partMark {
				return // no age file, which contracts refuse
			}
		}
		again, err := UnpackEnvelopes(DivideEnvelopes(whole).Pack(), n)
		if err != nil {
			t.Fatal(err)
		}
		values, beginnings = store(again)
		for i := range whole {
			if got, err := JoinEnvelope(values[i], readFrom(beginnings)); err != nil || !bytes.Equal(got, whole[i]) {
				t.Fatalf("envelope %d: %x, %v", i, got, err)
			}
		}
	})
}
