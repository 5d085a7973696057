package client

import (
	"context"
	"iter"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// An AuditLedger is the part of the ledger that auditors read, a page at a time.
type AuditLedger interface {
	AuditRecords(ctx context.Context, q ledger.RecordQuery) (ledger.RecordPage, error)
	AuditAccesses(ctx context.Context, q ledger.AccessQuery) (ledger.AccessPage, error)
	AuditHistory(ctx context.Context, id string) ([]ledger.HistoryEvent, error)
	AuditErasures(ctx context.Context, q ledger.ErasureQuery) (ledger.ErasurePage, error)
}

// AuditRecords yields the versions of records that a query selects, oldest first. It
// reads pages as they are needed. An error ends the sequence. It is for the roles
// auditor, custodian and admin.
//
// Errors:
//   - ErrDenied if the caller has none of these roles.
//   - ErrInvalid if the query is malformed.
func (c *Client) AuditRecords(ctx context.Context, q ledger.RecordQuery) iter.Seq2[ledger.RecordVersion, error] {
	return pages(q.Bookmark, func(bookmark string) ([]ledger.RecordVersion, string, error) {
		q := q
		q.Bookmark, q.PageSize = bookmark, pageSize(q.PageSize)
		page, err := c.ledger.AuditRecords(ctx, q)
		return page.Versions, page.Bookmark, err
	})
}

// AuditAccesses yields the entries of the access log that a query selects, as
// [Client.AuditRecords] does with records, and with the same errors.
func (c *Client) AuditAccesses(ctx context.Context, q ledger.AccessQuery) iter.Seq2[ledger.AccessEntry, error] {
	return pages(q.Bookmark, func(bookmark string) ([]ledger.AccessEntry, string, error) {
		q := q
		q.Bookmark, q.PageSize = bookmark, pageSize(q.PageSize)
		page, err := c.ledger.AuditAccesses(ctx, q)
		return page.Entries, page.Bookmark, err
	})
}

// AuditErasures yields the tombstones of a span of time, as [Client.AuditRecords] does
// with records, and with the same errors.
func (c *Client) AuditErasures(ctx context.Context, q ledger.ErasureQuery) iter.Seq2[ledger.Erasure, error] {
	return pages(q.Bookmark, func(bookmark string) ([]ledger.Erasure, string, error) {
		q := q
		q.Bookmark, q.PageSize = bookmark, pageSize(q.PageSize)
		page, err := c.ledger.AuditErasures(ctx, q)
		return page.Erasures, page.Bookmark, err
	})
}

// AuditHistory returns what happened to one record, oldest first: seals, amendments,
// changes of who opens it, accesses, and its erasure. Of the query it uses Record, which
// is required, Since and Until.
//
// Errors:
//   - ErrDenied if the caller is not an auditor, custodian or admin.
//   - ErrNotFound if the record is not on the ledger.
func (c *Client) AuditHistory(ctx context.Context, q ledger.RecordQuery) ([]ledger.HistoryEvent, error) {
	all, err := c.ledger.AuditHistory(ctx, q.Record)
	if err != nil {
		return nil, err
	}
	var events []ledger.HistoryEvent
	for _, e := range all {
		if e.Time >= q.Since && (q.Until == "" || e.Time < q.Until) {
			events = append(events, e)
		}
	}
	return events, nil
}

func pageSize(asked int) int {
	if asked == 0 {
		return ledger.MaxPageSize
	}
	return asked
}

// pages yields the rows of pages, from a bookmark on. A page may be short, or even empty,
// and still not be the last: that has no bookmark.
func pages[T any](bookmark string, page func(bookmark string) (rows []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := bookmark; ; {
			rows, next, err := page(at)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if next == "" || next == at {
				return
			}
			at = next
		}
	}
}
