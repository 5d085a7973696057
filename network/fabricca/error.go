package fabricca

import (
	"errors"
	"fmt"
)

// The kinds of failure, for errors.Is. The text of an error says what the CA said. A
// cancelled context is returned as its own error.
var (
	// ErrUnavailable: the CA does not answer, or fails inside.
	ErrUnavailable = errors.New("CA unavailable")
	// ErrUntrusted: the server's TLS certificate is not below the given roots.
	ErrUntrusted = errors.New("CA not trusted")
	// ErrDenied: the CA does not accept the caller, or the caller may not do this.
	ErrDenied = errors.New("denied by the CA")
	// ErrNotFound: the CA knows no such identity, or the server no such CA.
	ErrNotFound = errors.New("not found at the CA")
	// ErrExists: the identity is registered already.
	ErrExists = errors.New("exists at the CA")
	// ErrInvalid: the request, or a setting of the client, is malformed.
	ErrInvalid = errors.New("invalid request to the CA")
	// ErrMismatch: the CA answered with something that was not asked for.
	ErrMismatch = errors.New("wrong answer of the CA")
)

type caError struct {
	kind error
	text string
}

func (e *caError) Error() string { return e.text }
func (e *caError) Unwrap() error { return e.kind }

func failure(kind error, format string, args ...any) error {
	return &caError{kind, fmt.Sprintf(format, args...)}
}
