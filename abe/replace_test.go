package abe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
)

// TestReplace plays a thief who holds the replaced secret, and issues what they like.
func TestReplace(t *testing.T) {
	const attribute = "A:x"
	w := newWorld(t, "A")
	stolen := w.masters["A"]
	publish := func(m *MasterKey, version int) *PublicKey {
		t.Helper()
		key, err := m.PublicKey(attribute, version)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sealTo := func(key *PublicKey) []byte {
		t.Helper()
		w.keys[attribute] = key
		return w.seal(attribute, []byte("record"))
	}
	opens := func(m *MasterKey, version int, sealed []byte) error {
		t.Helper()
		key, err := m.Issue("H/d", attribute, version)
		if err != nil {
			return err
		}
		_, err = decrypt(sealed, w.identity([]*UserKey{key}))
		return err
	}
	replace := func(m *MasterKey, published ...*PublicKey) (*MasterKey, int) {
		t.Helper()
		next, err := m.Replace(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		n, err := next.Assign(attribute, published)
		if err != nil {
			t.Fatal(err)
		}
		return next, n
	}

	v1, v2 := publish(stolen, 1), publish(stolen, 2)
	first, n := replace(stolen, v1, v2)
	if n != 0 || !first.Unfinished() || stolen.Unfinished() {
		t.Fatalf("%d foreign versions, unfinished %v and %v", n, first.Unfinished(), stolen.Unfinished())
	}
	for version, want := range map[int]bool{1: true, 2: true, 3: false} {
		if first.Past(attribute, version) != want || first.Foreign(attribute, version) {
			t.Errorf("version %d: past %v, foreign %v", version, first.Past(attribute, version), first.Foreign(attribute, version))
		}
	}
	v3 := publish(first, 3)
	old, fresh := sealTo(v2), sealTo(v3)
	if err := errors.Join(opens(first, 2, old), opens(first, 3, fresh)); err != nil {
		t.Errorf("an entitled person: %v", err)
	}
	if err := opens(stolen, 2, old); err != nil {
		t.Errorf("the thief opens what was sealed before: %v", err)
	}
	for version := 1; version <= 4; version++ {
		if err := opens(stolen, version, fresh); !errors.Is(err, ErrNotSatisfied) && !errors.Is(err, ErrTampered) {
			t.Errorf("the thief with version %d: %v", version, err)
		}
	}
	if first.Past("A:y", 1) || !publish(stolen, 1).Equal(publish(first, 1)) {
		t.Error("an attribute that was not published is past, or a past version is another")
	}

	// The thief publishes versions of the stolen secret and of their own.
	stranger := newWorld(t, "B").masters["B"]
	stranger.authority = "A"
	v4, v5 := publish(stolen, 4), publish(stranger, 5)
	second, n := replace(first, v1, v2, v3, v4, v5, nil)
	if n != 2 || !second.Foreign(attribute, 5) || !second.Foreign(attribute, 6) || second.Past(attribute, 7) {
		t.Errorf("%d foreign versions", n)
	}
	if _, err := second.Issue("H/d", attribute, 5); err == nil {
		t.Error("issued a key for a stranger's version")
	}
	check := func(which string, m *MasterKey) {
		t.Helper()
		if err := errors.Join(opens(m, 2, old), opens(m, 3, fresh), opens(m, 4, sealTo(v4)), opens(m, 7, sealTo(publish(second, 7)))); err != nil {
			t.Errorf("%s: %v", which, err)
		}
	}
	check("replaced twice", second)

	// A ledger that went back, or that was believed wrongly before.
	if _, err := second.Assign(attribute, []*PublicKey{v1, v2, v3}); err != nil || second.Past(attribute, 4) {
		t.Errorf("assigned again: %v", err)
	}
	if _, err := second.Assign(attribute, []*PublicKey{v1, v2, v3, v4, v5, nil}); err != nil {
		t.Fatal(err)
	}

	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := SealMaster(second, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	restored, err := OpenMaster(sealed, id)
	if err != nil || !restored.Unfinished() {
		t.Fatalf("restored: %v", err)
	}
	check("restored", restored)
	second.Finish()
	shares, err := SplitMaster(second, 2, 3, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	combined, err := CombineMaster(shares[1:])
	if err != nil || combined.Unfinished() {
		t.Fatalf("combined: %v", err)
	}
	check("combined", combined)
	shares[1].history = bytes.Clone(shares[1].history)
	shares[1].history[20] ^= 1
	if _, err := CombineMaster(shares[:2]); !errors.Is(err, ErrTampered) {
		t.Errorf("shares with different histories: %v", err)
	}
	shares[0].history = shares[1].history
	if _, err := CombineMaster(shares[:2]); !errors.Is(err, ErrTampered) {
		t.Errorf("shares with a changed history: %v", err)
	}
	second.Destroy()
	if _, err := second.Replace(rand.Reader); err == nil {
		t.Error("replaced a destroyed master key")
	}
}

// TestHistoryRefused reads files that no version of this package writes.
func TestHistoryRefused(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("A", 43) + "="
	for name, rest := range map[string]string{
		"v2 without history":     `v2","authority":"A","secret":"` + secret + `"}`,
		"v2 with an empty one":   `v2","authority":"A","secret":"` + secret + `","history":{"earlier":[]}}`,
		"v1 with history":        `v1","authority":"A","secret":"` + secret + `","history":{"earlier":["` + secret + `"]}}`,
		"a short earlier secret": `v2","authority":"A","secret":"` + secret + `","history":{"earlier":["AAAA"]}}`,
		"another authority":      `v2","authority":"A","secret":"` + secret + `","history":{"earlier":["` + secret + `"],"past":{"B:x":[{"until":1,"by":0}]}}}`,
		"versions backwards":     `v2","authority":"A","secret":"` + secret + `","history":{"earlier":["` + secret + `"],"past":{"A:x":[{"until":2,"by":0},{"until":1,"by":1}]}}}`,
		"an unknown secret":      `v2","authority":"A","secret":"` + secret + `","history":{"earlier":["` + secret + `"],"past":{"A:x":[{"until":2,"by":2}]}}}`,
	} {
		sealed, err := sealArmored([]byte(`{"kind":"chartseal/abe/master-key/`+rest), []age.Recipient{id.Recipient()})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := OpenMaster(sealed, id); m != nil || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
