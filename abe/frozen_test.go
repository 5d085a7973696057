package abe

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

// TestDerivationIsFrozen: a master key restored from an old backup must derive the same
// keys.
func TestDerivationIsFrozen(t *testing.T) {
	m, err := NewMasterKey("HospitalA", bytes.NewReader(bytes.Repeat([]byte{0x42}, masterSize)))
	if err != nil {
		t.Fatal(err)
	}
	sum := func(encode func() ([]byte, error)) string {
		b, err := encode()
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.Sum256(b)
		return hex.EncodeToString(h[:8])
	}
	for _, test := range []struct {
		attribute    string
		version      int
		public, user string
	}{
		{"HospitalA:role=doctor", 1, "b09de11d9b550b13", "b0996f13eb5c72fe"},
		{"HospitalA:role=doctor", 2, "e0d7ec29ebb04ab0", "435a1655d0af1e3a"},
		{"HospitalA:clearance=[4..7]", 1, "a0461d62223cf591", "ee458569dd7ad5d9"},
	} {
		pk, err := m.PublicKey(test.attribute, test.version)
		if err != nil {
			t.Fatal(err)
		}
		uk, err := m.Issue("HospitalB/jones", test.attribute, test.version)
		if err != nil {
			t.Fatal(err)
		}
		if got := sum(pk.MarshalBinary); got != test.public {
			t.Errorf("%s version %d: public key %s, want %s", test.attribute, test.version, got, test.public)
		}
		if got := sum(uk.MarshalBinary); got != test.user {
			t.Errorf("%s version %d: user key %s, want %s", test.attribute, test.version, got, test.user)
		}
	}
}

// TestOldBackups opens files that the first version of this package sealed. The identity
// and the secret exist only in this test.
func TestOldBackups(t *testing.T) {
	identity, err := os.ReadFile(filepath.Join("testdata", "backup", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.ParseX25519Identity(strings.TrimSpace(string(identity)))
	if err != nil {
		t.Fatal(err)
	}
	path := func(name string) string { return filepath.Join("testdata", "backup", name) }
	want, err := NewMasterKey("HospitalA", bytes.NewReader(bytes.Repeat([]byte{0x42}, masterSize)))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		writeBackups(t, want, id, path)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if m, err := OpenMaster(read("master.age"), id); err != nil || m.secret != want.secret || m.authority != "HospitalA" {
		t.Errorf("master key: %v", err)
	}
	passphrase, err := PassphraseIdentity("correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := OpenMaster(read("master-passphrase.age"), passphrase); err != nil || m.secret != want.secret {
		t.Errorf("master key under a passphrase: %v", err)
	}
	var shares []*MasterShare
	for _, name := range []string{"share-1.age", "share-3.age"} {
		s, err := OpenShare(read(name), id)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, s)
	}
	if m, err := CombineMaster(shares); err != nil || m.secret != want.secret {
		t.Errorf("shares: %v", err)
	}

	want = frozenReplacement(t, want)
	if *update {
		writeReplaced(t, want, id, path)
	}
	if m, err := OpenMaster(read("replaced.age"), id); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("replaced master key: %v", err)
	}
	shares = nil
	for _, name := range []string{"replaced-share-1.age", "replaced-share-3.age"} {
		s, err := OpenShare(read(name), id)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, s)
	}
	if m, err := CombineMaster(shares); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("shares of a replaced master key: %v", err)
	}
}

// frozenReplacement replaces a master key after two versions, and after a third one of a
// stranger.
func frozenReplacement(t *testing.T, m *MasterKey) *MasterKey {
	t.Helper()
	const attribute = "HospitalA:role=doctor"
	next, err := m.Replace(bytes.NewReader(bytes.Repeat([]byte{0x43}, masterSize)))
	if err != nil {
		t.Fatal(err)
	}
	var published []*PublicKey
	for version := 1; version <= 2; version++ {
		key, err := m.PublicKey(attribute, version)
		if err != nil {
			t.Fatal(err)
		}
		published = append(published, key)
	}
	if n, err := next.Assign(attribute, append(published, nil)); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	next.Finish()
	return next
}

