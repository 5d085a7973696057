package abe

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/internal/pairing"
	"github.com/chartseal/chartseal/abe/policy"
)

// ourType returns the stanza type of the suite under test, the first one.
func ourType() string { return stanzaType(suites[0]) }

func order() *big.Int { return suites[0].Parameters().Order }

// A world is a set of authorities with their published keys.
type world struct {
	t       testing.TB
	masters map[string]*MasterKey
	keys    map[string]*PublicKey // version 1, by name
}

// newWorld makes authorities from fixed secrets, so that failures are reproducible.
func newWorld(t testing.TB, authorities ...string) *world {
	t.Helper()
	w := &world{t: t, masters: map[string]*MasterKey{}, keys: map[string]*PublicKey{}}
	for _, a := range authorities {
		m, err := NewMasterKey(a, bytes.NewReader([]byte(fmt.Sprintf("%-32s", "secret of "+a))))
		if err != nil {
			t.Fatal(err)
		}
		w.masters[a] = m
	}
	return w
}

func (w *world) master(attribute string) *MasterKey {
	a, err := policy.ParseAttribute(attribute)
	if err != nil || w.masters[a.Authority] == nil {
		w.t.Fatalf("attribute %q: %v", attribute, err)
	}
	return w.masters[a.Authority]
}

func (w *world) public(attribute string, version int) *PublicKey {
	if version == 1 && w.keys[attribute] != nil {
		return w.keys[attribute]
	}
	pk, err := w.master(attribute).PublicKey(attribute, version)
	if err != nil {
		w.t.Fatal(err)
	}
	if version == 1 {
		w.keys[attribute] = pk
	}
	return pk
}

// issue makes user keys. "A:x@2" asks for version 2.
func (w *world) issue(gid string, attributes ...string) []*UserKey {
	w.t.Helper()
	var out []*UserKey
	for _, a := range attributes {
		version := 1
		if name, v, ok := strings.Cut(a, "@"); ok {
			a = name
			fmt.Sscan(v, &version)
		}
		k, err := w.master(a).Issue(gid, a, version)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, k)
	}
	return out
}

func (w *world) recipient(text string) *Recipient {
	w.t.Helper()
	p, err := policy.Parse(text)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := NewRecipient(p, func(a string) (*PublicKey, error) { return w.public(a, 1), nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) identity(keys []*UserKey, options ...IdentityOption) *Identity {
	w.t.Helper()
	id, err := NewIdentity(keys, options...)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) seal(text string, plain []byte) []byte {
	w.t.Helper()
	return encrypt(w.t, plain, w.recipient(text))
}

func encrypt(t testing.TB, plain []byte, to ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, err := age.Encrypt(&out, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decrypt(sealed []byte, with ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), with...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// stanzas seals a random file key to a policy.
func (w *world) stanzas(text string) ([]byte, []*age.Stanza) {
	w.t.Helper()
	fileKey := make([]byte, fileKeySize)
	rand.Read(fileKey)
	out, err := w.recipient(text).Wrap(fileKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return fileKey, out
}

func hash(t testing.TB, gid string) pairing.G1 {
	t.Helper()
	h, err := suites[0].HashToG1(gid)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// randomPolicy writes a random policy over the attributes x0, x1, ... of two authorities.
func randomPolicy(r *mathrand.Rand, attributes, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return randomAttribute(r.IntN(attributes))
	}
	parts := make([]string, 2+r.IntN(3))
	for i := range parts {
		parts[i] = randomPolicy(r, attributes, depth-1)
	}
	switch r.IntN(3) {
	case 0:
		return "(" + strings.Join(parts, " and ") + ")"
	case 1:
		return "(" + strings.Join(parts, " or ") + ")"
	}
	return fmt.Sprintf("%d of (%s)", 1+r.IntN(len(parts)), strings.Join(parts, ", "))
}

func randomAttribute(i int) string { return fmt.Sprintf("%c:x%d", 'A'+i%2, i) }
