package emr

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A charset decodes the texts of an HL7 v2 message or a DICOM data set in the character
// sets that it names. The nil charset is that of a record that names none.
//
// Bytes that are valid UTF-8 are taken for UTF-8, whatever the record names: no other
// text looks like it by chance, but for short ones of East Asia (see isUTF8). Bytes that
// no named set has are taken for Windows-1252, which most senders mean that name nothing.
type charset struct {
	whole encoding.Encoding // of all bytes, such as GB 18030; nil for ISO 2022
	first *codeSet          // of ISO 2022: of bytes from 0x80 on, until an escape says otherwise
	later *codeSet          // the first other one that is named, for texts without the escape
	asia  bool              // characters of several bytes
}

// A codeSet is a set of characters that an escape sequence of ISO 2022 designates. Its
// table reads the characters with their high bits set, after a prefix.
type codeSet struct {
	size   int // bytes of a character
	prefix string
	table  encoding.Encoding
}

var (
	asciiSet = &codeSet{size: 1}
	jis0201  = &codeSet{1, "\x8e", japanese.EUCJP}
	jis0208  = &codeSet{2, "", japanese.EUCJP}
	jis0212  = &codeSet{2, "\x8f", japanese.EUCJP}
	ksx1001  = &codeSet{2, "", korean.EUCKR}
	gb2312   = &codeSet{2, "", simplifiedchinese.GBK}
)

// codeSets are the sets by their numbers in the ISO registry (IR), by which DICOM
// (PS3.3 C.12.1.1.2) and HL7 (table 0211) name them.
var codeSets = map[int]*codeSet{
	6: asciiSet, 14: asciiSet, 13: jis0201, 87: jis0208, 168: jis0208, 159: jis0212, 149: ksx1001, 58: gb2312,
	100: {1, "", charmap.Windows1252}, 101: {1, "", charmap.ISO8859_2}, 109: {1, "", charmap.ISO8859_3}, 110: {1, "", charmap.ISO8859_4},
	144: {1, "", charmap.ISO8859_5}, 127: {1, "", charmap.ISO8859_6}, 126: {1, "", charmap.ISO8859_7}, 138: {1, "", charmap.ISO8859_8},
	148: {1, "", charmap.ISO8859_9}, 157: {1, "", charmap.ISO8859_10}, 179: {1, "", charmap.ISO8859_13}, 199: {1, "", charmap.ISO8859_14},
	203: {1, "", charmap.ISO8859_15}, 226: {1, "", charmap.ISO8859_16}, 166: {1, "", charmap.Windows874},
}

// A designation chooses a set for the bytes below 0x80 (G0) or above (G1).
type designation struct {
	set  *codeSet
	high bool
}

// designations are the escape sequences of ISO 2022, without the escape.
var designations = map[string]designation{
	"(B": {asciiSet, false}, "(J": {asciiSet, false}, "(I": {jis0201, false}, ")I": {jis0201, true}, ")J": {asciiSet, true}, ")B": {asciiSet, true},
	"$@": {jis0208, false}, "$B": {jis0208, false}, "$(B": {jis0208, false}, "$)B": {jis0208, true}, "$(D": {jis0212, false}, "$)D": {jis0212, true},
	"$(C": {ksx1001, false}, "$)C": {ksx1001, true}, "$A": {gb2312, false}, "$(A": {gb2312, false}, "$)A": {gb2312, true},
	"-A": {codeSets[100], true}, "-B": {codeSets[101], true}, "-C": {codeSets[109], true}, "-D": {codeSets[110], true}, "-L": {codeSets[144], true},
	"-G": {codeSets[127], true}, "-F": {codeSets[126], true}, "-H": {codeSets[138], true}, "-M": {codeSets[148], true}, "-V": {codeSets[157], true},
	"-Y": {codeSets[179], true}, "-_": {codeSets[199], true}, "-b": {codeSets[203], true}, "-f": {codeSets[226], true}, "-T": {codeSets[166], true},
}

// designationAt returns the designation after an escape, and its length. The length of
// anything else is 0.
func designationAt(b []byte) (designation, int) {
	for n := 2; n <= min(3, len(b)); n++ {
		if d, ok := designations[string(b[:n])]; ok {
			return d, n
		}
	}
	return designation{}, 0
}

// newCharset returns the charset of a list of names. It knows those of DICOM ("ISO_IR
// 100", "ISO 2022 IR 87"), of HL7 ("8859/1", "ISO IR87", "KS X 1001") and of IANA, which
// some senders write. It returns nil if it knows none of them.
func newCharset(names []string) *charset {
	var c charset
	known := false
	for n, name := range names {
		name = strings.ToUpper(strings.Trim(name, " \x00"))
		if name == "" && len(names) > 1 {
			known = true // ASCII first
			continue
		}
		if set := registered(name); set != nil {
			known = true
			switch {
			case n == 0 && len(names) == 1 && set == jis0201:
				return &charset{whole: japanese.ShiftJIS, asia: true} // which has its characters, and is often meant
			case n == 0 && set.size == 1 && set != asciiSet:
				c.first = set
			case set != asciiSet && c.later == nil:
				c.later = set
			}
			c.asia = c.asia || set.size > 1 || set == jis0201
			continue
		}
		if e := namedEncoding(name); e != nil && c.first == nil && c.later == nil { // perhaps after ASCII
			return &charset{whole: e, later: map[encoding.Encoding]*codeSet{korean.EUCKR: ksx1001, simplifiedchinese.GBK: gb2312}[e], asia: eastAsian(e)}
		}
	}
	if !known {
		return nil
	}
	return &c
}

