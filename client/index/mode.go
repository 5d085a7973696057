package index

import "github.com/chartseal/chartseal/chaincode/ledger"

// A Mode says when the index entries of a sealed record are written. The zero value
// chooses none of them.
type Mode string

// The modes.
const (
	// ModeNow writes them while the record is registered, so that it can be found at
	// once. Every member can tell, for ever, which entries belong to the records of the
	// call, and by their number in buckets about how many keywords the records have.
	ModeNow Mode = "now"

	// ModeBatched lets them wait in the outbox for those of other records, and writes all
	// of them in random order in transactions of one size. Until then the record is not
	// found by its keywords.
	ModeBatched Mode = "batched"

	// ModeNone writes none: the record is found only by its id.
	ModeNone Mode = "none"
)

// ParseMode reads a mode from a setting. An empty text is the zero value.
//
// Errors:
//   - ErrInvalid if the text is not a mode.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "", ModeNow, ModeBatched, ModeNone:
		return m, nil
	}
	return "", ledger.Errorf(ledger.ErrInvalid, "%q is not now, batched or none", text)
}
