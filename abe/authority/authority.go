// Package authority is the service by which a hospital hands out attribute keys: it
// checks who is asking, decides by a rule file which attributes they have, and makes the
// keys.
//
// The path of a request:
//
//	doctor ── mutual TLS, with the Fabric enrolment certificate ──► [Server]
//	           [Verifier]: chain against the channel's MSP roots, validity, CRLs, NodeOU  → [Holder]
//	           [Mapping]:  the holder's MSP and certificate attributes, by [Rules]        → names of attributes
//	           abe.MasterKey: one key for each published version of each name             → response
//	doctor ◄── keys, each checked against the public key that the ledger pins ── [RequestKeys]
//
// Nothing in the request says who is asking or for what: the body is empty. The global
// identifier is MSPID/enrolment-id, from the certificate, so it survives renewal, and the
// same person asking twice gets the same keys.
//
// # Whom an authority believes
//
// Who is a member, whose certificates are revoked and which versions are published it
// learns from Config's functions, which in Chartseal ask the hospital's own peer. So
// whoever controls that peer controls what this authority hands out: a root of their own
// in place of a member's makes them anybody, and a CRL withheld keeps the revoked in. Run
// the authority where the peer's administrators are trusted as the authority's own are. A
// peer of another hospital cannot do this; that hospital's CA can, for its own people and
// for what the rules give them. A version that nobody has published must not get past
// [Config.Versions], since keys for it would outlive the rotations to come: the public
// key that goes with it shows that the authority made it.
//
// # What an authority can do
//
// An authority makes every key for the attributes under its own MSP ID, for anyone. It
// can therefore open alone what a policy puts in its hands alone, and nothing else: a
// policy that needs attributes of two authorities needs both. It learns who asks for keys
// and when, and never what they open. It cannot take a key back: revoking a person means
// that no new keys are issued (CRL), that the attribute is rotated (a new version, which
// they never get), and that what they could open is sealed anew.
package authority

import "errors"

// Sentinels of this package. Test for them with errors.Is.
var (
	// ErrDenied: the authority has verified who is asking and says no, or could not
	// verify it. It comes as a [*DeniedError].
	ErrDenied = errors.New("denied")
	// ErrUnavailable: the authority, or something that it needs, could not be reached or
	// is too busy. Trying later may help.
	ErrUnavailable = errors.New("authority unavailable")
	// ErrUntrusted: the server is not the authority that it should be, or it answered
	// with keys that do not fit the pinned public keys. Nothing of its answer may be
	// used.
	ErrUntrusted = errors.New("authority not trusted")
	// ErrRules: a rule file that makes no sense.
	ErrRules = errors.New("invalid rules")
)

// Codes of refusal, in the response and in [DeniedError].
const (
	CodeNoCertificate = "no-certificate" // the client presented none
	CodeMalformed     = "malformed"      // a certificate that Fabric's CA would not have made
	CodeUnknownMember = "unknown-member" // no MSP of the channel issued it, or more than one could have
	CodeExpired       = "expired"        // after or before its time
	CodeRevoked       = "revoked"        // in its MSP's CRL
	CodeNotClient     = "not-client"     // a node's or an administrator's certificate
	CodeNothing       = "nothing"        // no rule grants this person anything
)

// A DeniedError is a refusal with its reason. It matches [ErrDenied].
type DeniedError struct {
	Code    string // one of the codes of this package
	Message string // lower case, no full stop; never a secret
}

func (e *DeniedError) Error() string { return "denied: " + e.Message }

// Unwrap makes errors.Is find [ErrDenied].
func (e *DeniedError) Unwrap() error { return ErrDenied }

func denied(code, message string) error { return &DeniedError{code, message} }
