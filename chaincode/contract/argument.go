package contract

import (
	"encoding/hex"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// count checks that a list has from one to most members.
func count(what string, n, most int) error {
	if n < 1 || n > most {
		return refuse(ledger.ErrInvalid, "%d %s: needs 1 to %d", n, what, most)
	}
	return nil
}

// isHex tells whether s has size bytes in lower-case hexadecimal.
func isHex(s string, size int) bool {
	if len(s) != 2*size || s != strings.ToLower(s) {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

func checkRecordID(id string) error {
	if _, err := ledger.ParseRecordID(id); err != nil {
		return refuse(ledger.ErrInvalid, "%v", err)
	}
	return nil
}

func checkVersion(what string, v int) error {
	if v < 1 || v > ledger.MaxVersions {
		return refuse(ledger.ErrInvalid, "%s %d: needs 1 to %d", what, v, ledger.MaxVersions)
	}
	return nil
}

// isWord tells whether s may be an MSP ID or the name of an attribute.
func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && strings.IndexByte("._-", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= ledger.MaxName
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isPerson tells whether s may be an enrolment id. Every printable character is allowed,
// since state keys escape it.
func isPerson(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return s != "" && len(s) <= ledger.MaxName && utf8.ValidString(s)
}

// checkAttribute checks an attribute, MSPID:name or MSPID:name=value, by the grammar of
// package abe/policy. Names have letters, digits and '._-'. A value is printable ASCII
// without a space at its ends.
func checkAttribute(s string) error {
	bad := func(why string) error { return refuse(ledger.ErrInvalid, "attribute %.140q: %s", s, why) }
	if len(s) > ledger.MaxName {
		return bad("too long")
	}
	authority, rest, _ := strings.Cut(s, ":")
	name, value, valued := strings.Cut(rest, "=")
	switch {
	case !isWord(authority) || !isWord(name):
		return bad("needs the form MSPID:name or MSPID:name=value")
	case valued && (value == "" || strings.TrimSpace(value) != value):
		return bad("the value is empty or has a space at an end")
	}
	for i := 0; i < len(value); i++ {
		if value[i] < ' ' || value[i] > '~' {
			return bad("the value may have printable ASCII only")
		}
	}
	return nil
}

func checkScopeName(s string) error {
	ok := s != "" && len(s) <= ledger.MaxScopeName
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-_.", c) >= 0
	}
	if !ok {
		return refuse(ledger.ErrInvalid, "scope %.80q: needs 1 to %d lower-case letters, digits, '-', '_' or '.'", s, ledger.MaxScopeName)
	}
	return nil
}

// scopePrefix is the beginning of a scope's access target.
var scopePrefix = ledger.ScopeTarget("")

// checkTarget checks an access target and gives a key that exists if the target does. The
// key is written once, so that a request conflicts with no new version or epoch.
func checkTarget(target string) (key string, err error) {
	if name, isScope := strings.CutPrefix(target, scopePrefix); isScope {
		return ledger.ScopeEpochKey(name, 1), checkScopeName(name)
	}
	return ledger.RecordKey(target, 1), checkRecordID(target)
}

// checkAccessID checks the id of an access entry before it becomes part of a key.
func checkAccessID(id string) error {
	size := len(id) - 65
	if size < 0 || id[size] != '-' || !isHex(id[size+1:], 32) || !isTime(id[:size]) {
		return refuse(ledger.ErrInvalid, "access id %.120q: needs a time and a transaction id", id)
	}
	return nil
}

// isTime tells whether s is a time of [ledger.FormatTime].
func isTime(s string) bool {
	t, err := ledger.ParseTime(s)
	return err == nil && ledger.FormatTime(t) == s
}

// checkURL checks the address of an authority's key service, to which clients connect.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case len(s) > ledger.MaxURL, err != nil, u.Scheme != "https", u.Hostname() == "", u.User != nil, u.Fragment != "", u.RawQuery != "":
		return refuse(ledger.ErrInvalid, "address %.80q: needs https://host:port/path of at most %d bytes", s, ledger.MaxURL)
	}
	return nil
}

// checkRecipient checks an age recipient (X25519, hybrid or of a plugin). None is
// allowed.
func checkRecipient(s string) error {
	ok := s == "" || strings.HasPrefix(s, "age1") && len(s) <= ledger.MaxRecipient
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("+-._", c) >= 0
	}
	if !ok {
		return refuse(ledger.ErrInvalid, "custodian %.80q: needs an age recipient (age1...)", s)
	}
	return nil
}
