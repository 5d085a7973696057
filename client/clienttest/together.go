package clienttest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// A capsule is an age recipient that gives all files the same stanza, as large as that of
// a policy.
type capsule []byte

// Wrap implements age.Recipient.
func (c capsule) Wrap([]byte) ([]*age.Stanza, error) {
	return []*age.Stanza{{Type: "suite", Body: c}}, nil
}

func newCapsule() capsule {
	c := make(capsule, 1500)
	rand.Read(c)
	return c
}

// ledgerTogether registers envelopes, some with the same beginning. Both the submitting
// peer and another hospital's peer return them whole. Each needs an access entry of its
// own.
func ledgerTogether(t *testing.T, env LedgerEnv) {
	ctx := t.Context()
	one, two := newCapsule(), newCapsule()
	capsules := []capsule{one, two, one, newCapsule(), one, two, one}
	records, envelopes, ids := make([]ledger.NewRecord, len(capsules)), make([][]byte, len(capsules)), make([]string, len(capsules))
	for i, c := range capsules {
		records[i], _ = newRecord(t, env.Doctor)
		envelopes[i], ids[i] = NewEnvelope(t, env.Doctor, c), records[i].ID
	}
	if n := len(ledger.DivideEnvelopes(envelopes).Beginnings); n != 2 {
		t.Fatalf("%d beginnings, want 2", n)
	}
	if _, err := env.Doctor.CreateRecords(ctx, records, envelopes); err != nil {
		t.Fatal(err)
	}
	recordsOf(t, env.Other, ids, func(r []ledger.Record) bool { return len(r) == len(ids) })
	for _, l := range []FullLedger{env.Doctor, env.Other} {
		entries, err := l.RequestAccess(ctx, ids[:6], "TREAT")
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids[:6] {
			// Another hospital's peer may receive the private data a little later.
			var got []byte
			for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
				if got, _, err = l.Envelope(ctx, id, 1, entries[i].ID); !errors.Is(err, client.ErrUnavailable) {
					break
				}
			}
			if err != nil || !bytes.Equal(got, envelopes[i]) {
				t.Errorf("%s, envelope %d: %d bytes of %d, %v", l.Actor(), i, len(got), len(envelopes[i]), err)
			}
		}
		_, _, err = l.Envelope(ctx, ids[6], 1, entries[0].ID)
		wantError(t, "the neighbour's with the access entry of one", err, client.ErrDenied)
	}

	// A shared beginning is written once. So the ledger refuses the same beginnings under
	// other ids.
	var copies []ledger.NewRecord
	var same [][]byte
	for i, c := range capsules {
		if &c[0] == &one[0] {
			fresh, _ := newRecord(t, env.Doctor)
			copies, same = append(copies, fresh), append(same, envelopes[i])
		}
	}
	_, err := env.Doctor.CreateRecords(ctx, copies, same)
	wantError(t, "a beginning that is there", err, client.ErrExists)

	// An amendment may have an envelope that begins like an existing one.
	fresh, _ := newRecord(t, env.Doctor)
	again := NewEnvelope(t, env.Doctor, one)
	if _, err := env.Doctor.AmendRecord(ctx, ledger.NewVersion{ID: ids[0], Version: 2, CID: fresh.CID, Commitment: fresh.Commitment, Size: 300}, again); err != nil {
		t.Fatal(err)
	}
	entries, err := env.Doctor.RequestAccess(ctx, ids[:1], "TREAT")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int][]byte{1: envelopes[0], 2: again} {
		if got, _, err := env.Doctor.Envelope(ctx, ids[0], version, entries[0].ID); err != nil || !bytes.Equal(got, want) {
			t.Errorf("version %d: %d bytes, %v", version, len(got), err)
		}
	}
}
