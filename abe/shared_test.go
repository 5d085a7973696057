package abe

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"

	"filippo.io/age"
)

// shared seals n random file keys to a policy with one encapsulation.
func (w *world) shared(text string, n int) (fileKeys [][]byte, stanzas [][]*age.Stanza) {
	w.t.Helper()
	g := w.recipient(text).Shared()
	fileKeys, stanzas = make([][]byte, n), make([][]*age.Stanza, n)
	var wg sync.WaitGroup
	for i := range n {
		fileKeys[i] = make([]byte, fileKeySize)
		rand.Read(fileKeys[i])
		wg.Go(func() {
			var err error
			if stanzas[i], err = g.Wrap(fileKeys[i]); err != nil {
				w.t.Error(err)
			}
		})
	}
	wg.Wait()
	return fileKeys, stanzas
}

func TestShared(t *testing.T) {
	w := newWorld(t, "A", "B")
	for _, c := range []struct {
		policy  string
		stanzas int
		keys    []string
	}{
		{"A:x", 1, []string{"A:x"}},
		{"A:x and (B:y or A:z)", 1, []string{"A:x", "A:z"}},
		{"A:x and B:y or A:x and B:z or B:y and B:z", 2, []string{"B:y", "B:z"}},
	} {
		fileKeys, all := w.shared(c.policy, 8)
		mine, others := w.identity(w.issue("H/d", c.keys...)), w.identity(w.issue("H/e", "A:other"))
		for i, stanzas := range all {
			if len(stanzas) != c.stanzas {
				t.Fatalf("%s: %d stanzas", c.policy, len(stanzas))
			}
			if got, err := mine.Unwrap(stanzas); err != nil || !bytes.Equal(got, fileKeys[i]) {
				t.Errorf("%s, file %d: %v", c.policy, i, err)
			}
			if got, err := others.Unwrap(stanzas); !errors.Is(err, ErrNotSatisfied) || got != nil {
				t.Errorf("%s, file %d, by somebody else: %v", c.policy, i, err)
			}
			for k, s := range stanzas {
				cut := len(s.Body) - tailSize
				if !bytes.Equal(s.Body[:cut], all[0][k].Body[:cut]) {
					t.Errorf("%s: stanza %d of file %d does not begin as that of the first", c.policy, k, i)
				}
				for j := range i {
					if bytes.Equal(s.Body[cut:cut+saltSize], all[j][k].Body[cut:cut+saltSize]) {
						t.Errorf("%s: files %d and %d have one salt", c.policy, i, j)
					}
				}
			}
		}
		_, apart := w.shared(c.policy, 1)
		if cut := len(apart[0][0].Body) - tailSize; bytes.Equal(apart[0][0].Body[:cut], all[0][0].Body[:cut]) {
			t.Errorf("%s: two shared recipients have one encapsulation", c.policy)
		}
	}
	if _, err := w.recipient("A:x").Shared().Wrap(make([]byte, 32)); err == nil {
		t.Error("a file key of another size")
	}
}

// TestSharedOfAPatient plays a patient with two things: the file key of their own record,
// from opening it, and another record's wrapped key, from a peer. If both were wrapped
// under one key, the XOR of the wrapped keys would be that of the file keys.
func TestSharedOfAPatient(t *testing.T) {
	w := newWorld(t, "A")
	fileKeys, all := w.shared("A:x", 2)
	wrapped := func(i int) []byte { return all[i][0].Body[len(all[i][0].Body)-wrappedSize:][:fileKeySize] }
	xor := func(a, b []byte) []byte {
		out := slices.Clone(a)
		for i := range out {
			out[i] ^= b[i]
		}
		return out
	}
	if guess := xor(xor(wrapped(0), wrapped(1)), fileKeys[0]); bytes.Equal(guess, fileKeys[1]) {
		t.Error("the file key of one file gives that of another")
	}

	// With one salt for both the attack works, so the salt is the difference.
	c, err := w.recipient("A:x").encapsulate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		aead, err := wrapper(c[0].root, infoSalted(suites[0]), make([]byte, saltSize))
		if err != nil {
			t.Fatal(err)
		}
		all[i][0].Body = aead.Seal(nil, make([]byte, aead.NonceSize()), fileKeys[i], nil)
	}
	if guess := xor(xor(wrapped(0), wrapped(1)), fileKeys[0]); !bytes.Equal(guess, fileKeys[1]) {
		t.Error("the attack is no attack")
	}
}

