package abe

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/bn256"
	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// use makes the test's authorities create keys in a suite. The other suites stay
// readable.
func use(t *testing.T, s pairing.Suite) {
	t.Helper()
	before := suites
	suites = append([]pairing.Suite{s}, before...)
	t.Cleanup(func() { suites = before })
}

// TestOtherSuites runs the scheme's tests in suites other than bn256: key generation,
// sealing to policies, opening, refusal, attacks, malformed input.
func TestOtherSuites(t *testing.T) {
	tests := map[string]func(*testing.T){
		"Open": TestOpen, "Versions": TestVersions, "OtherRecipients": TestOtherRecipientsBesideThePolicy,
		"RefusesKeys": TestRecipientRefusesKeys, "IssueAll": TestIssueAll, "Explain": TestExplain, "Shared": TestShared,
		"Collusion": TestCollusion, "SharedCollusion": TestSharedCollusion, "UnsatisfyingSets": TestUnsatisfyingSets,
		"SplitStanzas": TestSplitStanzasDoNotCombine, "RelabelledKeys": TestRelabelledKeys, "RogueAuthority": TestRogueAuthority,
		"Moved": TestStanzaMovedToAnotherFile, "Rerandomised": TestRerandomisedRows, "StanzaPolicy": TestStanzaPolicy,
		"KeyEncodings": TestKeyEncodings, "Concurrent": TestConcurrentUse, "BadElements": testBadElements, "Truncation": TestTruncation,
	}
	for _, s := range []pairing.Suite{toy{}, product{bn256.Suite{}, toy{}}} {
		t.Run(nameOf(s), func(t *testing.T) {
			use(t, s)
			for name, test := range tests {
				t.Run(name, test)
			}
		})
	}
	t.Run("toy only", func(t *testing.T) { // slow tests, and tests that depend on a size
		use(t, toy{})
		t.Run("RandomPolicies", TestOpenRandomPolicies)
		t.Run("FlippedBytes", TestFlippedBytes)
		t.Run("Randomness", TestRandomnessFailure)
		t.Run("Linear", TestRowsGrowLinearly)
	})
}

// testBadElements puts invalid encodings, and the identity, into the place of the first
// and the last element of each kind.
func testBadElements(t *testing.T) {
	w, s := newWorld(t, "A"), suites[0]
	size := s.Parameters()
	id := w.identity(w.issue("H/d", "A:x"))
	public, _ := w.public("A:x", 1).MarshalBinary()
	user, _ := w.issue("H/d", "A:x")[0].MarshalBinary()
	_, stanzas := w.stanzas("A:x")
	body := stanzas[0].Body
	row := len(body) - tailSize - rowSize(s)
	put := func(b []byte, at, n int, fill byte) []byte {
		return slices.Concat(b[:at], bytes.Repeat([]byte{fill}, n), b[at+n:])
	}
	for _, fill := range []byte{0, 0xff} {
		_, userErr := ParseUserKey(put(user, len(user)-toySize, toySize, fill))
		_, publicErr := ParsePublicKey(put(public, len(public)-toySize, toySize, fill))
		failures := map[string]error{"K": userErr, "g2^y": publicErr}
		for name, at := range map[string]int{"C1": row + size.SizeGT, "C2": row + size.SizeGT + size.SizeG2, "C3": row + rowSize(s)} {
			_, failures[name] = id.Unwrap([]*age.Stanza{{Type: ourType(), Body: put(body, at-toySize, toySize, fill)}})
		}
		for name, err := range failures {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s filled with %#x: %v", name, fill, err)
			}
		}
	}
}

// TestProductHalves changes one half of a ciphertext in the product of two suites. The
// other half still opens, but it is not enough.
func TestProductHalves(t *testing.T) {
	s := product{bn256.Suite{}, toy{}}
	use(t, s)
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x"))
	fileKey, stanzas := w.stanzas("A:x")
	_, others := w.stanzas("A:x")
	body, other := stanzas[0].Body, others[0].Body
	size := s.a.Parameters()
	row := len(body) - tailSize - rowSize(s)
	for name, at := range map[string]int{"C1": row + size.SizeGT, "C2": row + s.Parameters().SizeGT + size.SizeG2, "C3": row + rowSize(s) - toySize} {
		changed := slices.Concat(body[:at], other[at:at+toySize], body[at+toySize:])
		if got, err := id.Unwrap([]*age.Stanza{{Type: ourType(), Body: changed}}); !errors.Is(err, ErrTampered) || got != nil {
			t.Errorf("half of %s replaced: %v", name, err)
		}
	}
	if got, err := id.Unwrap(stanzas); err != nil || !bytes.Equal(got, fileKey) {
		t.Errorf("unchanged: %v", err)
	}
}

