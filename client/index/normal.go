package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxValue bounds the bytes of one normalised value. What is longer is cut, in the record
// and in the query alike.
const maxValue = 256

// normalise brings text into the form in which values are compared: Unicode NFKC and full
// case folding, format characters (soft hyphens, joiners, marks of direction) and broken
// bytes left out, all white space and control characters one space each, none at the
// ends. It is idempotent.
func normalise(text string) string {
	if len(text) > 16*maxValue { // nothing after this can be in the first maxValue bytes, whatever folds to nothing
		text = text[:16*maxValue]
	}
	s := strings.ToValidUTF8(text, " ")
	if isASCII(s) { // nothing to compose; the usual case, and much faster
		s = strings.ToLower(s)
	}
	for range 4 { // folding may make text that composes again; two passes are enough for all we know of
		if isASCII(s) {
			break
		}
		folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(squeeze(s))))
		if folded == s {
			break
		}
		s = folded
	}
	s = squeeze(s)
	if len(s) > maxValue {
		end := maxValue
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = strings.TrimSpace(s[:end])
	}
	return s
}

// squeeze drops format characters and makes white space and control characters one space
// each.
func squeeze(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// words splits text into what a reader would call words, and into their parts: "covid-19"
// is itself, "covid" and "19". Each is there once.
func words(text string) []string {
	var out []string
	seen := make(map[string]bool)
	add := func(w string) {
		if w != "" && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	for _, piece := range strings.Fields(text) { // each for itself, for the whole is cut where it is long
		for _, field := range strings.Fields(normalise(piece)) {
			add(strings.TrimFunc(field, func(r rune) bool { return !inWord(r) }))
			for _, part := range strings.FieldsFunc(field, func(r rune) bool { return !inWord(r) }) {
				add(part)
			}
		}
	}
	return out
}
