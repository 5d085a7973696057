package abe

import (
	"bytes"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/policy"
)

func TestOpen(t *testing.T) {
	w := newWorld(t, "A", "B")
	for _, test := range []struct {
		policy, held string
		missing      string // part of the error; empty if it opens
	}{
		{"A:x", "A:x", ""},
		{"A:x", "A:y", "needs A:x"},
		{"A:x and B:y", "A:x B:y", ""},
		{"A:x and B:y", "A:x", "needs B:y"},
		{"A:x or B:y", "B:y", ""},
		{"A:x or B:y", "A:z", "needs A:x; or B:y"},
		{"2 of (A:p, A:q, B:r)", "A:p B:r", ""},
		{"2 of (A:p, A:q, B:r)", "A:q B:r A:p", ""},
		{"2 of (A:p, A:q, B:r)", "A:q", "needs A:p; or B:r"},
		{"A:x and (B:y or 2 of (A:p, A:q, B:r))", "A:x A:q B:r", ""},
		{"A:x and B:y or A:x and B:z or B:y and B:z", "B:y B:z", ""},
		{"A:x and B:y or A:x and B:z or B:y and B:z", "A:x B:z", ""},
		{"A:x and B:y or A:x and B:z or B:y and B:z", "B:z", "needs A:x; or B:y"},
		{"A:n>=3 and B:y", "A:n=[4..7] B:y", ""},
		{"A:n>=3 and B:y", "A:n=[2..3] B:y", "needs A:n>=3"},
	} {
		sealed := w.seal(test.policy, []byte("record"))
		got, err := decrypt(sealed, w.identity(w.issue("H/doctor", strings.Fields(test.held)...)))
		if test.missing == "" {
			if err != nil || string(got) != "record" {
				t.Errorf("%s with %s: %q, %v", test.policy, test.held, got, err)
			}
			continue
		}
		var refusal *NotSatisfiedError
		if !errors.Is(err, ErrNotSatisfied) || !errors.Is(err, age.ErrIncorrectIdentity) || !errors.As(err, &refusal) {
			t.Errorf("%s with %s: error %v", test.policy, test.held, err)
		} else if !strings.Contains(err.Error(), test.missing) || refusal.GID != "H/doctor" || refusal.Policy == "" {
			t.Errorf("%s with %s: error %q, want %q in it", test.policy, test.held, err, test.missing)
		}
	}
}

// TestOpenRandomPolicies compares opening with an independent evaluator of the policy.
// The identities skip the policy check.
func TestOpenRandomPolicies(t *testing.T) {
	w := newWorld(t, "A", "B")
	r := mathrand.New(mathrand.NewPCG(3, 4))
	keys := map[string]*UserKey{}
	for i := range 8 {
		name := randomAttribute(i)
		keys[name] = w.issue("H/doctor", name)[0]
	}
	policies, opened, refused := 120, 0, 0
	if testing.Short() {
		policies = 40
	}
	for range policies {
		text := randomPolicy(r, 4+r.IntN(5), 1+r.IntN(3))
		p, err := policy.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		recipient, err := NewRecipient(p, func(a string) (*PublicKey, error) { return w.public(a, 1), nil })
		if errors.Is(err, policy.ErrReuse) {
			continue
		}
		fileKey := bytes.Repeat([]byte{7}, fileKeySize)
		stanzas, err := recipient.Wrap(fileKey)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var mine []*UserKey
			held := map[string]bool{}
			for name, k := range keys {
				if r.IntN(2) == 0 {
					mine = append(mine, k)
					held[name] = true
				}
			}
			got, err := w.identity(mine, SkipPolicyCheck).Unwrap(stanzas)
			if p.Satisfied(func(a string) bool { return held[a] }) {
				opened++
				if err != nil || !bytes.Equal(got, fileKey) {
					t.Fatalf("%s with %v: %v", text, held, err)
				}
			} else {
				refused++
				if !errors.Is(err, ErrNotSatisfied) || got != nil {
					t.Fatalf("%s with %v opened: %v", text, held, err)
				}
			}
		}
	}
	if opened < policies*5/12 || refused < policies*5/12 {
		t.Errorf("%d opened, %d refused: the test is too tame", opened, refused)
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t, "A")
	second := w.public("A:x", 2)
	p, _ := policy.Parse("A:x")
	recipient, err := NewRecipient(p, func(string) (*PublicKey, error) { return second, nil })
	if err != nil {
		t.Fatal(err)
	}
	sealed := encrypt(t, []byte("new"), recipient)
	if got, err := decrypt(sealed, w.identity(w.issue("H/d", "A:x", "A:x@2", "A:x@3"))); err != nil || string(got) != "new" {
		t.Errorf("holder of all versions: %q, %v", got, err)
	}
	_, err = decrypt(sealed, w.identity(w.issue("H/d", "A:x", "A:x@3"), SkipPolicyCheck))
	if !errors.Is(err, ErrNotSatisfied) || !strings.Contains(err.Error(), "another version: A:x") {
		t.Errorf("holder of other versions: %v", err)
	}
}

