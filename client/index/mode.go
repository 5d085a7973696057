package index

import "github.com/chartseal/chartseal/chaincode/ledger"

// A Mode says when the index entries of a sealed record are written. The zero value
// chooses none of them.
type Mode string

// The modes.
const (
	ModeNow     Mode = "now"     // with the record
	ModeBatched Mode = "batched" // later, together with the entries of other records
	ModeNone    Mode = "none"    // never: the record is found only by its id
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
