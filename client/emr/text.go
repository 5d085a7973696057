package emr

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxText = 1 << 20 // bytes that are read

// isText accepts UTF-8 and probable single-byte encodings, without control characters
// other than white space and escape.
func isText(head []byte) strength {
	odd := 0
	for i := 0; i < len(head); {
		if c := head[i]; c >= ' ' && c < 0x7f { // the usual case
			i++
			continue
		}
		r, size := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && size == 1 {
			if i > len(head)-utf8.UTFMax && len(head) == headSize { // the head ends within a character
				break
			}
			odd++
		} else if unicode.IsControl(r) && !unicode.IsSpace(r) && r != 0x1b {
			return unlike
		}
		i += size
	}
	if len(head) == 0 || odd*3 >= len(head) {
		return unlike
	}
	return plainText
}

// isoDate finds days, alone or with a time after them.
var isoDate = regexp.MustCompile(`\b(?:18|19|20|21)\d\d-\d\d-\d\d(?:\b|T\d\d)`)

// readText takes the first line with a letter or a number as the title, and full ISO
// dates.
func readText(in *input, b *builder) error {
	data, err := io.ReadAll(in)
	b.findMarks(data)
	if endsLikeMarkup(data) {
		b.inside()
	}
	b.prose(textOf(data, in.source.more))
	return err
}

// textOf decodes a text: UTF-8, or line by line Windows-1252 where it is not. A character
// may be cut off at its end.
func textOf(data []byte, cut bool) string {
	if cut {
		data = data[:len(data)-cutOff(data)]
	}
	if utf8.Valid(data) {
		return string(data)
	}
	var out strings.Builder
	for line := range bytes.Lines(data) {
		if utf8.Valid(line) {
			out.Write(line)
		} else {
			out.WriteString(windows1252(line))
		}
	}
	return out.String()
}

// prose takes facts from a text that people read. Marks of Markdown before a title are
// none of it.
func (b *builder) prose(text string) {
	for line := range strings.Lines(text) {
		line = strings.Trim(line, " \t\r\n#*=_>")
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
			b.title(firstRunes(line, 200))
			break
		}
	}
	for _, d := range isoDate.FindAllString(text, -1) {
		b.date(d)
	}
}

// firstRunes cuts a text to a number of bytes, at the end of a character.
func firstRunes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
