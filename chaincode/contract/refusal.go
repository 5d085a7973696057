package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// A refusal is a ledger.Error whose text is the encoded one: contractapi keeps only the
// text of an error.
type refusal struct{ reason *ledger.Error }

func (r refusal) Error() string { return ledger.Encode(r.reason) }
func (r refusal) Unwrap() error { return r.reason }

// refuse makes an error of a kind. The format must quote and shorten text that a caller
// chose ("%.64q").
func refuse(kind error, format string, args ...any) error {
	return refusal{ledger.Errorf(kind, format, args...)}
}

// broken makes the error of a failed call to the peer.
func broken(what string, err error) error {
	return refuse(ledger.ErrUnavailable, "%s: %v", what, err)
}
