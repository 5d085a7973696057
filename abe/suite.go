package abe

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/chartseal/chartseal/abe/internal/bn256"
	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// suites are the pairing groups that this package computes in. A new suite gets a line
// here. None is ever removed, so that old stanzas and keys stay readable. Authorities
// make keys in the first.
var suites = []pairing.Suite{bn256.Suite{}}

// Names of the scheme, Lewko-Waters 2011, in stanza types and in the magic of keys. The
// name of the suite follows.
const (
	stanzaScheme = "chartseal-lw11-"
	magicScheme  = "chartseal/lw11-"
)

// IsStanza reports whether stanzas of this type come from this package. Their suite may
// be one that this version does not know.
func IsStanza(stanzaType string) bool { return strings.HasPrefix(stanzaType, stanzaScheme) }

func stanzaType(s pairing.Suite) string { return stanzaScheme + nameOf(s) }

func nameOf(s pairing.Suite) string { return s.Parameters().Name }

// suiteOf finds the suite of a stanza type. Its error matches [ErrMalformed] for the
// types of other packages, and is an [*UnknownSuiteError] for suites that it does not
// know.
func suiteOf(stanzaType string) (pairing.Suite, error) {
	if !IsStanza(stanzaType) {
		return nil, malformed("stanza type %.40q", stanzaType)
	}
	return suiteNamed(strings.TrimPrefix(stanzaType, stanzaScheme))
}

func suiteNamed(name string) (pairing.Suite, error) {
	for _, s := range suites {
		if nameOf(s) == name {
			return s, nil
		}
	}
	return nil, &UnknownSuiteError{name}
}

// Kinds of encodings.
const (
	kindPublicKey = "public key"
	kindUserKey   = "user key"
)

// magic begins every encoding. It names the suite, the kind and the version of the
// format, so that no encoding can be taken for another.
func magic(s pairing.Suite, kind string) string { return magicScheme + nameOf(s) + magicEnd(kind) }

func magicEnd(kind string) string { return "/" + strings.ReplaceAll(kind, " ", "-") + "/v1\n" }

// cutMagic finds the suite of an encoding, and a reader of the bytes after its magic.
func cutMagic(b []byte, kind string) (pairing.Suite, *reader, error) {
	n := bytes.IndexByte(b, '\n') + 1
	name, ours := strings.CutPrefix(string(b[:n]), magicScheme)
	name, whole := strings.CutSuffix(name, magicEnd(kind))
	if !ours || !whole {
		return nil, nil, malformed("%s: does not begin with its magic", kind)
	}
	s, err := suiteNamed(name)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrMalformed, kind, err)
	}
	return s, &reader{suite: s, rest: b[n:]}, nil
}
