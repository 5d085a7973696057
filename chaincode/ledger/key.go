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

// The world state is laid out under simple keys, so that the reads of auditors can be
// ranges in order of time. Every part that a caller chooses is escaped, so that a '/'
// always separates. Values are JSON where nothing else is said, and do not repeat what
// their key says.
//
//	authority/<msp>                       Authority
//	attribute/<name>                      AttributeKey, the current version
//	attribute-version/<name>/<version>    AttributeKey, write once
//	scope/<name>                          Scope, the current epoch
//	scope-epoch/<name>/<epoch>            Scope, write once
//	scope-retired/<name>/<msp>            Retirement, the latest
//	record/<id>/<version>                 [VersionValue], write once
//	record-time/<time>/<transaction>      [VersionNames] of the versions that a transaction registered
//	access/<target>/<access id>           [AccessValue], write once
//	access-actor/<actor>/<access id>/<target>   [Mark]
//	access-time/<access id>/<target>      [Mark]
//	i/<name of hospital and label>        value of an index entry, write once, see [IndexKey]
//
// and in the private data collection
//
//	envelope/<record id>/<version>        [Envelopes.Value], the wrapped record key, or all of it but its beginning
//	beginning/<hash>                      what envelopes that were sealed together begin with, see [BeginningKey]
//	scope-key/<name>/<epoch>              the wrapped scope key
//
// What a submitted transaction reads is written once (or, for attributes and scopes,
// belongs to the one thing that the transaction changes), and no submitted transaction
// reads a range. So two clients never conflict unless they change the same thing.

// Mark is the value of a key that says all it has to say by existing. Fabric takes an
// empty value for a deletion.
var Mark = []byte{0}

// IndexKey is the key of an index entry. It names hospital and label by 16 bytes of a
// SHA-256, so that it is no longer than a label, of which there are many, in write sets
// and in read sets. An entry is under its own hospital's name as surely as if that were
// spelt out: to take the key of another's label is to find a second preimage, a matter of
// 2^128 trials.
func IndexKey(msp string, label []byte) string {
	name := sha256.Sum256(slices.Concat([]byte(msp), []byte{0}, label)) // no MSP ID has a zero byte
	return "i/" + base64.RawURLEncoding.EncodeToString(name[:16])
}

func AuthorityKey(msp string) string        { return "authority/" + esc(msp) }
func AttributeCurrentKey(n string) string   { return "attribute/" + esc(n) }
func ScopeStateKey(name string) string      { return "scope/" + esc(name) }
func RecordKey(id string, v int) string     { return fmt.Sprintf("record/%s/%06d", id, v) }
func EnvelopeKey(id string, v int) string   { return fmt.Sprintf("envelope/%s/%06d", id, v) }
func ScopeKeyKey(name string, e int) string { return fmt.Sprintf("scope-key/%s/%06d", esc(name), e) }

func ScopeEpochKey(name string, e int) string {
	return fmt.Sprintf("scope-epoch/%s/%06d", esc(name), e)
}

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

// SearchableKey has the [Searchable.Generation]. Everything that changes what can be
// searched writes it and nothing that is submitted reads it, so such writers do not
// conflict over it.
const SearchableKey = "searchable"

// Prefixes of the ranges that are read, each ending in '/'. See [PrefixEnd].
const (
	AuthorityPrefix        = "authority/"
	AttributeCurrentPrefix = "attribute/"
	ScopeStatePrefix       = "scope/"
	ScopeRetirementPrefix  = "scope-retired/" // of all scopes
	RecordTimePrefix       = "record-time/"
	AccessTimePrefix       = "access-time/"
)

func ScopeRetiredPrefix(name string) string { return ScopeRetirementPrefix + esc(name) + "/" }
func RecordPrefix(id string) string         { return "record/" + id + "/" }
func AccessPrefix(target string) string     { return "access/" + esc(target) + "/" }
func AccessActorPrefix(actor string) string { return "access-actor/" + esc(actor) + "/" }

// PrefixEnd is the first key after all keys that start with prefix, which must end in
// '/': the exclusive end of a range.
func PrefixEnd(prefix string) string { return strings.TrimSuffix(prefix, "/") + "0" }

func esc(part string) string { return url.PathEscape(part) }

// Parts splits a key of this layout into its unescaped parts, the first being its kind.
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

// ParseRecordKey reads a key that [RecordKey] made.
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

// ParseAnyAccessKey reads a key that [AccessKey], [AccessActorKey] or [AccessTimeKey]
// made.
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

// Actor names a person or service on the ledger, and is the GID of attribute keys:
// "MSPID/enrolment-id".
func Actor(msp, enrolmentID string) string { return msp + "/" + enrolmentID }

// Organisation is the MSP of an actor. No MSP ID has a '/'.
func Organisation(actor string) string {
	msp, _, _ := strings.Cut(actor, "/")
	return msp
}

// ScopeTarget is the access target of a scope's key.
func ScopeTarget(name string) string { return "scope:" + name }

// timeLayout has a fixed width, so that text order is time order.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatTime gives the form of every time on the ledger: UTC, nanoseconds, fixed width.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// ParseTime reads the form of [FormatTime].
func ParseTime(s string) (time.Time, error) { return time.Parse(timeLayout, s) }

// AccessID joins the time and the transaction that made an access entry.
func AccessID(t, tx string) string { return t + "-" + tx }
