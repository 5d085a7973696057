package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/internal/words"
	"github.com/chartseal/chartseal/client/session"
)

// A copyRow is the JSON output for one record.
type copyRow struct {
	Record  string   `json:"record"`
	Version int      `json:"version"` // current
	CID     string   `json:"cid"`
	Keepers []string `json:"keepers"` // hospitals that say to keep it
}

// recordCopies prints which hospitals say that they keep records.
func (a *app) recordCopies(ctx context.Context, s *session.Session, ids []string) error {
	for i := range ids {
		id, err := recordID(ids[i])
		if err != nil {
			return err
		}
		ids[i] = id
	}
	rows, err := copiesOf(ctx, s, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(rows, func(r copyRow) bool { return r.Record == id }) {
			return ledger.Errorf(client.ErrNotFound, "no record %s", id)
		}
	}
	if a.global.json {
		return a.printJSON(rows)
	}
	t := newTable("RECORD", "VERSION", "COPIES", "KEEPERS")
	for _, r := range rows {
		t.row(r.Record, strconv.Itoa(r.Version), strconv.Itoa(len(r.Keepers)), keepersText(r.Keepers))
	}
	return a.printTable(t)
}

func keepersText(keepers []string) string {
	if len(keepers) == 0 {
		return "-"
	}
	return strings.Join(keepers, ", ")
}

// copiesOf reads the receipts for the current versions of records. Erased records have no
// copies.
func copiesOf(ctx context.Context, s *session.Session, ids []string) ([]copyRow, error) {
	records, err := s.Ledger.Records(ctx, ids)
	if err != nil {
		return nil, err
	}
	txs := make([]string, 0, len(records))
	for _, r := range records {
		txs = append(txs, payloadTxs(r)...)
	}
	slices.Sort(txs)
	receipts, err := s.Ledger.Pins(ctx, slices.Compact(txs))
	if err != nil {
		return nil, err
	}
	rows := make([]copyRow, 0, len(records))
	for _, r := range records {
		row := copyRow{Record: r.ID, Version: r.Current().Version, CID: r.Current().CID, Keepers: []string{}}
		for _, p := range receipts {
			marks, err := p.Marks()
			if err != nil {
				return nil, err
			}
			if r.Erasure == nil && slices.Contains(payloadTxs(r), p.Tx) && slices.Contains(marks, ledger.MarkOf(row.CID)) {
				row.Keepers = append(row.Keepers, p.Keeper)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// payloadTxs gives the transactions that may have registered a record's current payload:
// that of the version, and that of its newest seal.
func payloadTxs(r ledger.Record) []string {
	v := r.Current()
	if v.SealTx == "" {
		return []string{v.Tx}
	}
	return []string{v.Tx, v.SealTx}
}

// awaitCopies waits until as many hospitals say that they keep sealed records, and tells
// which do.
//
// Errors:
//   - ErrUnavailable if they do not within the time. The records are sealed all the same.
func (a *app) awaitCopies(ctx context.Context, s *session.Session, sealed []client.Sealed, copies int, within time.Duration) error {
	ids := make([]string, len(sealed))
	for i, one := range sealed {
		ids[i] = one.ID
	}
	for deadline := time.Now().Add(within); ; {
		rows, err := copiesOf(ctx, s, ids)
		switch {
		case errors.Is(err, ledger.ErrInvalid):
			return words.WithHint(ledger.Errorf(client.ErrUnavailable, "the records are sealed, but the ledger does not know yet who keeps them: %v", err),
				"upgrade the chaincode, or seal without --copies")
		case err != nil:
			return fmt.Errorf("the records are sealed, but nobody can tell who keeps them: %w", err)
		}
		few := slices.IndexFunc(rows, func(r copyRow) bool { return len(r.Keepers) < copies })
		if few < 0 {
			for _, r := range rows {
				a.note("%s is kept by %s", r.Record, keepersText(r.Keepers))
			}
			return nil
		}
		if !time.Now().Before(deadline) {
			return words.WithHint(ledger.Errorf(client.ErrUnavailable, "record %s is sealed, but after %v only %d of %d hospitals say that they keep it: %s",
				rows[few].Record, within, len(rows[few].Keepers), copies, keepersText(rows[few].Keepers)),
				"ask again with 'chartseal keeper status %s'; do not seal it again", rows[few].Record)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(500*time.Millisecond, time.Until(deadline)+time.Millisecond)):
		}
	}
}
