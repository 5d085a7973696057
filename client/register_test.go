package client_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/index"
)

// A gate is a ledger that holds back all registrations until it opens, and counts them.
type gate struct {
	client.Ledger
	open    chan struct{}
	calls   atomic.Int32
	outcome error // result of registrations of several records, which are then not sent
}

func (g *gate) CreateRecords(ctx context.Context, records []ledger.NewRecord, envelopes [][]byte) ([]ledger.RecordVersion, error) {
	g.calls.Add(1)
	select {
	case <-g.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if g.outcome != nil && len(records) > 1 {
		return nil, g.outcome
	}
	return g.Ledger.CreateRecords(ctx, records, envelopes)
}

// together seals texts in n concurrent calls. Each of them is registering or waiting when
// the gate opens.
func together(t *testing.T, c *consortium, g *gate, n int, before func(), change func(ctx context.Context, i int, r *client.SealRequest) context.Context) ([]client.Sealed, []error) {
	t.Helper()
	g.open = make(chan struct{})
	doctor := c.with(t, g, c.identity(t, "HospitalA/doctor", "HospitalA:role=doctor"))
	sealed, errs := make([]client.Sealed, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r := client.SealRequest{
				Sources: []client.Source{text(fmt.Sprint(i), fmt.Sprint("note ", i))}, Policy: doctors, Scope: "consortium",
				Keywords: []string{"shared"}, Index: index.ModeNow,
			}
			ctx := t.Context()
			if change != nil {
				ctx = change(ctx, i, &r)
			}
			s, err := doctor.Seal(ctx, r)
			if errs[i] = err; err == nil {
				sealed[i] = s[0]
			}
		})
	}
	synctest.Wait()
	if before != nil {
		before()
		synctest.Wait()
	}
	close(g.open)
	wg.Wait()
	return sealed, errs
}

// TestSealsShareTransactions seals ten records at once. The first two are registered
// alone, the other eight together.
func TestSealsShareTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		g := &gate{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
		sealed, errs := together(t, c, g, 10, nil, nil)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := g.calls.Load(); n != 3 {
			t.Errorf("%d registrations, want 3", n)
		}
		transactions := make(map[string]int)
		for i, s := range sealed {
			transactions[s.Tx]++
			if s.Name != fmt.Sprint(i) || len(s.Warnings) > 0 {
				t.Errorf("call %d was given the record of %s, with warnings %v", i, s.Name, s.Warnings)
			}
			if got, _, err := open(t.Context(), c.as(t, "HospitalA", "doctor", "doctor"), s.ID, client.OpenRequest{}); err != nil || got != fmt.Sprint("note ", i) {
				t.Errorf("record of call %d: %q, %v", i, got, err)
			}
		}
		if sizes := slices.Sorted(maps.Values(transactions)); !slices.Equal(sizes, []int{1, 1, 8}) {
			t.Errorf("records a transaction: %v", sizes)
		}
		found, err := c.as(t, "HospitalB", "doctor", "doctor").Search(t.Context(), index.MustParseQuery("shared"), client.SearchOptions{Scope: "consortium"})
		if err != nil || len(found.Hits) != 10 {
			t.Errorf("%d found, want 10: %v", len(found.Hits), err)
		}
	})
}

// TestNobodyFailsForAnother: one of many calls asks for a record id that is taken. Only
// that call fails.
func TestNobodyFailsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		taken := c.seal(t, "first").ID
		g := &gate{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
		_, errs := together(t, c, g, 10, nil, func(ctx context.Context, i int, r *client.SealRequest) context.Context {
			if i == 5 {
				r.Sources[0].ID = taken
			}
			return ctx
		})
		for i, err := range errs {
			if i == 5 && !errors.Is(err, ledger.ErrExists) || i != 5 && err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if n := len(c.swept(t)); n != 10 {
			t.Errorf("%d payloads are pinned, want those of the first and of nine others", n)
		}
	})
}

// TestGroupOfUnknownOutcome: the outcome of a shared transaction is unknown. All payloads
// stay pinned.
func TestGroupOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		g := &gate{Ledger: c.world.As("HospitalA", "doctor", "doctor"), outcome: fmt.Errorf("lost: %w", client.ErrUnknownOutcome)}
		_, errs := together(t, c, g, 6, nil, nil)
		unknown := 0
		for _, err := range errs {
			switch {
			case errors.Is(err, client.ErrUnknownOutcome):
				unknown++
			case err != nil:
				t.Error(err)
			}
		}
		if unknown != 4 || g.calls.Load() != 3 {
			t.Errorf("%d calls do not know, after %d registrations; want 4 after 3: none may be sent again", unknown, g.calls.Load())
		}
		if n := len(c.blobs.Pinned(t)); n != 6 {
			t.Errorf("%d payloads are pinned, want 6", n)
		}
	})
}

// TestCancelledInAGroup cancels calls that wait for a shared transaction. They register
// nothing and do not delay the others.
func TestCancelledInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConsortium(t)
		g := &gate{Ledger: c.world.As("HospitalA", "doctor", "doctor")}
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make([]bool, 10)
		var mine atomic.Int32
		_, errs := together(t, c, g, 10, cancel, func(own context.Context, i int, _ *client.SealRequest) context.Context {
			if mine.Add(1) > 6 {
				cancelled[i] = true
				for g.calls.Load() < 2 { // waits until the two calls that are registered alone have left
					time.Sleep(time.Millisecond)
				}
				return ctx
			}
			return own
		})
		for i, err := range errs {
			if cancelled[i] != errors.Is(err, context.Canceled) || !cancelled[i] && err != nil {
				t.Errorf("call %d, cancelled %v: %v", i, cancelled[i], err)
			}
		}
		if n := len(c.swept(t)); n != 6 {
			t.Errorf("%d payloads are pinned, want 6", n)
		}
	})
}