func writeReplaced(t *testing.T, m *MasterKey, id *age.X25519Identity, path func(string) string) {
	shares, err := SplitMaster(m, 2, 3, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writeNew(t, path, map[string]func() ([]byte, error){
		"replaced.age":         func() ([]byte, error) { return SealMaster(m, id.Recipient()) },
		"replaced-share-1.age": func() ([]byte, error) { return SealShare(shares[0], id.Recipient()) },
		"replaced-share-3.age": func() ([]byte, error) { return SealShare(shares[2], id.Recipient()) },
	})
}

func writeBackups(t *testing.T, m *MasterKey, id *age.X25519Identity, path func(string) string) {
	passphrase, err := PassphraseRecipient("correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	shares, err := SplitMaster(m, 2, 3, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	writeNew(t, path, map[string]func() ([]byte, error){
		"master.age":            func() ([]byte, error) { return SealMaster(m, id.Recipient()) },
		"master-passphrase.age": func() ([]byte, error) { return SealMaster(m, passphrase) },
		"share-1.age":           func() ([]byte, error) { return SealShare(shares[0], id.Recipient()) },
		"share-3.age":           func() ([]byte, error) { return SealShare(shares[2], id.Recipient()) },
	})
}

// writeNew writes the files that do not exist.
func writeNew(t *testing.T, path func(string) string, files map[string]func() ([]byte, error)) {
	for name, seal := range files {
		if _, err := os.Stat(path(name)); err == nil {
			continue
		}
		b, err := seal()
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path(name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path(name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlippedFile flips each byte of a whole sealed file.
func TestFlippedFile(t *testing.T) {
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x"))
	sealed := w.seal("A:x", []byte("record"))
	step := 1
	if testing.Short() {
		step = 5
	}
	for i := 0; i < len(sealed); i += step {
		changed := slices.Clone(sealed)
		changed[i] ^= 1 << (i % 8)
		if got, err := decrypt(changed, id); err == nil {
			t.Fatalf("byte %d flipped: opened as %q", i, got)
		}
	}
	for n := 0; n < len(sealed); n += step {
		if got, err := decrypt(sealed[:n], id); err == nil {
			t.Fatalf("cut to %d bytes: opened as %q", n, got)
		}
	}
}

func TestExplain(t *testing.T) {
	w := newWorld(t, "A", "B")
	explain := func(text string, keys ...string) *Explanation {
		t.Helper()
		policies, err := HeaderPolicies(bytes.NewReader(w.seal(text, nil)))
		if err != nil || len(policies) != 1 {
			t.Fatal(policies, err)
		}
		e, err := w.identity(w.issue("H/d", keys...)).Explain(policies[0])
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for _, test := range []struct {
		policy string
		keys   []string
		want   Explanation
	}{
		{"A:x or A:y and B:z", []string{"A:x", "A:y", "B:z"}, Explanation{Satisfied: true, Used: []KeyVersion{{"A:x", 1}}}},
		{"A:x or A:y and B:z", []string{"A:y"}, Explanation{Missing: [][]string{{"A:x"}, {"B:z"}}}},
		{"A:x", []string{"A:x@2"}, Explanation{Missing: [][]string{{"A:x"}}, Stale: []string{"A:x"}}},
		{"A:n>=3", nil, Explanation{Missing: [][]string{{"A:n>=3"}}}},
	} {
		if got := explain(test.policy, test.keys...); !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s with %v: %+v, want %+v", test.policy, test.keys, *got, test.want)
		}
	}
	for _, bad := range []*SealedPolicy{{Span: "A:"}, {Span: "A:x"}} {
		if _, err := w.identity(nil).Explain(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if id := w.identity(w.issue("H/d", "A:x", "A:x@2")); id.GID() != "H/d" || len(id.Attributes()) != 1 {
		t.Error(id.GID(), id.Attributes())
	}
}

func TestIssueAll(t *testing.T) {
	w := newWorld(t, "A")
	m := w.masters["A"]
	wanted := []KeyVersion{{"A:x", 1}, {"A:y", 7}, {"A:x", 2}, {"A:x", 1}}
	keys, err := m.IssueAll("H/d", wanted)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		if err := k.Verify(w.public(wanted[i].Attribute, wanted[i].Version)); err != nil {
			t.Error(err)
		}
	}
	if keys, err := m.IssueAll("H/d", nil); err != nil || len(keys) != 0 {
		t.Error(keys, err)
	}
	for _, bad := range []struct {
		gid  string
		want KeyVersion
	}{{"nobody", KeyVersion{"A:x", 1}}, {"H/d", KeyVersion{"B:x", 1}}, {"H/d", KeyVersion{"A:x", 0}}, {"H/d", KeyVersion{"A:x", -1}}, {"H/d", KeyVersion{"x", 1}}} {
		if _, err := m.Issue(bad.gid, bad.want.Attribute, bad.want.Version); err == nil {
			t.Errorf("issued %+v", bad)
		}
	}
	if _, err := m.PublicKey("A:x", 0); err == nil {
		t.Error("public key of version 0")
	}
}
