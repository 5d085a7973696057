package contract

import "github.com/chartseal/chartseal/chaincode/ledger"

// A refusal is a ledger.Error in the form in which it leaves the chaincode: contractapi
// keeps nothing of an error but its text, so the text is the encoded one.
type refusal struct{ reason *ledger.Error }

func (r refusal) Error() string { return ledger.Encode(r.reason) }
func (r refusal) Unwrap() error { return r.reason }

// refuse makes the error of a given kind. Text that a caller chose is quoted in it, and
// bounded ("%.64q").
func refuse(kind error, format string, args ...any) error {
	return refusal{ledger.Errorf(kind, format, args...)}
}

// broken is the error of a call to the peer that failed. Such an error says nothing about
// the caller or the arguments.
func broken(what string, err error) error {
	return refuse(ledger.ErrUnavailable, "%s: %v", what, err)
}
