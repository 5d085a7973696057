package ledger

import (
	"errors"
	"fmt"
	"strings"
)

// Kinds of errors that cross the wire. Test for them with errors.Is on both sides.
var (
	ErrInvalid     = errors.New("invalid argument")
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("already exists")
	ErrDenied      = errors.New("denied")
	ErrRevoked     = errors.New("revoked")
	ErrTampered    = errors.New("tampered")
	ErrUnavailable = errors.New("unavailable")
	ErrErased      = errors.New("erased")
)

// Kinds that say more of [ErrUnavailable]. A client adds them to what Fabric answers, so
// they have no code on the wire.
var (
	// ErrUnknownOutcome says that a transaction was handed to the orderers and nobody
	// could say in time whether it was committed. The message names the transaction. It
	// may still come into force.
	ErrUnknownOutcome = errors.New("outcome unknown")

	// ErrConflict says that a transaction was refused at commit because another one had
	// written the same key, or the peers were at different heights. Nothing was written,
	// and the call may be repeated.
	ErrConflict = errors.New("conflicting transaction")
)

// codes has the code of each kind on the wire. Codes never change; texts may.
var codes = []struct {
	code string
	err  error
}{
	{"invalid", ErrInvalid},
	{"not-found", ErrNotFound},
	{"exists", ErrExists},
	{"denied", ErrDenied},
	{"revoked", ErrRevoked},
	{"tampered", ErrTampered},
	{"unavailable", ErrUnavailable},
	{"erased", ErrErased},
}

const (
	codePrefix = "[chartseal/"
	codeSuffix = "] "
)

// An Error is a refusal by the chaincode: its kind and a sentence about this case.
type Error struct {
	Kind    error  // one of the kinds above
	Message string // lower case, no full stop, names the object
}

// Errorf makes an Error of the given kind.
func Errorf(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Message }

// Unwrap makes errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

// WithKind makes err also an error of the given kind, for errors.Is. It keeps the text
// of err and everything that err wraps. A nil err stays nil.
func WithKind(err, kind error) error {
	if err == nil {
		return nil
	}
	return &kindError{err, kind}
}

type kindError struct{ err, kind error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.err, e.kind} }

// Encode gives the text of err in a chaincode response: "[chartseal/CODE] message". The
// text of an error that is not an [Error] gets no code.
func Encode(err error) string {
	var e *Error
	if errors.As(err, &e) {
		for _, c := range codes {
			if e.Kind == c.err {
				return codePrefix + c.code + codeSuffix + e.Message
			}
		}
	}
	return err.Error()
}

// Decode finds the Error of [Encode] in a text, behind words that Fabric may have put
// before it. It returns nil if there is none, or if its code is unknown.
func Decode(text string) *Error {
	_, rest, found := strings.Cut(text, codePrefix)
	if !found {
		return nil
	}
	code, message, found := strings.Cut(rest, codeSuffix)
	if !found {
		return nil
	}
	for _, c := range codes {
		if code == c.code {
			return &Error{Kind: c.err, Message: message}
		}
	}
	return nil
}
