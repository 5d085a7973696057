package ledger

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The layout of the world state. Keys are simple ones, so that audits can read ranges in
// order of time. A '/' always separates: every part that a caller chooses is escaped.
// Values do not repeat their keys. They are JSON unless a function is named.
//
//	authority/<msp>                       Authority
//	attribute/<name>                      AttributeKey, the current version
//	attribute-version/<name>/<version>    AttributeKey; only its signature is replaced
//	scope/<name>                          Scope, the current epoch
//	scope-epoch/<name>/<epoch>            Scope, write once
//	scope-retired/<name>/<msp>            Retirement, the latest
//	certificate/<id>                      DER of an enrolment certificate, always the same
//	keeping/<home>/<keeper>               Keeping, the last
//	copies                                [CopyRules]
//	keeper/<msp>                          Keeper, its last word
//	pins/<transaction>/<keeper>           payloads of the transaction that a keeper has pinned, see [PackMarks]
//	record/<id>/<version>                 [VersionValue], write once
//	record-time/<time>/<transaction>      [VersionNames] that the transaction registered
//	seal/<id>/<version>/<seal>            [SealValue] of a seal after the first, write once
//	seals/<id>                            [SealNumbers] of the record, absent if none was sealed again
//	receipt/<id>/<keeper>                 [ReceiptValue] of an erased record, the last
//	erasing/<id>                          Erasure that a second person has to confirm
//	erased/<id>                           Erasure, write once
//	erased-time/<time>/<transaction>      ids that the transaction erased, see [PackRecordIDs]
//	ended/<time>/<transaction>            payloads that are in a version no more, see [PackEnds]
//	access/<target>/<access id>           [AccessValue], write once
//	access-actor/<actor>/<access id>/<target>   [Mark]
//	access-time/<access id>/<target>      [Mark]
//	i/<hash of hospital and label>        value of an index entry, write once, see [IndexKey]
//	searchable                            transaction id, see [SearchableKey]
//
// The private data collection [HospitalKeys] has
//
//	envelope/<record id>/<version>        the wrapped record key, see [Envelopes.Value]
//	envelope/<record id>/<version>/<seal> that of a seal after the first
//	beginning/<hash>                      a shared beginning of envelopes, see [BeginningKey]
//	scope-key/<name>/<epoch>              the wrapped scope key
//
// A submitted transaction reads keys that are written once, and the keys of the one
// attribute or scope that it changes. The first publication of attributes also counts
// those of its authority. So two clients conflict only if they change the same attribute,
// scope or record, choose the same label, or publish new attributes of one authority.

// Mark is the value of a key without content. Fabric takes an empty value for a deletion.
var Mark = []byte{0}

// IndexKey is the key of an index entry: 16 bytes of a SHA-256 of hospital and label. The
// hash keeps keys short, since a write set has many. No hospital can write under the key
// of another's label: that takes a second preimage, about 2^128 trials.
func IndexKey(msp string, label []byte) string {
	name := sha256.Sum256(slices.Concat([]byte(msp), []byte{0}, label)) // no MSP ID has a zero byte
	return "i/" + base64.RawURLEncoding.EncodeToString(name[:16])
}

func AuthorityKey(msp string) string        { return "authority/" + esc(msp) }
func AttributeCurrentKey(n string) string   { return "attribute/" + esc(n) }
func ScopeStateKey(name string) string      { return "scope/" + esc(name) }
func KeepingKey(home, keeper string) string { return KeepingPrefix + esc(home) + "/" + esc(keeper) }
func RecordKey(id string, v int) string     { return fmt.Sprintf("record/%s/%06d", id, v) }
func EnvelopeKey(id string, v int) string   { return fmt.Sprintf("envelope/%s/%06d", id, v) }
func ScopeKeyKey(name string, e int) string { return fmt.Sprintf("scope-key/%s/%06d", esc(name), e) }
func SealsKey(id string) string             { return "seals/" + id }
func ErasingKey(id string) string           { return "erasing/" + id }
func ErasedKey(id string) string            { return "erased/" + id }

// SealKey is the key of a seal of a version, from 1 on.
func SealKey(id string, v, seal int) string { return fmt.Sprintf("seal/%s/%06d/%06d", id, v, seal) }

// SealedKey is the key of the wrapped record key of a seal: that of [EnvelopeKey] for the
// first one, 0. Each seal has a key of its own, since Fabric cannot purge the former
// value of a key that a transaction writes again.
func SealedKey(id string, v, seal int) string {
	if seal == 0 {
		return EnvelopeKey(id, v)
	}
	return fmt.Sprintf("%s/%06d", EnvelopeKey(id, v), seal)
}

func ErasedTimeKey(t, tx string) string { return ErasedTimePrefix + t + "/" + tx }
func EndedKey(t, tx string) string      { return "ended/" + t + "/" + tx }

func ScopeEpochKey(name string, e int) string {
	return fmt.Sprintf("scope-epoch/%s/%06d", esc(name), e)
}

func CertificateKey(id CertificateID) string { return "certificate/" + id.String() }

func ScopeRetiredKey(name, msp string) string { return ScopeRetiredPrefix(name) + esc(msp) }

