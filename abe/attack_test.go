package abe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math/big"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// These tests perform real attacks and bypass our own checks. They decrypt with keys and
// coefficients of the attacker's choice. They compare the resulting secret, not our
// error.

// A target is a sealed secret under attack.
type target struct {
	span   *policy.Span
	rows   []row
	secret []byte
}

func (w *world) target(text string) *target {
	w.t.Helper()
	spans, err := mustPolicy(w.t, text).Spans(order())
	if err != nil || len(spans) != 1 {
		w.t.Fatalf("%s: %d spans, %v", text, len(spans), err)
	}
	var keys []*PublicKey
	for _, r := range spans[0].Rows() {
		keys = append(keys, w.public(r.Attribute, 1))
	}
	rows, secret, err := encapsulate(suites[0], spans[0], keys, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return &target{spans[0], rows, secret.Marshal()}
}

// attack decrypts for the GID with the given keys. It uses the coefficients of a holder
// of the named attributes.
func (g *target) attack(t *testing.T, gid string, attributes []string, keys map[string]*UserKey) []byte {
	t.Helper()
	coefficients, ok := g.span.Solve(policy.Holding(attributes...))
	if !ok {
		t.Fatalf("%v do not satisfy %s: the attack is no attack", attributes, g.span)
	}
	var shares []share
	for _, c := range coefficients {
		shares = append(shares, share{g.rows[c.Row], c.Value, keys[g.span.Rows()[c.Row].Attribute]})
	}
	secret, err := decapsulate(suites[0], hash(t, gid), shares)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Marshal()
}

func byName(keys ...*UserKey) map[string]*UserKey {
	m := map[string]*UserKey{}
	for _, k := range keys {
		m[k.Name()] = k
	}
	return m
}

// collusions lists policies with two users. Neither user satisfies the policy alone, but
// their attributes together do.
var collusions = []struct{ policy, alice, bob string }{
	{"A:x and B:y", "A:x", "B:y"},
	{"A:x and (B:y or B:z)", "A:x", "B:z"},
	{"A:w and B:v or A:x and B:y", "A:x", "B:y"},
	{"2 of (A:x, B:y, A:z)", "A:x", "B:y"},
	{"2 of (A:x, B:y, A:z)", "A:x", "A:z"},
	{"2 of (A:x and A:w, B:y, B:z)", "B:z", "B:y"},
	{"A:x and B:y or A:x and B:z", "A:x", "B:z"}, // factoring removes the repeated attribute
}

func TestCollusion(t *testing.T) {
	w := newWorld(t, "A", "B")
	for _, c := range collusions {
		g := w.target(c.policy)
		alice, bob := w.issue("H/alice", c.alice), w.issue("H/bob", c.bob)
		both := byName(alice[0], bob[0])
		attributes := []string{c.alice, c.bob}
		honest := byName(w.issue("H/alice", c.alice, c.bob)...)
		if !bytes.Equal(g.attack(t, "H/alice", attributes, honest), g.secret) {
			t.Fatalf("%s: the honest holder of both does not get the secret", c.policy)
		}
		for _, gid := range []string{"H/alice", "H/bob"} {
			if bytes.Equal(g.attack(t, gid, attributes, both), g.secret) {
				t.Errorf("%s: alice and bob together get the secret as %s", c.policy, gid)
			}
		}
		// Mixed GIDs: each row uses the hash of its key's holder. Our decapsulate does
		// not even offer this.
		if bytes.Equal(g.mixed(t, attributes, both), g.secret) {
			t.Errorf("%s: alice and bob together get the secret with both hashes", c.policy)
		}
	}
	if _, err := NewIdentity(append(w.issue("H/alice", "A:x"), w.issue("H/bob", "B:y")...)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("identity of two people: %v", err)
	}
}

// mixed decrypts row by row, with H(GID) of each key's own holder.
func (g *target) mixed(t *testing.T, attributes []string, keys map[string]*UserKey) []byte {
	t.Helper()
	coefficients, _ := g.span.Solve(policy.Holding(attributes...))
	suite := suites[0]
	var factors []pairing.GT
	var powers []*big.Int
	var pairs []pairing.Pair
	for _, c := range coefficients {
		r, k := g.rows[c.Row], keys[g.span.Rows()[c.Row].Attribute]
		factors, powers = append(factors, r.c1), append(powers, c.Value)
		pairs = append(pairs, pairing.Pair{P: hash(t, k.gid), Q: r.c3, Times: c.Value}, pairing.Pair{P: k.k, Q: r.c2, Times: new(big.Int).Neg(c.Value)})
	}
	return suite.Product([]pairing.GT{suite.Product(factors, powers), suite.PairProduct(pairs)}, nil).Marshal()
}

// TestSplitStanzasDoNotCombine combines rows from the two ciphertexts of a split policy.
// They are shares of different secrets.
func TestSplitStanzasDoNotCombine(t *testing.T) {
	w := newWorld(t, "A", "B")
	_, stanzas := w.stanzas("A:x and B:y or A:x and B:z or B:y and B:z")
	if len(stanzas) != 2 {
		t.Fatalf("%d stanzas", len(stanzas))
	}
	first, second := w.target("A:x and B:y"), w.target("A:x and B:y")
	mixture := &target{first.span, []row{first.rows[0], second.rows[1]}, first.secret}
	keys := byName(w.issue("H/d", "A:x", "B:y")...)
	got := mixture.attack(t, "H/d", []string{"A:x", "B:y"}, keys)
	if bytes.Equal(got, first.secret) || bytes.Equal(got, second.secret) {
		t.Error("rows of two ciphertexts combine")
	}
}

// TestUnsatisfyingSets uses the solver's coefficients for all attributes, with wrong keys
// for the attributes that the attacker lacks.
func TestUnsatisfyingSets(t *testing.T) {
	w := newWorld(t, "A", "B")
	for _, test := range []struct {
		policy string
		held   []string
	}{
		{"A:x", []string{"A:y"}},
		{"A:x and B:y", []string{"A:x"}},
		{"2 of (A:x, A:y, B:z)", []string{"A:y"}},
		{"A:x and 3 of (A:p, A:q, B:r, B:s)", []string{"A:x", "A:p", "B:s"}},
	} {
		g := w.target(test.policy)
		held := byName(w.issue("H/d", test.held...)...)
		var all []string
		for _, r := range g.span.Rows() {
			all = append(all, r.Attribute)
			if held[r.Attribute] == nil {
				held[r.Attribute] = held[test.held[0]]
			}
		}
		if bytes.Equal(g.attack(t, "H/d", all, held), g.secret) {
			t.Errorf("%s opens with %v", test.policy, test.held)
		}
	}
}

// TestRelabelledKeys changes the labels of a key.
func TestRelabelledKeys(t *testing.T) {
	w := newWorld(t, "A", "B")
	sealed := w.seal("A:x and B:y", []byte("record"))
	mine := w.issue("H/bob", "A:x", "B:z", "B:y@2")
	relabel := func(k *UserKey, gid, attribute string, version int) *UserKey {
		a, err := policy.ParseAttribute(attribute)
		if err != nil {
			t.Fatal(err)
		}
		return &UserKey{suite: k.suite, gid: gid, attribute: a, version: version, k: k.k}
	}
	for name, keys := range map[string][]*UserKey{
		"another attribute": {mine[0], relabel(mine[1], "H/bob", "B:y", 1)},
		"another version":   {mine[0], relabel(mine[2], "H/bob", "B:y", 1)},
		"another person":    {relabel(mine[0], "H/alice", "A:x", 1), w.issue("H/alice", "B:y")[0]},
	} {
		if got, err := decrypt(sealed, w.identity(keys)); !errors.Is(err, ErrTampered) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		for _, k := range keys {
			ok := k.Verify(w.public(k.Name(), 1)) == nil
			genuine := slices.ContainsFunc(w.issue(k.GID(), k.Name()), func(g *UserKey) bool { return bytes.Equal(g.k.Marshal(), k.k.Marshal()) })
			if ok != genuine {
				t.Errorf("%s: Verify of %v says %v", name, k, ok)
			}
		}
	}
	if err := mine[0].Verify(w.public("A:y", 1)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("verify against another attribute: %v", err)
	}
	if err := mine[0].Verify(w.public("A:x", 2)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("verify against another version: %v", err)
	}
}

// TestRogueAuthority lets authority R make keys for A's attributes with its own secret.
func TestRogueAuthority(t *testing.T) {
	w := newWorld(t, "A", "B", "R")
	rogue := w.masters["R"]
	if _, err := rogue.PublicKey("A:x", 1); err == nil {
		t.Error("R published under A's name")
	}
	if _, err := rogue.Issue("H/d", "A:x", 1); err == nil {
		t.Error("R issued under A's name")
	}
	// R can of course claim to be A. Its user keys then do not fit A's public key, and
	// its public key differs from A's.
	disguised := &MasterKey{authority: "A", secret: rogue.secret}
	forged, err := disguised.Issue("H/d", "A:x", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := forged.Verify(w.public("A:x", 1)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("R's key for A:x verifies: %v", err)
	}
	g := w.target("A:x and B:y")
	if bytes.Equal(g.attack(t, "H/d", []string{"A:x", "B:y"}, byName(forged, w.issue("H/d", "B:y")[0])), g.secret) {
		t.Error("R's key for A:x opens")
	}
}

// TestStanzaMovedToAnotherFile moves a stanza to another file, and rows to another
// stanza.
func TestStanzaMovedToAnotherFile(t *testing.T) {
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x", "A:y"))
	one, two := w.seal("A:x", []byte("one")), w.seal("A:x", []byte("two"))
	head := func(sealed []byte) []byte { return sealed[:bytes.Index(sealed, []byte("\n---"))] }
	moved := slices.Concat(head(one), two[len(head(two)):])
	if got, err := decrypt(moved, id); err == nil {
		t.Errorf("a moved stanza opened: %q", got)
	}
	// Rows under another policy's text fail, because the AEAD authenticates the policy.
	_, stanzas := w.stanzas("A:x")
	body := bytes.Replace(stanzas[0].Body, []byte("A:x"), []byte("A:y"), 1)
	if _, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: body}}); !errors.Is(err, ErrTampered) {
		t.Errorf("relabelled stanza: %v", err)
	}
}

