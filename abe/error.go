package abe

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

// Sentinels of this package. Test for them with errors.Is, also on the errors of
// age.Decrypt.
var (
	// ErrNotSatisfied: the keys at hand do not satisfy the policy. It comes as a
	// [*NotSatisfiedError], which also matches age.ErrIncorrectIdentity.
	ErrNotSatisfied = errors.New("policy not satisfied")
	// ErrMalformed: the bytes are not an encoding of this package, or hold points outside
	// the groups.
	ErrMalformed = errors.New("malformed")
	// ErrTampered: a well-formed stanza does not open with keys that satisfy its policy.
	ErrTampered = errors.New("tampered")
	// ErrKeyMismatch: a key does not belong to the public key, the GID, or the other keys
	// beside it.
	ErrKeyMismatch = errors.New("key mismatch")
	// ErrNoKey: an attribute of a policy has no public key.
	ErrNoKey = errors.New("no public key")
	// ErrUnknownSuite: a stanza or a key of a suite that this version does not know. It
	// comes as an [*UnknownSuiteError].
	ErrUnknownSuite = errors.New("unknown suite")
)

// A NotSatisfiedError names the policy and the attributes that were missing.
type NotSatisfiedError struct {
	Policy  string     // canonical form
	GID     string     // whose keys were tried; empty when there were none
	Missing [][]string // smallest sets of further attributes that would satisfy it, the smallest first; a few at most
	Stale   []string   // attributes held only in other versions than the object was sealed to
}

func (e *NotSatisfiedError) Error() string {
	var b strings.Builder
	b.WriteString(ErrNotSatisfied.Error())
	for i, set := range e.Missing {
		if i == 0 {
			b.WriteString(": needs ")
		} else {
			b.WriteString("; or ")
		}
		b.WriteString(strings.Join(set, " and "))
	}
	if len(e.Stale) > 0 {
		fmt.Fprintf(&b, " (held in another version: %s)", strings.Join(e.Stale, ", "))
	}
	return b.String()
}

// Unwrap makes errors.Is find both this package's sentinel and age's.
func (e *NotSatisfiedError) Unwrap() []error {
	return []error{ErrNotSatisfied, age.ErrIncorrectIdentity}
}

// An UnknownSuiteError names the suite of a stanza or a key that this version cannot
// read. For stanzas it also matches age.ErrIncorrectIdentity, because another identity
// may open the file.
type UnknownSuiteError struct {
	Suite string // for example bls12-381; as somebody else wrote it, so quote it
}

func (e *UnknownSuiteError) Error() string {
	return fmt.Sprintf("%v %.40q: a later version of this program may know it", ErrUnknownSuite, e.Suite)
}

// Unwrap makes errors.Is find both this package's sentinel and age's.
func (e *UnknownSuiteError) Unwrap() []error {
	return []error{ErrUnknownSuite, age.ErrIncorrectIdentity}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
