package client_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/trust"
)

// lyingPeer is the own hospital's peer with an administrator who wants to read sealed
// records.
type lyingPeer struct {
	*clienttest.Person
	keys      func(ledger.AttributeKey) ledger.AttributeKey // replaces each public key
	custodian string                                        // replaces each custodian
	scopeKey  []byte                                        // replaces each wrapped scope key
	signer    func(msp string) *clienttest.Person           // signs the lies about a member, if set
}

func (l *lyingPeer) AttributeKeys(ctx context.Context, names []string) ([]ledger.AttributeKey, error) {
	keys, err := l.Person.AttributeKeys(ctx, names)
	for i := range keys {
		if l.keys != nil {
			keys[i] = l.keys(keys[i])
			if l.signer != nil {
				msp, _, _ := strings.Cut(keys[i].Name, ":")
				keys[i] = l.signer(msp).Signed(keys[i])[0]
			}
		}
	}
	return keys, err
}

func (l *lyingPeer) Authorities(ctx context.Context) ([]ledger.Authority, error) {
	all, err := l.Person.Authorities(ctx)
	for i := range all {
		if l.custodian != "" {
			all[i].Custodian = l.custodian
			if l.signer != nil {
				all[i].Signature = l.signer(all[i].MSP).SignedAnnouncement(ledger.Announcement{URL: all[i].URL, Custodian: l.custodian}).Signature
			}
		}
	}
	return all, err
}

func (l *lyingPeer) ScopeKey(ctx context.Context, name string, epoch int, accessID string) ([]byte, error) {
	key, err := l.Person.ScopeKey(ctx, name, epoch, accessID)
	if l.scopeKey != nil {
		key = l.scopeKey
	}
	return key, err
}

// TestOwnPeerThatReads: a peer that hands out false keys or a false custodian could read
// what its people seal. They are refused because the hospital's authority has not signed
// them, even if the witness tells the same lie. Only with the signature of the authority
// itself does the attack succeed, and then a witness that does not know of it prevents
// it.
func TestOwnPeerThatReads(t *testing.T) {
	attacker, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, lie := range map[string]func(t *testing.T, c *consortium, l *lyingPeer) age.Identity{
		"the next version of a key": func(t *testing.T, _ *consortium, l *lyingPeer) age.Identity {
			rogue := newConsortium(t)
			l.keys = func(k ledger.AttributeKey) ledger.AttributeKey { return rogue.key(t, k.Name, k.Version+1) }
			key, err := rogue.masters["HospitalA"].Issue("HospitalA/peer", "HospitalA:role=doctor", 2)
			if err != nil {
				t.Fatal(err)
			}
			id, err := abe.NewIdentity([]*abe.UserKey{key})
			if err != nil {
				t.Fatal(err)
			}
			return id
		},
		"a custodian": func(_ *testing.T, _ *consortium, l *lyingPeer) age.Identity {
			l.custodian = attacker.Recipient().String()
			return attacker
		},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			c := newConsortium(t)
			honest := c.world.As("HospitalA", "doctor", "doctor")
			l := &lyingPeer{Person: honest}
			seal := func(cl *client.Client) ([]client.Sealed, error) {
				return cl.Seal(t.Context(), client.SealRequest{Sources: []client.Source{text("n", "secret")}, Policy: doctors})
			}
			trusting := c.with(t, l)
			careful, err := client.New(client.Config{Ledger: l, Signer: c.world.SignerOf(l.Actor()), Blobs: c.blobs, Witnesses: []trust.Ledger{honest}})
			if err != nil {
				t.Fatal(err)
			}
			// Both clients have seen the true keys. That does not help the one without a
			// witness.
			for _, cl := range []*client.Client{trusting, careful} {
				if _, err := seal(cl); err != nil {
					t.Fatal(err)
				}
			}
			id := lie(t, c, l)
			time.Sleep(believed)
			colluding, err := client.New(client.Config{Ledger: l, Signer: honest.Signer(), Blobs: c.blobs, Witnesses: []trust.Ledger{l}})
			if err != nil {
				t.Fatal(err)
			}
			authority := func(msp string) *clienttest.Person { return c.world.As(msp, "authority", ledger.RoleAuthority) }
			for who, signer := range map[string]func(string) *clienttest.Person{
				"nobody":              nil,
				"a doctor":            func(string) *clienttest.Person { return honest },
				"another's authority": func(string) *clienttest.Person { return authority("HospitalC") },
			} {
				l.signer = signer
				time.Sleep(believed)
				for name, cl := range map[string]*client.Client{"no witness": trusting, "an honest witness": careful, "a lying witness": colluding} {
					if _, err := seal(cl); !errors.Is(err, client.ErrTampered) {
						t.Errorf("signed by %s, %s: %v", who, name, err)
					}
				}
			}
			l.signer = authority
			time.Sleep(believed)
			sealed, err := seal(trusting)
			if err != nil {
				t.Fatal(err)
			}
			if got := steal(t, c, sealed[0], id); got != "secret" {
				t.Errorf("signed by the authority the attack should succeed, or this test shows nothing: read %q", got)
			}
			before := registered(t, c)
			if _, err := seal(careful); !errors.Is(err, client.ErrTampered) {
				t.Errorf("with a witness: %v", err)
			}
			if after := registered(t, c); after != before {
				t.Errorf("%d records were registered all the same", after-before)
			}
		}))
	}
}

// steal opens a record with an identity of the attacker.
func steal(t *testing.T, c *consortium, s client.Sealed, id age.Identity) string {
	t.Helper()
	m, err := envelope.Open(c.world.GetEnvelope(s.ID, 1), ledger.RecordVersion{ID: s.ID, Version: 1, CID: s.CID}, id)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := c.blobs.Open(t.Context(), s.CID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := envelope.PayloadIdentity(m.Key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(payload, key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, m.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// TestOwnPeerThatSearches: a false scope key, sealed by the peer to the true policy, is
// refused.
func TestOwnPeerThatSearches(t *testing.T) {
	c := newConsortium(t)
	key := make([]byte, envelope.KeySize)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	doctor := c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor")
	recipients, err := envelope.Recipients(c.custodian.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	forged, err := envelope.ScopeKey{Scope: "consortium", Epoch: 1, Key: key, Policy: doctors, Author: "HospitalA/custodian"}.Seal(recipients...)
	if err != nil {
		t.Fatal(err)
	}
	honest := c.world.As("HospitalA", "doctor", "doctor")
	careful, err := client.New(client.Config{
		Ledger: &lyingPeer{Person: honest, scopeKey: forged}, Blobs: c.blobs, Witnesses: []trust.Ledger{honest},
		Identities: []age.Identity{doctor, c.custodian},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := careful.Search(t.Context(), index.MustParseQuery("anything"), client.SearchOptions{Scope: "consortium"}); !errors.Is(err, client.ErrTampered) {
		t.Errorf("got %v, want %v", err, client.ErrTampered)
	}
}

// registered counts the records on the ledger.
func registered(t *testing.T, c *consortium) int {
	t.Helper()
	page, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditRecords(t.Context(), ledger.RecordQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Versions)
}
