package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxValue bounds the bytes of one normalised value. A longer value is cut, in records
// and in queries alike.
const maxValue = 256

// normalise brings text into the form in which values are compared. It applies Unicode
// NFKC and full case folding. It drops format characters (soft hyphens, joiners, marks of
// direction), broken bytes, and white space at the ends. Any other white space and
// control characters become one space. It is idempotent.
func normalise(text string) string {
	if len(text) > 16*maxValue { // the rest is over maxValue in any case
		text = text[:16*maxValue]
	}
	s := strings.ToValidUTF8(text, " ")
	if isASCII(s) { // the usual case: nothing to compose, and much faster
		s = strings.ToLower(s)
	}
	for range 4 { // folded text may compose again; two passes are enough for all known text
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

// squeeze drops format characters, and turns each run of white space and control
// characters into one space.
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

// words splits text into words and their parts, each once: "covid-19" gives itself,
// "covid" and "19".
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
	for _, piece := range strings.Fields(text) { // one by one, as normalise cuts long text
		for _, field := range strings.Fields(normalise(piece)) {
			add(strings.TrimFunc(field, func(r rune) bool { return !inWord(r) }))
			for _, part := range strings.FieldsFunc(field, func(r rune) bool { return !inWord(r) }) {
				add(part)
			}
		}
	}
	return out
}