func AttributeVersionKey(name string, v int) string {
	return fmt.Sprintf("attribute-version/%s/%06d", esc(name), v)
}

func RecordTimeKey(t, tx string) string { return RecordTimePrefix + t + "/" + tx }

func AccessKey(target, accessID string) string { return "access/" + esc(target) + "/" + accessID }

func AccessActorKey(actor, accessID, target string) string {
	return "access-actor/" + esc(actor) + "/" + accessID + "/" + esc(target)
}

func AccessTimeKey(accessID, target string) string {
	return "access-time/" + accessID + "/" + esc(target)
}

// SearchableKey has the [Searchable] generation. Every transaction that changes what is
// searchable writes it, and no submitted transaction reads it, so writers do not
// conflict.
const SearchableKey = "searchable"

// Prefixes of the ranges that are read. Each ends in '/', see [PrefixEnd].
const (
	AuthorityPrefix        = "authority/"
	AttributeCurrentPrefix = "attribute/"
	KeepingPrefix          = "keeping/"
	ScopeStatePrefix       = "scope/"
	ScopeRetirementPrefix  = "scope-retired/" // of all scopes
	RecordTimePrefix       = "record-time/"
	ErasedTimePrefix       = "erased-time/"
	AccessTimePrefix       = "access-time/"
)

// AttributeRange gives the range of the current keys of an authority's attributes, from
// start, inclusive, to end, exclusive. MSP IDs and ':' are not escaped in keys.
func AttributeRange(msp string) (start, end string) {
	return AttributeCurrentPrefix + msp + ":", AttributeCurrentPrefix + msp + ";"
}

func ScopeRetiredPrefix(name string) string { return ScopeRetirementPrefix + esc(name) + "/" }
func RecordPrefix(id string) string         { return "record/" + id + "/" }
func AccessPrefix(target string) string     { return "access/" + esc(target) + "/" }
func AccessActorPrefix(actor string) string { return "access-actor/" + esc(actor) + "/" }

// PrefixEnd gives the exclusive end of the range of a prefix, which must end in '/': the
// first key after all keys that start with it.
func PrefixEnd(prefix string) string { return strings.TrimSuffix(prefix, "/") + "0" }

func esc(part string) string { return url.PathEscape(part) }

// Parts splits a key into its unescaped parts. The first part is the kind.
// A wrong escape is an error.
func Parts(key string) ([]string, error) {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		u, err := url.PathUnescape(p)
		if err != nil {
			return nil, fmt.Errorf("split key %q: %w", key, err)
		}
		parts[i] = u
	}
	return parts, nil
}

// ParseRecordKey reads a key of [RecordKey]. Any other key is an error.
func ParseRecordKey(key string) (id string, version int, err error) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 || parts[0] != "record" {
		return "", 0, fmt.Errorf("key %q is not of a record", key)
	}
	if version, err = strconv.Atoi(parts[2]); err != nil {
		return "", 0, fmt.Errorf("key %q: %w", key, err)
	}
	return parts[1], version, nil
}

// ParseSealKey reads a key of [SealKey]. Any other key is an error.
func ParseSealKey(key string) (id string, version, seal int, err error) {
	parts := strings.Split(key, "/")
	if len(parts) != 4 || parts[0] != "seal" {
		return "", 0, 0, fmt.Errorf("key %q is not of a seal", key)
	}
	version, err = strconv.Atoi(parts[2])
	if err == nil {
		seal, err = strconv.Atoi(parts[3])
	}
	if err != nil {
		return "", 0, 0, fmt.Errorf("key %q: %w", key, err)
	}
	return parts[1], version, seal, nil
}

// ParseAnyAccessKey reads a key of [AccessKey], [AccessActorKey] or [AccessTimeKey]. Any
// other key is an error.
func ParseAnyAccessKey(key string) (target, accessID string, err error) {
	parts, err := Parts(key)
	if err != nil {
		return "", "", err
	}
	switch {
	case len(parts) == 3 && parts[0] == "access":
		return parts[1], parts[2], nil
	case len(parts) == 4 && parts[0] == "access-actor":
		return parts[3], parts[2], nil
	case len(parts) == 3 && parts[0]+"/" == AccessTimePrefix:
		return parts[2], parts[1], nil
	}
	return "", "", fmt.Errorf("key %q is not of an access entry", key)
}

// Actor names a person or service on the ledger: "MSPID/enrolment-id". It is also the GID
// of attribute keys.
func Actor(msp, enrolmentID string) string { return msp + "/" + enrolmentID }

// Organisation gives the MSP of an actor. No MSP ID has a '/'.
func Organisation(actor string) string {
	msp, _, _ := strings.Cut(actor, "/")
	return msp
}

// ScopeTarget gives the access target of a scope's key.
func ScopeTarget(name string) string { return "scope:" + name }

// timeLayout has a fixed width, so that the order of texts is the order of times.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatTime gives the one form of times on the ledger: UTC, nanoseconds, fixed width.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// ParseTime reads a time of [FormatTime]. Any other text is an error.
func ParseTime(s string) (time.Time, error) { return time.Parse(timeLayout, s) }

// AccessID joins the time and the transaction id of an access entry, so that ids sort by
// time.
func AccessID(t, tx string) string { return t + "-" + tx }