// TestRerandomisedRows adds a sharing of zero to a row, which leaves the secret
// unchanged. A scheme without our binding would accept the result as a second valid
// ciphertext.
func TestRerandomisedRows(t *testing.T) {
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x"))
	fileKey, stanzas := w.stanzas("A:x")
	s, err := parseStanza(stanzas[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseRow(suites[0], s.rows[0])
	if err != nil {
		t.Fatal(err)
	}
	more := big.NewInt(5) // r := r + 5
	pk := w.public("A:x", 1)
	suite := suites[0]
	changed := row{
		suite.Product([]pairing.GT{r.c1, pk.egg.Exp(more)}, nil),
		suite.Sum([]pairing.G2{r.c2, suite.BaseG2().Mul(more)}, nil),
		suite.Sum([]pairing.G2{r.c3, pk.gy.Mul(more)}, nil),
	}
	before, err := decapsulate(suites[0], hash(t, "H/d"), []share{{r, big.NewInt(1), w.issue("H/d", "A:x")[0]}})
	if err != nil {
		t.Fatal(err)
	}
	after, err := decapsulate(suites[0], hash(t, "H/d"), []share{{changed, big.NewInt(1), w.issue("H/d", "A:x")[0]}})
	if err != nil || !bytes.Equal(before.Marshal(), after.Marshal()) {
		t.Fatalf("the attack is no attack: %v", err)
	}
	body := bytes.Replace(stanzas[0].Body, s.rows[0], changed.append(nil), 1)
	if got, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: body}}); !errors.Is(err, ErrTampered) || bytes.Equal(got, fileKey) {
		t.Errorf("rerandomised stanza: %v", err)
	}
}

