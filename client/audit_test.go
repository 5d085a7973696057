package client_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// collect reads a sequence up to its end or its first error.
func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for row, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, row)
	}
	return all, nil
}

func TestAudit(t *testing.T) {
	c := newConsortium(t)
	ctx := t.Context()
	first, second := c.seal(t, "one", "word"), c.seal(t, "two", "word")
	if _, _, err := open(ctx, c.as(t, "HospitalB", "jane", "doctor"), first.ID, client.OpenRequest{}); err != nil {
		t.Fatal(err)
	}
	auditor := c.as(t, "Regulator", "auditor", ledger.RoleAuditor)

	versions, err := collect(auditor.AuditRecords(ctx, ledger.RecordQuery{PageSize: 1}))
	if err != nil || len(versions) != 2 || versions[0].ID != first.ID || versions[1].ID != second.ID {
		t.Errorf("records %+v, %v", versions, err)
	}
	entries, err := collect(auditor.AuditAccesses(ctx, ledger.AccessQuery{Record: first.ID}))
	if err != nil || len(entries) != 1 || entries[0].Actor != "HospitalB/jane" {
		t.Errorf("accesses %+v, %v", entries, err)
	}
	events, err := auditor.AuditHistory(ctx, ledger.RecordQuery{Record: first.ID})
	if err != nil || len(events) != 2 || events[0].Event != "sealed" || events[1].Event != "accessed" {
		t.Fatalf("history %+v, %v", events, err)
	}
	for _, span := range []struct {
		since, until string
		want         []ledger.HistoryEvent
	}{
		{events[1].Time, "", events[1:]},
		{"", events[1].Time, events[:1]},
		{events[1].Time, events[1].Time, nil},
	} {
		got, err := auditor.AuditHistory(ctx, ledger.RecordQuery{Record: first.ID, Since: span.since, Until: span.until})
		if err != nil || !slices.Equal(got, span.want) {
			t.Errorf("history from %q to %q: %+v, %v", span.since, span.until, got, err)
		}
	}

	doctor := c.as(t, "HospitalA", "doctor", "doctor")
	if _, err := collect(doctor.AuditRecords(ctx, ledger.RecordQuery{})); !errors.Is(err, client.ErrDenied) {
		t.Errorf("a doctor audits: %v", err)
	}
}

// sparse answers audits with pages, every other one empty. Page number fails is an error.
type sparse struct {
	client.Ledger
	fails int
	asked int
}

func (s *sparse) AuditRecords(_ context.Context, q ledger.RecordQuery) (ledger.RecordPage, error) {
	s.asked++
	at, _ := strconv.Atoi(q.Bookmark)
	page := ledger.RecordPage{Bookmark: strconv.Itoa(at + 1)}
	switch {
	case at+1 == s.fails:
		return ledger.RecordPage{}, ledger.Errorf(ledger.ErrUnavailable, "no answer")
	case at%2 == 1:
		page.Versions = []ledger.RecordVersion{{ID: strconv.Itoa(at)}, {ID: strconv.Itoa(at)}}
	}
	if at == 5 {
		page.Bookmark = ""
	}
	return page, nil
}

// TestAuditPages: an empty page does not end the sequence. Pages are read on demand. An
// error ends the sequence.
func TestAuditPages(t *testing.T) {
	auditor := func(l *sparse) *client.Client {
		c := newConsortium(t)
		l.Ledger = c.world.As("Regulator", "auditor", ledger.RoleAuditor)
		return c.with(t, l)
	}
	whole := &sparse{}
	rows, err := collect(auditor(whole).AuditRecords(t.Context(), ledger.RecordQuery{}))
	if err != nil || len(rows) != 6 || whole.asked != 6 {
		t.Errorf("%d rows of %d pages, %v", len(rows), whole.asked, err)
	}
	part := &sparse{}
	for row, err := range auditor(part).AuditRecords(t.Context(), ledger.RecordQuery{}) {
		if err != nil || row.ID != "1" {
			t.Errorf("first row %+v, %v", row, err)
		}
		break
	}
	if part.asked != 2 {
		t.Errorf("%d pages were read for the first row, which is in the second", part.asked)
	}
	broken := &sparse{fails: 4}
	rows, err = collect(auditor(broken).AuditRecords(t.Context(), ledger.RecordQuery{}))
	if !errors.Is(err, client.ErrUnavailable) || len(rows) != 2 || broken.asked != 4 {
		t.Errorf("%d rows of %d pages, %v", len(rows), broken.asked, err)
	}
}
