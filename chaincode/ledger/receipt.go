package ledger

import (
	"encoding/json"
	"fmt"
)

// A Receipt is what a hospital's keeper says of an erased record on its own machines. The
// last one replaces those before.
type Receipt struct {
	Record   string `json:"record"`
	Keeper   string `json:"keeper"`   // MSP of the hospital
	Keys     string `json:"keys"`     // ReceiptGone: its peer has none of the record's wrapped keys, nor their hashes
	Payloads string `json:"payloads"` // of its node: ReceiptGone, ReceiptUnpinned or ReceiptPinned

	Actor     string `json:"actor"`
	Time      string `json:"time"`
	Signature string `json:"signature"` // of the actor, see [Signature]
}

// States of a [Receipt].
const (
	ReceiptGone     = "gone"     // nothing is stored
	ReceiptUnpinned = "unpinned" // blocks are left until the node collects them
	ReceiptPinned   = "pinned"   // it was not unpinned yet, or another record has the same payload
)

// A NewReceipt is what a keeper puts on the ledger.
type NewReceipt struct {
	Record    string `json:"record"`
	Keys      string `json:"keys"`
	Payloads  string `json:"payloads"`
	Signature string `json:"signature"`
}

// ReceiptKey is the key of a hospital's receipt for a record.
func ReceiptKey(record, keeper string) string { return "receipt/" + record + "/" + esc(keeper) }

// ReceiptValue gives the value of a [ReceiptKey].
func ReceiptValue(r Receipt) []byte { return mustMarshal(r) }

// ReadReceipt reads a receipt from its [ReceiptKey] and [ReceiptValue]. Any other key or
// value is an error.
func ReadReceipt(key string, value []byte) (r Receipt, err error) {
	if err = json.Unmarshal(value, &r); err == nil && key != ReceiptKey(r.Record, r.Keeper) {
		err = fmt.Errorf("it is of record %.64q and keeper %.64q", r.Record, r.Keeper)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("read %q: %w", key, err)
	}
	return r, nil
}
