package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
)

func ids(list ...age.Identity) []age.Identity { return list }

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// recallingMemory outlives its client, like a wallet.
type recallingMemory struct{ items sync.Map }

func (m *recallingMemory) Load(name string) ([]byte, error) {
	if v, ok := m.items.Load(name); ok {
		return v.([]byte), nil
	}
	return nil, ledger.Errorf(ledger.ErrNotFound, "%s", name)
}

func (m *recallingMemory) Store(name string, data []byte) error {
	m.items.Store(name, slices.Clone(data))
	return nil
}

// threeRecords is the request of the fault tests.
func threeRecords() client.SealRequest {
	return client.SealRequest{
		Sources: []client.Source{text("a", "one"), text("b", "two"), text("c", "three")},
		Policy:  doctors, Scope: "consortium", Keywords: []string{"word"},
	}
}

// TestSealFaults makes each step of a seal fail, on its first and on later calls, and
// checks the remains.
func TestSealFaults(t *testing.T) {
	steps := []string{ledger.AuthorityKeys, ledger.AuthorityList, ledger.ScopeList, ledger.AccessRequest, ledger.ScopeKey,
		ledger.IndexGet, ledger.IndexPut, ledger.RecordCreate, "put"}
	for _, step := range steps {
		for nth := range 3 {
			t.Run(fmt.Sprintf("%s/%d", step, nth), func(t *testing.T) {
				c := newConsortium(t)
				cause := ledger.Errorf(ledger.ErrUnavailable, "injected into %s", step)
				var calls atomic.Int32
				fail := func(name string) error {
					if name == step && calls.Add(1) == int32(nth+1) {
						return cause
					}
					return nil
				}
				c.world.Fail, c.blobs.Fail = fail, fail
				doctor := c.as(t, "HospitalA", "doctor", "doctor")
				sealed, err := doctor.Seal(t.Context(), threeRecords())
				c.world.Fail, c.blobs.Fail = nil, nil
				if int(calls.Load()) <= nth {
					if err != nil || len(sealed) != 3 {
						t.Fatalf("nothing was injected, but: %v", err)
					}
					return
				}
				if err == nil {
					// Safe steps are repeated, so the seal may succeed. The index may be
					// written later.
					c.allThere(t, doctor, sealed)
					return
				}
				if !errors.Is(err, cause) {
					t.Errorf("got %v", err)
				}
				if len(sealed) != 0 {
					t.Errorf("%d records were returned", len(sealed))
				}
				c.nothingLeft(t)
				c.nothingFound(t)
			})
		}
	}
}

// allThere checks that everyone finds the sealed records, at the latest after the
// author's next command, and that the index holds them once.
func (c *consortium) allThere(t *testing.T, author *client.Client, sealed []client.Sealed) {
	t.Helper()
	if _, err := author.FlushIndex(t.Context(), client.FlushOptions{}); err != nil {
		t.Error(err)
	}
	if waits, err := author.IndexStatus(); err != nil || waits != (outbox.Status{}) {
		t.Errorf("the outbox still holds %+v, %v", waits, err)
	}
	found, err := c.as(t, "HospitalB", "doctor", "doctor").Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
	if err != nil || len(found.Hits) != len(sealed) || len(sealed) != 3 {
		t.Errorf("%d sealed, %d found, %v", len(sealed), len(found.Hits), err)
	}
}

// nothingFound checks that the written index entries lead to no record.
func (c *consortium) nothingFound(t *testing.T) {
	t.Helper()
	found, err := c.as(t, "HospitalB", "doctor", "doctor").Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
	if err != nil || len(found.Hits) != 0 {
		t.Errorf("found %+v, %v", found.Hits, err)
	}
}

// TestSealBatchesFault: the second of two transactions fails. The records of the first
// stay, and the caller learns of them.
func TestSealBatchesFault(t *testing.T) {
	c := newConsortium(t)
	r := threeRecords()
	for i := range ledger.MaxNewRecords {
		r.Sources = append(r.Sources, text("more", fmt.Sprint(i)))
	}
	calls := 0
	c.world.Fail = func(name string) error {
		if name == ledger.RecordCreate {
			if calls++; calls == 2 {
				return ledger.ErrUnavailable
			}
		}
		return nil
	}
	sealed, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), r)
	if !errors.Is(err, client.ErrUnavailable) || len(sealed) != ledger.MaxNewRecords {
		t.Errorf("%d records, %v", len(sealed), err)
	}
	if n := len(c.swept(t)); n != ledger.MaxNewRecords {
		t.Errorf("%d payloads pinned", n)
	}
}