func TestOtherRecipientsBesideThePolicy(t *testing.T) {
	w := newWorld(t, "A")
	patient, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed := encrypt(t, []byte("record"), w.recipient("A:x"), patient.Recipient())
	for _, id := range []age.Identity{patient, w.identity(w.issue("H/d", "A:x"))} {
		if got, err := decrypt(sealed, id); err != nil || string(got) != "record" {
			t.Errorf("%T: %q, %v", id, got, err)
		}
	}
	if _, err := decrypt(encrypt(t, nil, patient.Recipient()), w.identity(w.issue("H/d", "A:x"))); !errors.Is(err, age.ErrIncorrectIdentity) || errors.Is(err, ErrNotSatisfied) {
		t.Errorf("file without a policy: %v", err)
	}
}

func TestRecipientRefusesKeys(t *testing.T) {
	w := newWorld(t, "A")
	p, _ := policy.Parse("A:x and A:y")
	broken := errors.New("ledger is down")
	for name, test := range map[string]struct {
		key  func(string) (*PublicKey, error)
		want error
	}{
		"none":        {func(string) (*PublicKey, error) { return nil, nil }, ErrNoKey},
		"another's":   {func(string) (*PublicKey, error) { return w.public("A:x", 1), nil }, ErrKeyMismatch},
		"unavailable": {func(string) (*PublicKey, error) { return nil, broken }, broken},
	} {
		if _, err := NewRecipient(p, test.key); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ring, err := KeyRing(w.public("A:x", 1), w.public("A:y", 1), w.public("A:x", 1))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := NewRecipient(p, ring); err != nil || r.Policy() != "A:x and A:y" {
		t.Error(r, err)
	}
	if _, err := ring("A:z"); !errors.Is(err, ErrNoKey) {
		t.Errorf("key ring: %v", err)
	}
	if _, err := KeyRing(w.public("A:x", 1), w.public("A:x", 2)); !errors.Is(err, ErrKeyMismatch) {
		t.Errorf("key ring with two keys of one name: %v", err)
	}
	if _, err := w.recipient("A:x").Wrap(make([]byte, 15)); err == nil {
		t.Error("wrapped a short file key")
	}
}

func TestRandomnessFailure(t *testing.T) {
	w := newWorld(t, "A")
	spans, err := mustPolicy(t, "A:x and A:y").Spans(order())
	if err != nil {
		t.Fatal(err)
	}
	keys := []*PublicKey{w.public("A:x", 1), w.public("A:y", 1)}
	for size := 0; size < 6*32; size += 32 {
		if _, _, err := encapsulate(suites[0], spans[0], keys, bytes.NewReader(make([]byte, size))); err == nil {
			t.Errorf("sealed with %d bytes of randomness", size)
		}
	}
	if _, err := NewMasterKey("A", bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("made a master key of 31 bytes")
	}
}

func mustPolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConcurrentUse shares recipients, keys and identities between goroutines, for the
// race detector. It seals often enough for the keys to build their tables.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, "A", "B")
	recipient := w.recipient("A:x and B:y")
	identity := w.identity(w.issue("H/d", "A:x", "B:y"))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 5 {
				fileKey := make([]byte, fileKeySize)
				rand.Read(fileKey)
				stanzas, err := recipient.Wrap(fileKey)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := identity.Unwrap(stanzas); err != nil || !bytes.Equal(got, fileKey) {
					t.Error(err)
				}
				w.public("A:x", 1).MarshalBinary()
			}
		})
	}
	wait.Wait()
	if w.public("A:x", 1).tables.egg == nil {
		t.Error("the tables were never made")
	}
}
