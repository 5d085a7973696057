package index

import (
	"slices"
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
	if len(text) <= maxValue && isASCII(text) {
		return normaliseASCII(text)
	}
	if len(text) > 16*maxValue { // the rest is over maxValue in any case
		text = text[:16*maxValue]
	}
	s := strings.ToValidUTF8(text, " ")
	if isASCII(s) { // nothing to compose
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

// normaliseASCII is normalise for the usual text, which takes a tenth of the time.
func normaliseASCII(text string) string {
	last := byte(' ')
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c == 0x7f || 'A' <= c && c <= 'Z' || c == ' ' && last == ' ' {
			last = ' '
			break
		}
		last = c
	}
	if last != ' ' || text == "" {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := range len(text) {
		switch c := text[i]; {
		case c > ' ' && c < 0x7f:
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			out = append(out, c)
		case len(out) > 0 && out[len(out)-1] != ' ':
			out = append(out, ' ')
		}
	}
	if n := len(out); n > 0 && out[n-1] == ' ' {
		out = out[:n-1]
	}
	return string(out)
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
	var seen map[string]bool // of many words
	add := func(w string) {
		if w == "" || seen[w] || seen == nil && slices.Contains(out, w) {
			return
		}
		out = append(out, w)
		if seen == nil && len(out) == 32 {
			seen = make(map[string]bool)
			for _, w := range out {
				seen[w] = true
			}
		} else if seen != nil {
			seen[w] = true
		}
	}
	for _, piece := range strings.Fields(text) { // one by one, as normalise cuts long text
		for _, field := range strings.Fields(normaliseText(piece)) {
			word := strings.TrimFunc(field, outsideWord)
			add(word)
			if strings.IndexFunc(word, outsideWord) < 0 {
				continue
			}
			for _, part := range strings.FieldsFunc(word, outsideWord) {
				add(part)
			}
		}
	}
	return out
}

func outsideWord(r rune) bool {
	if r < utf8.RuneSelf {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z')
	}
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}

// normaliseText normalises text, and makes the forms of apostrophes and hyphens one: '
// and -. Accents that stand alone are written for apostrophes.
func normaliseText(text string) string {
	if strings.IndexByte(text, '`') >= 0 || strings.Contains(text, "\u00b4") { // which NFKC parts
		text = accentFolder.Replace(text)
	}
	s := normalise(text)
	if isASCII(s) {
		return s
	}
	return markFolder.Replace(s)
}

var accentFolder = strings.NewReplacer("`", "'", "\u00b4", "'")

var markFolder = strings.NewReplacer("\u2019", "'", "\u2018", "'", "\u02bc", "'", "\u201b", "'", "\u2032", "'", "\uff07", "'",
	"\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2015", "-", "\u2043", "-", "\u2212", "-", "\ufe63", "-", "\uff0d", "-")

// withoutMarks returns a normalised text without the diacritical marks of Latin, Greek
// and Cyrillic letters. Other scripts keep theirs, which make other letters.
func withoutMarks(s string) string {
	if isASCII(s) {
		return s
	}
	var out strings.Builder
	base := rune(0)
	for _, r := range norm.NFD.String(s) {
		if unicode.Is(unicode.Mn, r) {
			if unicode.In(base, unicode.Latin, unicode.Greek, unicode.Cyrillic) {
				continue
			}
		} else {
			base = r
		}
		if plain, ok := strokes[r]; ok {
			out.WriteString(plain)
			continue
		}
		out.WriteRune(r)
	}
	return norm.NFC.String(out.String())
}

// strokes are Latin letters with a stroke or joined, which have no mark of their own.
var strokes = map[rune]string{'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'ħ': "h", 'ı': "i", 'æ': "ae", 'œ': "oe", 'þ': "th"}