// TestSealUnknownOutcome: the records may be on the ledger, so the payloads stay pinned.
func TestSealUnknownOutcome(t *testing.T) {
	c := newConsortium(t)
	lost := errors.Join(client.ErrUnknownOutcome, client.ErrUnavailable)
	c.world.Lose = func(name string) error {
		if name == ledger.RecordCreate {
			return lost
		}
		return nil
	}
	_, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), threeRecords())
	if !errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, client.ErrUnavailable) || !strings.Contains(err.Error(), "payloads stay") {
		t.Errorf("got %v", err)
	}
	if n := len(c.swept(t)); n != 3 {
		t.Errorf("%d payloads pinned", n)
	}
	found, err := c.as(t, "HospitalB", "doctor", "doctor").Search(t.Context(), index.MustParseQuery("word"), client.SearchOptions{Scope: "consortium"})
	if err != nil || len(found.Hits) != 3 {
		t.Errorf("%d found, %v", len(found.Hits), err)
	}
}

// TestSealUnknownIndex: only the outcome of the index entries is unknown, so the seal
// succeeds. The next command finds the outcome and writes no entry twice.
func TestSealUnknownIndex(t *testing.T) {
	for _, committed := range []bool{true, false} {
		c := newConsortium(t)
		lost := func(name string) error {
			if name == ledger.IndexPut {
				return errors.Join(client.ErrUnknownOutcome, client.ErrUnavailable)
			}
			return nil
		}
		if committed {
			c.world.Lose = lost
		} else {
			c.world.Fail = lost
		}
		doctor := c.as(t, "HospitalA", "doctor", "doctor")
		sealed, err := doctor.Seal(t.Context(), threeRecords())
		c.world.Lose, c.world.Fail = nil, nil
		if err != nil {
			t.Fatalf("committed %v: %v", committed, err)
		}
		if warned := strings.Contains(strings.Join(sealed[0].Warnings, " "), "kept in the outbox"); warned == committed {
			t.Errorf("committed %v: warnings %q", committed, sealed[0].Warnings)
		}
		c.allThere(t, doctor, sealed)
		want := 64 // bucket of a transaction with ModeNow
		if !committed {
			want = outbox.DefaultSize
		}
		if n := c.world.Entries("HospitalA"); n != want {
			t.Errorf("committed %v: %d entries on the ledger, want one transaction of %d", committed, n, want)
		}
	}
}

// TestSealCancelled cancels a seal at each step that is visible from outside.
func TestSealCancelled(t *testing.T) {
	for _, step := range []string{ledger.AuthorityKeys, ledger.ScopeKey, "put", ledger.IndexGet, ledger.IndexPut} {
		t.Run(step, func(t *testing.T) {
			c := newConsortium(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			hook := func(name string) error {
				if name == step {
					cancel()
				}
				return nil
			}
			c.world.Fail, c.blobs.Fail = hook, hook
			doctor := c.as(t, "HospitalA", "doctor", "doctor")
			sealed, err := doctor.Seal(ctx, threeRecords())
			c.world.Fail, c.blobs.Fail = nil, nil
			if err == nil { // the records were already registered
				c.allThere(t, doctor, sealed)
				return
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			c.nothingLeft(t)
			c.nothingFound(t)
		})
	}
}

// TestSealSourceFails: one of three sources breaks in the middle.
func TestSealSourceFails(t *testing.T) {
	c := newConsortium(t)
	r := threeRecords()
	broken := errors.New("input/output error")
	r.Sources[1] = client.ReaderSource("b", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), failingReader{broken}))
	_, err := c.as(t, "HospitalA", "doctor", "doctor").Seal(t.Context(), r)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "b: ") {
		t.Errorf("got %v", err)
	}
	c.nothingLeft(t)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// TestOpenFaults: open returns the error of the step that fails.
func TestOpenFaults(t *testing.T) {
	for _, step := range []string{ledger.RecordGet, ledger.AccessRequest, ledger.RecordEnvelope, "open"} {
		c := newConsortium(t)
		sealed := c.seal(t, "content")
		cause := errors.New("injected")
		fail := func(name string) error {
			if name == step {
				return cause
			}
			return nil
		}
		c.world.Fail, c.blobs.Fail = fail, fail
		content, _, err := open(t.Context(), c.as(t, "HospitalB", "doctor", "doctor"), sealed.ID, client.OpenRequest{})
		if !errors.Is(err, cause) || content != "" {
			t.Errorf("%s: %q, %v", step, content, err)
		}
	}
}

// TestOpenWaitsForPrivateData: the wrapped key may reach the peer later than the block.
func TestOpenWaitsForPrivateData(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "content")
	calls := 0
	c.world.Fail = func(name string) error {
		if name == ledger.RecordEnvelope {
			if calls++; calls < 3 {
				return ledger.Errorf(ledger.ErrUnavailable, "not on this peer yet")
			}
		}
		return nil
	}
	if content, _, err := open(t.Context(), c.as(t, "HospitalB", "doctor", "doctor"), sealed.ID, client.OpenRequest{}); err != nil || content != "content" {
		t.Errorf("%q, %v", content, err)
	}
}