var (
	isoRegistered = regexp.MustCompile(`^ISO[-_ ]*(?:2022[-_ ]*)?IR[-_ ]*(\d{1,3})$`)
	iso8859       = regexp.MustCompile(`^(?:ISO[-_ ]*)?8859[-/](\d{1,2})$`)
)

// iso8859Sets are the numbers of the right halves of ISO 8859 in the ISO registry.
var iso8859Sets = map[int]int{1: 100, 2: 101, 3: 109, 4: 110, 5: 144, 6: 127, 7: 126, 8: 138, 9: 148, 10: 157, 11: 166, 13: 179, 14: 199, 15: 203, 16: 226}

func registered(name string) *codeSet {
	if m := isoRegistered.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1])
		return codeSets[n]
	}
	if m := iso8859.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1])
		return codeSets[iso8859Sets[n]]
	}
	return nil
}

// namedEncoding returns a character set by a name that stands for all bytes. UTF-8 and an
// unknown name have none.
func namedEncoding(name string) encoding.Encoding {
	name = strings.ToUpper(strings.TrimSpace(name))
	if iana, ok := map[string]string{"GB 18030-2000": "GB18030", "GB18030-2000": "GB18030", "BIG-5": "BIG5", "KS X 1001": "EUC-KR",
		"KSX1001": "EUC-KR", "ISO-8859-1": "WINDOWS-1252", "JP": "SHIFT_JIS"}[name]; ok {
		name = iana
	}
	if strings.Contains(name, "UTF") || strings.HasPrefix(name, "UNICODE") || strings.Contains(name, "ASCII") {
		return nil
	}
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil { // such as "x-sjis" and "cp1252"
		return e
	}
	return nil
}

func eastAsian(e encoding.Encoding) bool {
	_, oneByte := e.(*charmap.Charmap)
	return !oneByte
}

// isASCII reports whether bytes mean the same in every character set here.
func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf || c == 0x1b {
			return false
		}
	}
	return true
}

// text decodes a text. At each of the delimiters the sets of its beginning apply again.
func (c *charset) text(b []byte, delimiters string) string {
	switch {
	case isASCII(b):
		return string(b)
	case bytes.IndexByte(b, 0x1b) < 0 && isUTF8(b, c != nil && c.asia):
		return string(b)
	case c != nil && c.whole != nil && !designates(b):
		if s, err := c.whole.NewDecoder().Bytes(b); err == nil {
			return string(s)
		}
		return windows1252(b)
	}
	if c == nil {
		c = &charset{}
	}
	return c.iso2022(b, delimiters)
}

// isUTF8 reports whether a text is UTF-8. In a record that names a set of East Asia, two
// bytes of it may happen to be valid UTF-8: a text of such pairs that stand beside no
// Latin letter is not taken for UTF-8.
func isUTF8(b []byte, asia bool) bool {
	if !utf8.Valid(b) {
		return false
	}
	if !asia {
		return true
	}
	latin := func(i int) bool {
		return i >= 0 && i < len(b) && (b[i] >= 'a' && b[i] <= 'z' || b[i] >= 'A' && b[i] <= 'Z')
	}
	for i := 0; i < len(b); {
		_, size := utf8.DecodeRune(b[i:])
		if size > 2 || size == 2 && (latin(i-1) || latin(i+2)) {
			return true
		}
		i += size
	}
	return false
}

// designates reports whether a text has an escape sequence that chooses a set.
func designates(b []byte) bool {
	for {
		i := bytes.IndexByte(b, 0x1b)
		if i < 0 {
			return false
		}
		b = b[i+1:]
		if _, n := designationAt(b); n > 0 {
			return true
		}
	}
}

// iso2022 follows the escape sequences of a text.
func (c *charset) iso2022(b []byte, delimiters string) string {
	var out strings.Builder
	var run []byte // characters of a set, as its table reads them
	var of *codeSet
	flush := func() {
		if len(run) > 0 {
			s, err := of.table.NewDecoder().Bytes(run)
			if err == nil {
				out.Write(s)
			}
			run = run[:0]
		}
	}
	low, high := asciiSet, c.first
	for i := 0; i < len(b); {
		if b[i] == 0x1b {
			d, n := designationAt(b[i+1:])
			switch {
			case n > 0 && d.high:
				high = d.set
			case n > 0:
				low = d.set
			}
			i += 1 + n
			continue
		}
		set := low
		if b[i] >= utf8.RuneSelf {
			if set = high; set == nil || set == asciiSet {
				if set = c.later; set == nil {
					set = codeSets[100]
				}
			}
		}
		if b[i] <= ' ' || set.table == nil { // controls and space are in no other set
			flush()
			out.WriteByte(b[i])
			if low.size == 1 && strings.IndexByte(delimiters, b[i]) >= 0 || b[i] == '\r' || b[i] == '\n' {
				low, high = asciiSet, c.first
			}
			i++
			continue
		}
		if i+set.size > len(b) {
			break
		}
		if set != of {
			flush()
			of = set
		}
		run = append(run, set.prefix...)
		for _, x := range b[i : i+set.size] {
			run = append(run, x|0x80)
		}
		i += set.size
	}
	flush()
	return out.String()
}

// windows1252 decodes a text of which nothing is known but that it is not UTF-8.
func windows1252(b []byte) string {
	s, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "")
	}
	return string(s)
}

// valid returns a text of JSON, which should be UTF-8, with other bytes in it as
// Windows-1252, but for a letter that was cut off at the end.
func valid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out []byte
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			if len(out)+len(b) >= maxValue && !utf8.FullRune(b) {
				break
			}
			r = charmap.Windows1252.DecodeByte(b[0])
		}
		out, b = utf8.AppendRune(out, r), b[size:]
	}
	return string(out)
}
