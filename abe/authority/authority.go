// Package authority is the service that hands out a hospital's attribute keys. It
// identifies the caller, looks up their attributes in a rule file, and makes the keys.
//
// The path of a request:
//
//	doctor ── mutual TLS, with the Fabric enrolment certificate ──► [Server]
//	           [Verifier]: chain against the channel's MSP roots, validity, CRLs, NodeOU  → [Holder]
//	           [Mapping]:  the holder's MSP and certificate attributes, by [Rules]        → names of attributes
//	           abe.MasterKey: one key for each published version of each name             → response
//	doctor ◄── keys, each checked against the public key that the ledger pins ── [RequestKeys]
//
// The request has an empty body: the certificate alone identifies the caller. The global
// identifier is MSPID/enrolment-id, taken from the certificate, so it survives renewal.
// The same person asking twice gets the same keys.
//
// # Trust in the hospital's peer
//
// The functions in [Config] tell an authority the members, the revoked certificates and
// the published versions. In Chartseal they ask the hospital's own peer, so whoever
// controls that peer controls which keys this authority hands out. With a false root for
// a member they can pose as anybody; by withholding a CRL they keep a revoked person in.
// Run the authority where the peer's administrators are trusted like the authority's own.
//
// A peer of another hospital cannot do this. Another hospital's CA can, for its own
// people and within the rules. [Config.Versions] must not accept a version that nobody
// has published, since keys for it would outlive later rotations. The public key
// published with a version proves that the authority made it.
//
// # Powers and limits of an authority
//
// An authority can make every key under its own MSP ID, for anyone. So it can open alone
// what a policy leaves to its attributes alone. A policy that needs attributes of two
// authorities needs both. An authority learns who asks for keys and when, and never which
// records they open.
//
// It cannot take a key back. Revoking a person takes three steps: no new keys are issued
// (CRL), the attribute is rotated to a version that the person never gets, and the
// records that they could open are sealed again.
package authority

import "errors"

// Sentinels of this package. Test for them with errors.Is.
var (
	// ErrDenied: the authority refuses the caller, or could not verify who it is. It
	// comes as a [*DeniedError].
	ErrDenied = errors.New("denied")
	// ErrUnavailable: the authority, or a service that it needs, cannot be reached or is
	// too busy. Trying later may help.
	ErrUnavailable = errors.New("authority unavailable")
	// ErrUntrusted: the server is not the expected authority, or its keys do not fit the
	// pinned public keys. Nothing of its answer may be used.
	ErrUntrusted = errors.New("authority not trusted")
	// ErrRules: a rule file is not valid.
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
