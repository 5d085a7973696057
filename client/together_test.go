package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
)

// A tap is a ledger that records the envelopes of each registration.
type tap struct {
	client.Ledger
	mu   sync.Mutex
	sent [][][]byte
}

func (l *tap) CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) ([]ledger.RecordVersion, error) {
	l.mu.Lock()
	l.sent = append(l.sent, envelopes)
	l.mu.Unlock()
	return l.Ledger.CreateRecords(ctx, records, envelopes)
}

// TestSealedTogether seals records of two policies and three patients in one transaction.
// Envelopes of one policy share its encapsulation, for any patient. Each opens for its
// own readers.
func TestSealedTogether(t *testing.T) {
	patients := make([]*age.X25519Identity, 3)
	for i := range patients {
		var err error
		if patients[i], err = age.GenerateX25519Identity(); err != nil {
			t.Fatal(err)
		}
	}
	policyOf := func(i int) string { return []string{doctors, "HospitalB:role=doctor"}[i%2] }
	patientOf := func(i int) int { return i / 2 % 3 }
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		l := &tap{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
		const n = 14 // the first two are registered alone
		sealed, errs := together(t, c, &gate{Ledger: l}, n, nil, func(ctx context.Context, i int, r *client.SealRequest) context.Context {
			r.Policy, r.PatientRecipient = policyOf(i), patients[patientOf(i)].Recipient().String()
			return ctx
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		shipped := slices.MaxFunc(l.sent, func(a, b [][]byte) int { return len(a) - len(b) })
		e := ledger.DivideEnvelopes(shipped)
		if len(shipped) != n-2 || len(e.Beginnings) != 2 {
			t.Fatalf("%d envelopes with %d beginnings", len(shipped), len(e.Beginnings))
		}
		for i, p := range e.Parts {
			if p.Beginning < 0 || len(p.Rest) > 1400 {
				t.Errorf("envelope %d is of beginning %d and has %d bytes more", i, p.Beginning, len(p.Rest))
			}
		}
		reader, nurse := c.as(t, "HospitalB", "doctor", "doctor"), c.as(t, "HospitalB", "nurse", "nurse")
		for i, s := range sealed {
			if got, _, err := open(t.Context(), reader, s.ID, client.OpenRequest{}); err != nil || got != fmt.Sprint("note ", i) {
				t.Errorf("record %d: %q, %v", i, got, err)
			}
			if got, _, err := open(t.Context(), nurse, s.ID, client.OpenRequest{}); !errors.Is(err, client.ErrNotSatisfied) || got != "" {
				t.Errorf("record %d, by a nurse: %q, %v", i, got, err)
			}
			for k, p := range patients {
				_, err := age.Decrypt(bytes.NewReader(c.world.GetEnvelope(s.ID, 1)), p)
				if own := k == patientOf(i); own != (err == nil) {
					t.Errorf("record %d, by patient %d with plain age: %v", i, k, err)
				}
			}
		}
	})
}

// TestBeginningsSwapped plays a peer that recombines the parts of envelopes.
func TestBeginningsSwapped(t *testing.T) {
	for name, attack := range map[string]func(beginning, rest, neighbour, other []byte) []byte{
		"the beginning of another group": func(_, rest, _, other []byte) []byte { return slices.Concat(other, rest) },
		"the rest of a neighbour":        func(beginning, _, neighbour, _ []byte) []byte { return slices.Concat(beginning, neighbour) },
		"a beginning that is cut":        func(beginning, rest, _, _ []byte) []byte { return slices.Concat(beginning[:len(beginning)-1], rest) },
		"no beginning":                   func(_, rest, _, _ []byte) []byte { return rest },
		"the beginning alone":            func(beginning, _, _, _ []byte) []byte { return beginning },
		"a rest that is cut":             func(beginning, rest, _, _ []byte) []byte { return slices.Concat(beginning, rest[:len(rest)-1]) },
		"the salt of a neighbour": func(beginning, rest, neighbour, _ []byte) []byte {
			return slices.Concat(beginning, neighbour[:16], rest[16:])
		},
	} {
		c := newConsortium(t)
		sealed, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
			Sources: []client.Source{text("a", "record a"), text("b", "record b")}, Policy: doctors,
		})
		if err != nil {
			t.Fatal(err)
		}
		e := ledger.DivideEnvelopes([][]byte{c.world.GetEnvelope(sealed[0].ID, 1), c.world.GetEnvelope(sealed[1].ID, 1)})
		if len(e.Beginnings) != 1 {
			t.Fatal("the envelopes have nothing in common")
		}
		beginning := e.Beginnings[0]
		other := c.world.GetEnvelope(c.seal(t, "record c").ID, 1)[:len(beginning)]
		reader := c.as(t, "HospitalB", "doctor", "doctor")
		if got, _, err := open(t.Context(), reader, sealed[0].ID, client.OpenRequest{}); err != nil || got != "record a" {
			t.Fatalf("before the attack: %q, %v", got, err)
		}
		c.world.SetEnvelope(sealed[0].ID, 1, attack(beginning, e.Parts[0].Rest, e.Parts[1].Rest, other))
		if got, _, err := open(t.Context(), reader, sealed[0].ID, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, _, err := open(t.Context(), reader, sealed[1].ID, client.OpenRequest{}); err != nil || got != "record b" {
			t.Errorf("%s: the neighbour: %q, %v", name, got, err)
		}
	}
}

// TestEnvelopeThatFailsInAGroup: one of many calls has an envelope that is too large,
// because of its policy and keywords. The other calls succeed.
func TestEnvelopeThatFailsInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		var wards []string
		var keys []ledger.AttributeKey
		for i := range policy.MaxAttributes {
			wards = append(wards, fmt.Sprintf("HospitalA:ward=%d, which is the name of it that is long", i))
			keys = append(keys, c.key(t, wards[i], 1))
		}
		authority := c.world.As("HospitalA", "authority", ledger.RoleAuthority)
		if err := authority.PublishKeys(t.Context(), authority.Signed(keys...)); err != nil {
			t.Fatal(err)
		}
		g := &gate{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
		_, errs := together(t, c, g, 8, nil, func(ctx context.Context, i int, r *client.SealRequest) context.Context {
			if i == 5 {
				r.Policy = `"` + strings.Join(wards, `" or "`) + `"`
				for range 2000 {
					r.Keywords = append(r.Keywords, clienttest.NewID())
				}
			}
			return ctx
		})
		for i, err := range errs {
			if i == 5 && (!errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "envelope")) || i != 5 && err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if n := len(c.swept(t)); n != 7 {
			t.Errorf("%d payloads are pinned, want 7", n)
		}
	})
}
