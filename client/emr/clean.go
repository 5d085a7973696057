package emr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean cleans a value of a list and copies it: it may be a part of a long text.
func (b *builder) clean(list, s string) string {
	if len(s) >= maxValue && isLabel(list) {
		b.unread("a value of the %s is longer than %d bytes", list, maxValue)
	}
	return clean(s)
}

// clean cuts a value to the bound, folds white space, and drops bytes that are not text.
// The result shares no memory with a longer text.
func clean(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue]
	}
	if isClean(s) {
		return strings.Clone(s)
	}
	out := make([]byte, 0, len(s))
	space := false
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			continue // no text
		}
		if r == 0 || unicode.IsSpace(r) {
			space = len(out) > 0
			continue
		}
		if space {
			out = append(out, ' ')
			space = false
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// isClean reports whether a value is text with single spaces inside only.
func isClean(s string) bool {
	space := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c > ' ' && c < utf8.RuneSelf:
			space = false
		case c == ' ' && !space:
			space = true
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			if size == 1 || unicode.IsSpace(r) {
				return false
			}
			space = false
			i += size - 1
		default:
			return false
		}
	}
	return s == "" || !space
}

// kindPart makes foreign text fit as a part of a kind: short, without spaces or colons.
func kindPart(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ':' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 48)]
}
