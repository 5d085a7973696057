package replica

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A hospital has a peer and a node on which erased records leave traces.
type hospital struct {
	erasures  []ledger.Erasure
	keys      map[string]bool // records whose keys are still there
	pinned    []string
	stored    []string
	confirmed []string // receipts, as "record keys payloads"
	fails     error
}

func (h *hospital) confirmer(t *testing.T, memory Memory) *Confirmer {
	t.Helper()
	f, err := NewConfirmer(ConfirmConfig{
		Memory: memory,
		Erased: func(_ context.Context, since string) (all []ledger.Erasure, err error) {
			for _, e := range h.erasures {
				if e.Time >= since {
					all = append(all, e)
				}
			}
			return all, nil
		},
		Purged: func(_ context.Context, ids []string) (purged []string, err error) {
			return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return h.keys[id] }), nil
		},
		Payloads: func(_ context.Context, ids []string) (map[string][]string, error) {
			payloads := make(map[string][]string)
			for _, id := range ids {
				payloads[id] = []string{"payload of " + id}
			}
			return payloads, nil
		},
		Pinned: func(context.Context) ([]string, error) { return slices.Clone(h.pinned), nil },
		Stored: func(_ context.Context, cids []string) ([]string, error) {
			return slices.DeleteFunc(slices.Clone(cids), func(cid string) bool { return !slices.Contains(h.stored, cid) }), nil
		},
		Confirm: func(_ context.Context, receipts []ledger.NewReceipt) error {
			if h.fails != nil {
				return h.fails
			}
			for _, r := range receipts {
				h.confirmed = append(h.confirmed, r.Record+" "+r.Keys+" "+r.Payloads)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestConfirm: an erasure is confirmed once its keys are gone, again with each change of
// its payload, and never twice the same, also after a restart.
func TestConfirm(t *testing.T) {
	at := func(d time.Duration) string {
		return ledger.FormatTime(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(d))
	}
	h := &hospital{keys: map[string]bool{"a": true}, pinned: []string{"payload of a"}, stored: []string{"payload of a"}}
	m := &memory{}
	look := func(want ...string) {
		t.Helper()
		h.confirmed = nil
		for range 2 { // the second time there is nothing new
			if err := h.confirmer(t, m).Look(t.Context()); err != nil && h.fails == nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(h.confirmed, want) {
			t.Errorf("confirmed %q, want %q", h.confirmed, want)
		}
	}
	look()
	h.erasures = []ledger.Erasure{{ID: "a", Time: at(0)}}
	look() // its keys are there
	h.keys["a"] = false
	look("a gone pinned")
	h.pinned = nil
	h.fails = errors.New("the ledger is away")
	look()
	h.fails = nil
	look("a gone unpinned")
	h.stored = nil
	look("a gone gone")
	// The clock of somebody who erases is behind.
	h.erasures = append([]ledger.Erasure{{ID: "b", Time: at(-10 * time.Minute)}}, h.erasures...)
	look("b gone gone")
	h.erasures = append(h.erasures, ledger.Erasure{ID: "c", Time: at(100 * time.Hour)})
	look("c gone gone")
}

// TestConfirmSeldom: a record whose payload waits for the next collection is examined
// seldom, and a new one at once.
func TestConfirmSeldom(t *testing.T) {
	h := &hospital{keys: map[string]bool{}, stored: []string{"payload of a"}, erasures: []ledger.Erasure{{ID: "a", Time: ledger.FormatTime(time.Unix(0, 0))}}}
	f := h.confirmer(t, &memory{})
	look := func(want ...string) {
		t.Helper()
		h.confirmed = nil
		if err := f.Look(t.Context()); err != nil || !slices.Equal(h.confirmed, want) {
			t.Errorf("confirmed %q, %v, want %q", h.confirmed, err, want)
		}
	}
	look("a gone unpinned")
	h.stored = nil
	h.erasures = append(h.erasures, ledger.Erasure{ID: "b", Time: ledger.FormatTime(time.Unix(1, 0))})
	look("b gone gone")
	for range slowLooks - 2 {
		look()
	}
	look("a gone gone")
}
