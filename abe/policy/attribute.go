package policy

import (
	"fmt"
	"strings"
)

// An Attribute is a property that an authority certifies: MSPID:name or MSPID:name=value.
type Attribute struct {
	Authority string // MSP ID of the authority; no other authority may publish or issue it
	Name      string
	Value     string // empty if the attribute has no value
}

// ParseAttribute parses an attribute's plain name, the form on the ledger and in keys. It
// has no quotes; a policy text needs quotes around an unusual value.
//
// Errors:
//   - ErrName if the name breaks a rule; the message says which.
func ParseAttribute(s string) (Attribute, error) {
	bad := func(format string, args ...any) (Attribute, error) {
		return Attribute{}, fmt.Errorf("attribute %.140q: %w: %s", s, ErrName, fmt.Sprintf(format, args...))
	}
	if len(s) > MaxName {
		return bad("longer than %d bytes", MaxName)
	}
	authority, rest, found := strings.Cut(s, ":")
	if !found {
		return bad("names no authority")
	}
	name, value, hasValue := strings.Cut(rest, "=")
	switch {
	case !isWord(authority):
		return bad("the authority may have letters, digits and '._-' only")
	case !isWord(name):
		return bad("the part after ':' may have letters, digits and '._-' only")
	case hasValue && value == "":
		return bad("empty value")
	case strings.HasPrefix(value, " ") || strings.HasSuffix(value, " "):
		return bad("the value begins or ends with a space")
	}
	for i := 0; i < len(value); i++ {
		if value[i] < ' ' || value[i] > '~' {
			return bad("the value may have printable ASCII only")
		}
	}
	if strings.HasPrefix(value, "[") {
		if _, ok := parseInterval(value); !ok {
			return bad("values that begin with '[' are reserved for numbers")
		}
	}
	return Attribute{Authority: authority, Name: name, Value: value}, nil
}

// String returns the plain name, which [ParseAttribute] parses.
func (a Attribute) String() string {
	s := a.Authority + ":" + a.Name
	if a.Value != "" {
		s += "=" + a.Value
	}
	return s
}

// Text returns the attribute's form in a policy text, with quotes around the value if it
// needs them.
func (a Attribute) Text() string {
	s := a.Authority + ":" + a.Name
	if a.Value != "" {
		s += "=" + quote(a.Value)
	}
	return s
}

func quote(value string) string {
	bare := value != ""
	for i := 0; i < len(value); i++ {
		bare = bare && isBare(value[i])
	}
	if bare {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isBare reports whether a value may contain c without quotes.
func isBare(c byte) bool { return isAlnum(c) || strings.IndexByte("._-+@/:%", c) >= 0 }

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && strings.IndexByte("._-", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
