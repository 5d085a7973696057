package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/policy"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
)

// doctors is the policy of most tests.
const doctors = "HospitalA:role=doctor or HospitalB:role=doctor"

// believed is longer than the validity of cached ledger answers about keys and
// custodians. Tests that wait for it run in a synctest bubble.
const believed = 3 * time.Second

func inBubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// A consortium is a World with real attribute keys, three hospitals and a scope.
type consortium struct {
	world     *clienttest.World
	blobs     *clienttest.MemoryBlobs
	masters   map[string]*abe.MasterKey
	custodian *age.X25519Identity // of HospitalA
}

func newConsortium(t *testing.T) *consortium {
	t.Helper()
	c := &consortium{world: &clienttest.World{}, blobs: &clienttest.MemoryBlobs{}, masters: make(map[string]*abe.MasterKey)}
	var err error
	if c.custodian, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	for _, msp := range []string{"HospitalA", "HospitalB", "HospitalC"} {
		if c.masters[msp], err = abe.NewMasterKey(msp, rand.Reader); err != nil {
			t.Fatal(err)
		}
		l := c.world.As(msp, "authority", ledger.RoleAuthority)
		if err := l.Announce(t.Context(), l.SignedAnnouncement(ledger.Announcement{URL: "https://" + msp, Custodian: c.custodian.Recipient().String()})); err != nil {
			t.Fatal(err)
		}
		if err := l.PublishKeys(t.Context(), l.Signed(c.key(t, msp+":role=doctor", 1), c.key(t, msp+":role=nurse", 1))); err != nil {
			t.Fatal(err)
		}
	}
	admin := c.as(t, "HospitalA", "custodian", ledger.RoleCustodian)
	if _, err := admin.CreateScope(t.Context(), "consortium", doctors); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *consortium) key(t *testing.T, name string, version int) ledger.AttributeKey {
	t.Helper()
	msp, _, _ := strings.Cut(name, ":")
	k, err := c.masters[msp].PublicKey(name, version)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return ledger.AttributeKey{Name: name, Version: version, Key: base64.StdEncoding.EncodeToString(raw)}
}

// identity issues attribute keys to a user.
func (c *consortium) identity(t *testing.T, gid string, attributes ...string) age.Identity {
	t.Helper()
	var keys []*abe.UserKey
	for _, a := range attributes {
		msp, _, _ := strings.Cut(a, ":")
		k, err := c.masters[msp].Issue(gid, a, 1)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	id, err := abe.NewIdentity(keys)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// as returns a client for a user with a role at a hospital. Clinical roles come with the
// attribute key for the role.
func (c *consortium) as(t *testing.T, msp, id, role string) *client.Client {
	t.Helper()
	var attributes []string
	if role == "doctor" || role == "nurse" {
		attributes = append(attributes, msp+":role="+role)
	}
	return c.with(t, c.world.As(msp, id, role), c.identity(t, ledger.Actor(msp, id), attributes...))
}

func (c *consortium) with(t *testing.T, l client.Ledger, identities ...age.Identity) *client.Client {
	t.Helper()
	cl, err := client.New(client.Config{Ledger: l, Blobs: c.blobs, Signer: c.world.SignerOf(l.Actor()), Identities: identities})
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func text(name, content string) client.Source {
	return client.ReaderSource(name, strings.NewReader(content))
}

// seal seals a text as doctor@HospitalA.
func (c *consortium) seal(t *testing.T, content string, keywords ...string) client.Sealed {
	t.Helper()
	sealed, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), client.SealRequest{
		Sources: []client.Source{text("note.txt", content)}, Policy: doctors, Scope: "consortium", Keywords: keywords,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sealed[0]
}

func open(ctx context.Context, c *client.Client, id string, r client.OpenRequest) (string, client.Opened, error) {
	var out bytes.Buffer
	o, err := c.Open(ctx, id, &out, r)
	return out.String(), o, err
}

// recipient seals to a policy with the keys of the consortium's authorities.
func (c *consortium) recipient(t *testing.T, text string) *abe.Recipient {
	t.Helper()
	p, err := policy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := abe.NewRecipient(p, func(attribute string) (*abe.PublicKey, error) {
		msp, _, _ := strings.Cut(attribute, ":")
		return c.masters[msp].PublicKey(attribute, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