// TestFlippedBytes flips one bit in each byte of a stanza.
func TestFlippedBytes(t *testing.T) {
	w := newWorld(t, "A", "B")
	id := w.identity(w.issue("H/d", "A:x", "B:y", "A:z"))
	_, stanzas := w.stanzas("A:x and (B:y or A:z)") // the policy needs only some of the rows
	body, step := stanzas[0].Body, 1
	if testing.Short() {
		step = 5
	}
	for i := 0; i < len(body); i += step {
		changed := slices.Clone(body)
		changed[i] ^= 1 << (i % 8)
		got, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: changed}})
		if err == nil || got != nil {
			t.Fatalf("byte %d flipped: opened", i)
		}
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTampered) && !errors.Is(err, ErrNotSatisfied) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
}

// TestTruncation cuts a stanza at every length and extends it.
func TestTruncation(t *testing.T) {
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x"))
	_, stanzas := w.stanzas("A:x")
	for n := range stanzas[0].Body {
		if _, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: stanzas[0].Body[:n]}}); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for name, s := range map[string]*age.Stanza{
		"longer":    {Type: ourType(), Body: append(slices.Clone(stanzas[0].Body), 0)},
		"arguments": {Type: ourType(), Args: []string{"x"}, Body: stanzas[0].Body},
		"huge":      {Type: ourType(), Body: make([]byte, maxBody(suites[0])+1)},
	} {
		if _, err := id.Unwrap([]*age.Stanza{s}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A broken stanza does not prevent a good one from opening. Alone, it is reported.
	broken := &age.Stanza{Type: ourType(), Body: []byte{formatSalted}}
	if _, err := id.Unwrap([]*age.Stanza{broken, stanzas[0]}); err != nil {
		t.Errorf("good stanza after a broken one: %v", err)
	}
}