// TestUnknownSuite reads keys and stanzas of a suite that the reader does not know.
func TestUnknownSuite(t *testing.T) {
	var sealed, public, user []byte
	var foreign []*age.Stanza
	patient, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("seal", func(t *testing.T) {
		use(t, toy{})
		w := newWorld(t, "A")
		sealed = encrypt(t, []byte("record"), w.recipient("A:x"), patient.Recipient())
		_, foreign = w.stanzas("A:x")
		public, _ = w.public("A:x", 1).MarshalBinary()
		user, _ = w.issue("H/d", "A:x")[0].MarshalBinary()
	})
	check := func(what string, err error, also ...error) {
		t.Helper()
		var unknown *UnknownSuiteError
		if !errors.Is(err, ErrUnknownSuite) || !errors.As(err, &unknown) || unknown.Suite != "toy" || !strings.Contains(err.Error(), `unknown suite "toy"`) {
			t.Errorf("%s: %v", what, err)
		}
		for _, want := range also {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", what, err, want)
			}
		}
	}
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x"), SkipPolicyCheck)
	_, err = decrypt(sealed, id)
	check("open", err, age.ErrIncorrectIdentity)
	if got, err := decrypt(sealed, id, patient); err != nil || string(got) != "record" {
		t.Errorf("another identity beside ours: %q, %v", got, err)
	}
	_, refused := w.stanzas("A:y")
	_, err = id.Unwrap(slices.Concat(foreign, refused))
	check("open, beside a policy that is not satisfied", err, ErrNotSatisfied)
	_, err = HeaderPolicies(bytes.NewReader(sealed))
	check("header", err)
	_, err = StanzaPolicy(foreign[0])
	check("stanza", err)
	_, err = ParsePublicKey(public)
	check("public key", err, ErrMalformed)
	_, err = ParseUserKey(user)
	check("user key", err, ErrMalformed)
	if !IsStanza(foreign[0].Type) || !IsStanza(ourType()) || IsStanza("X25519") {
		t.Error("IsStanza")
	}
}

// TestSuitesDoNotMix combines keys and stanzas of two suites.
func TestSuitesDoNotMix(t *testing.T) {
	old := newWorld(t, "A")
	oldKey, oldPublic := old.issue("H/d", "A:x"), old.public("A:x", 1)
	oldFile := old.seal("A:x", []byte("old"))
	use(t, toy{})
	w := newWorld(t, "A")
	key := w.issue("H/d", "A:x")
	file := w.seal("A:x", []byte("new"))
	id := w.identity(slices.Concat(oldKey, key))
	for want, sealed := range map[string][]byte{"old": oldFile, "new": file} {
		if got, err := decrypt(sealed, id); err != nil || string(got) != want {
			t.Errorf("holder of both, %s: %q, %v", want, got, err)
		}
	}
	if got := id.Keys(); len(got) != 1 || len(id.Attributes()) != 1 {
		t.Errorf("keys %v", got)
	}
	if _, err := decrypt(file, w.identity(oldKey, SkipPolicyCheck)); !errors.Is(err, ErrNotSatisfied) {
		t.Errorf("holder of the other suite's key: %v", err)
	}
	if err := key[0].Verify(oldPublic); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("verify against the other suite's key: %v", err)
	}
	if w.public("A:x", 1).Equal(oldPublic) {
		t.Error("keys of two suites are equal")
	}
	_, err := NewRecipient(mustPolicy(t, "A:x and A:y"), func(a string) (*PublicKey, error) {
		if a == "A:x" {
			return oldPublic, nil
		}
		return w.public(a, 1), nil
	})
	if !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("recipient of two suites: %v", err)
	}
	_, stanzas := w.stanzas("A:x")
	stanzas[0].Type = stanzaType(bn256.Suite{})
	if _, err := id.Unwrap(stanzas); !errors.Is(err, ErrMalformed) {
		t.Errorf("relabelled stanza: %v", err)
	}
}

// TestOnlyTheTableNamesASuite checks that only the table of suites names bn256.
func TestOnlyTheTableNamesASuite(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			below := strings.Contains(i.Path.Value, "fentec-project") || strings.HasSuffix(i.Path.Value, `abe/internal/bn256"`)
			if below && file != "suite.go" && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s imports %s: package abe reaches a curve through package pairing only, so that a second one fits", file, i.Path.Value)
			}
		}
	}
}
