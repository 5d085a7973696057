package client_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
)

// slowStore takes a day and a half for each payload, one after the other, while the
// hospital unpins what is in no record.
type slowStore struct {
	*clienttest.MemoryBlobs
	one chan struct{}
}

func (s slowStore) Put(ctx context.Context, r io.Reader) (string, error) {
	s.one <- struct{}{}
	defer func() { <-s.one }()
	time.Sleep(36 * time.Hour)
	for _, other := range s.MemoryBlobs.Pinned(nil) {
		s.Unpin(ctx, other)
	}
	return s.MemoryBlobs.Put(ctx, r)
}

// TestSlowSeal: what was stored first is pinned when it is registered, although the rest
// took so long that the hospital has unpinned it.
func TestSlowSeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		doctor := c.world.As("HospitalA", "doctor", "doctor")
		cl, err := client.New(client.Config{Ledger: doctor, Signer: doctor.Signer(), Blobs: slowStore{c.blobs, make(chan struct{}, 1)}})
		if err != nil {
			t.Fatal(err)
		}
		var sources []client.Source
		for _, name := range []string{"first", "second", "third"} {
			sources = append(sources, client.Source{Name: name, Size: 5, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(name)), nil }})
		}
		sealed, err := cl.Seal(t.Context(), client.SealRequest{Policy: "HospitalA:role=doctor", Purpose: "TREAT", Sources: sources})
		if err != nil {
			t.Fatal(err)
		}
		page, err := c.world.As("Regulator", "auditor", ledger.RoleAuditor).AuditRecords(t.Context(), ledger.RecordQuery{})
		if err != nil || len(page.Versions) != len(sealed) {
			t.Fatalf("%d of %d records: %v", len(page.Versions), len(sealed), err)
		}
		for _, v := range page.Versions {
			if !slices.Contains(c.blobs.Pinned(t), v.CID) {
				t.Errorf("the payload of record %s is not pinned", v.ID)
			}
		}
	})
}