// TestSharedCollusion: two users satisfy a policy only together. They attack two files of
// one encapsulation: each file as it is, and with the tails exchanged.
func TestSharedCollusion(t *testing.T) {
	w := newWorld(t, "A", "B")
	for _, c := range collusions {
		fileKeys, all := w.shared(c.policy, 2)
		one, two := all[0][0].Body, all[1][0].Body
		cut := len(one) - tailSize
		bodies := [][]byte{one, two, slices.Concat(one[:cut], two[cut:]), slices.Concat(one[:cut+saltSize], two[cut+saltSize:])}
		for _, body := range bodies {
			s := []*age.Stanza{{Type: ourType(), Body: body}}
			for gid, held := range map[string]string{"H/alice": c.alice, "H/bob": c.bob} {
				if got, err := w.identity(w.issue(gid, held), SkipPolicyCheck).Unwrap(s); !errors.Is(err, ErrNotSatisfied) || got != nil {
					t.Errorf("%s: %s opens: %v", c.policy, gid, err)
				}
			}
			// The keys of both under one name, which NewIdentity would refuse.
			bob := *w.issue("H/bob", c.bob)[0]
			bob.gid = "H/alice"
			both := w.identity([]*UserKey{w.issue("H/alice", c.alice)[0], &bob})
			if got, err := both.Unwrap(s); !errors.Is(err, ErrTampered) || got != nil {
				t.Errorf("%s: alice and bob together: %v", c.policy, err)
			}
		}
		honest := w.identity(w.issue("H/alice", c.alice, c.bob))
		for i, stanzas := range all {
			if got, err := honest.Unwrap(stanzas); err != nil || !bytes.Equal(got, fileKeys[i]) {
				t.Errorf("%s: the honest holder of both: %v", c.policy, err)
			}
		}
	}
}

// TestSharedTailsExchanged: the tail of one file after the rest of another's stanza is
// the whole stanza of the first file. age refuses it in the other file, because the MAC
// of that header has another file key.
func TestSharedTailsExchanged(t *testing.T) {
	w := newWorld(t, "A")
	id := w.identity(w.issue("H/d", "A:x"))
	g := w.recipient("A:x").Shared()
	one, two := encrypt(t, []byte("one"), g), encrypt(t, []byte("two"), g)
	for i, sealed := range [][]byte{one, two} {
		if got, err := decrypt(sealed, id); err != nil || string(got) != []string{"one", "two"}[i] {
			t.Fatalf("%q, %v", got, err)
		}
	}
	head := func(sealed []byte) []byte { return sealed[:bytes.Index(sealed, []byte("\n---"))] }
	moved := slices.Concat(head(one), two[len(head(two)):])
	if got, err := decrypt(moved, id); err == nil || got != nil {
		t.Errorf("opened: %q", got)
	}
}

func TestRecipientEqual(t *testing.T) {
	w := newWorld(t, "A", "B")
	at := func(text string, version int) *Recipient {
		t.Helper()
		r, err := NewRecipient(mustPolicy(t, text), func(a string) (*PublicKey, error) { return w.public(a, version), nil })
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one := at("A:x or B:y", 1)
	for _, c := range []struct {
		other *Recipient
		want  bool
	}{
		{one, true}, {at("(A:x or B:y)", 1), true}, {at("A:x or B:y", 2), false}, {at("A:x and B:y", 1), false}, {at("A:x", 1), false},
	} {
		if got := one.Equal(c.other); got != c.want {
			t.Errorf("%s and %s: %v", one.Policy(), c.other.Policy(), got)
		}
	}
}
