package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/index"
)

// TestSwaps: a peer or a store returns data of another record or version.
func TestSwaps(t *testing.T) {
	for name, attack := range map[string]func(c *consortium, a, b client.Sealed){
		"envelope of another record": func(c *consortium, a, b client.Sealed) {
			c.world.SetEnvelope(a.ID, 1, c.world.GetEnvelope(b.ID, 1))
		},
		"CID of another record": func(c *consortium, a, b client.Sealed) { c.world.SetCID(a.ID, 1, b.CID) },
		"envelope and CID of another record": func(c *consortium, a, b client.Sealed) {
			c.world.SetEnvelope(a.ID, 1, c.world.GetEnvelope(b.ID, 1))
			c.world.SetCID(a.ID, 1, b.CID)
		},
		"damaged envelope": func(c *consortium, a, _ client.Sealed) {
			data := c.world.GetEnvelope(a.ID, 1)
			data[len(data)-1] ^= 1
			c.world.SetEnvelope(a.ID, 1, data)
		},
		"cut envelope": func(c *consortium, a, _ client.Sealed) {
			data := c.world.GetEnvelope(a.ID, 1)
			c.world.SetEnvelope(a.ID, 1, data[:len(data)/2])
		},
		"empty envelope": func(c *consortium, a, _ client.Sealed) { c.world.SetEnvelope(a.ID, 1, nil) },
	} {
		c := newConsortium(t)
		a, b := c.seal(t, "record a"), c.seal(t, "record b")
		reader := c.as(t, "HospitalB", "doctor", "doctor")
		if content, _, err := open(t.Context(), reader, a.ID, client.OpenRequest{}); err != nil || content != "record a" {
			t.Fatalf("before the attack: %q, %v", content, err)
		}
		attack(c, a, b)
		content, _, err := open(t.Context(), reader, a.ID, client.OpenRequest{})
		if !errors.Is(err, client.ErrTampered) || content != "" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}

// TestCorruptPayload: a store alters a payload, and a store that does not verify serves
// it.
func TestCorruptPayload(t *testing.T) {
	c := newConsortium(t)
	a, b := c.seal(t, "record a"), c.seal(t, "record b")
	reader := c.as(t, "HospitalB", "doctor", "doctor")
	c.blobs.Corrupt(t, a.CID)
	if content, _, err := open(t.Context(), reader, a.ID, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) || content != "" {
		t.Errorf("flipped: %q, %v", content, err)
	}
	c.blobs.Swap(b.CID, []byte("age-encryption.org/v1\n"))
	if content, _, err := open(t.Context(), reader, b.ID, client.OpenRequest{}); !errors.Is(err, client.ErrTampered) || content != "" {
		t.Errorf("swapped: %q, %v", content, err)
	}
}

// TestPinnedKeys: a seal fails if a public key changes under its version, or if its
// version is older than one already seen. Nothing is sealed to such a key.
func TestPinnedKeys(t *testing.T) { synctest.Test(t, testPinnedKeys) }

func testPinnedKeys(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	doctor := c.as(t, "HospitalA", "doctor", "doctor") // one client, because the pins are in its memory
	seal := func(policy string) error {
		time.Sleep(believed)
		_, err := doctor.Seal(ctx, client.SealRequest{Sources: []client.Source{text("n", "x")}, Policy: policy})
		return err
	}
	const name = "HospitalB:role=doctor"
	if err := seal(name); err != nil {
		t.Fatal(err)
	}
	first := c.key(t, name, 1)
	rogue := newConsortium(t).key(t, name, 1) // of another master secret
	c.world.SetKey(rogue)
	if err := seal(name); !errors.Is(err, client.ErrTampered) {
		t.Errorf("another key under version 1: %v", err)
	}
	c.world.SetKey(c.world.As("HospitalB", "authority", ledger.RoleAuthority).Signed(c.key(t, name, 2))[0])
	if err := seal(name); err != nil {
		t.Errorf("a new version: %v", err)
	}
	c.world.SetKey(first)
	if err := seal(name); !errors.Is(err, client.ErrTampered) {
		t.Errorf("back to version 1: %v", err)
	}
	mislabelled := c.key(t, "HospitalC:role=nurse", 1)
	mislabelled.Name = "HospitalC:role=doctor"
	c.world.SetKey(mislabelled)
	if err := seal("HospitalC:role=doctor"); !errors.Is(err, client.ErrTampered) {
		t.Errorf("another attribute's key: %v", err)
	}
	c.world.SetKey(ledger.AttributeKey{Name: "HospitalC:role=doctor", Version: 1, Key: "AAAA"})
	if err := seal("HospitalC:role=doctor"); !errors.Is(err, client.ErrTampered) {
		t.Errorf("no key at all: %v", err)
	}
}

// TestForeignEntries: a hospital indexes another hospital's record under its own
// keywords. No search returns the record.
func TestForeignEntries(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	victim := c.seal(t, "victim's record", "victim")
	// The insider's client believes that the record belongs to HospitalB and that the
	// amendment was registered. So it writes index entries under HospitalB's name.
	liar := &relocated{Person: c.world.As("HospitalB", "doctor", "doctor"), id: victim.ID}
	insider := c.with(t, liar, c.identity(t, "HospitalB/doctor", "HospitalB:role=doctor"))
	_, err := insider.Amend(ctx, client.AmendRequest{ID: victim.ID, SealRequest: client.SealRequest{
		Sources: []client.Source{text("n", "x")}, Policy: doctors, Scope: "consortium", Keywords: []string{"slander"}}})
	if err != nil {
		t.Fatalf("the amendment: %v", err)
	}
	reader := c.with(t, c.world.As("HospitalA", "other", "doctor"), c.identity(t, "HospitalA/other", "HospitalA:role=doctor"))
	found, err := reader.Search(ctx, index.MustParseQuery("slander"), client.SearchOptions{Scope: "consortium"})
	if err != nil || len(found.Hits) != 0 || len(found.Warnings) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}

// relocated tells its client that a record belongs to the client's own hospital.
type relocated struct {
	*clienttest.Person
	id string
}

func (r *relocated) Records(ctx context.Context, ids []string) ([]ledger.Record, error) {
	records, err := r.Person.Records(ctx, ids)
	for i := range records {
		if records[i].ID == r.id {
			for j := range records[i].Versions {
				records[i].Versions[j].Home = r.MSP()
				records[i].Versions[j].Version-- // so that the client's next version is the existing one
			}
		}
	}
	return records, err
}

func (r *relocated) AmendRecord(_ context.Context, v ledger.NewVersion, _ []byte) (ledger.RecordVersion, error) {
	return ledger.RecordVersion{ID: v.ID, Version: v.Version, CID: v.CID, Commitment: v.Commitment, Home: r.MSP()}, nil
}
