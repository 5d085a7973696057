package emr

import (
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
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
	if len(head) == 0 || odd*10 >= len(head) {
		return unlike
	}
	return plainText
}

// isoDate finds days, alone or with a time after them.
var isoDate = regexp.MustCompile(`\b(?:18|19|20|21)\d\d-\d\d-\d\d(?:\b|T\d\d)`)

// readText takes the first line that is not empty as the title, and full ISO dates.
func readText(in *input, b *builder) error {
	data, err := io.ReadAll(in)
	b.findMarks(data)
	if endsLikeMarkup(data) {
		b.inside()
	}
	if len(data) >= utf8.UTFMax && !utf8.Valid(data[:len(data)-utf8.UTFMax]) {
		if s, err := charmap.Windows1252.NewDecoder().Bytes(data); err == nil {
			data = s
		}
	}
	text := string(data)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.title(line[:min(len(line), 200)])
			break
		}
	}
	for _, d := range isoDate.FindAllString(text, -1) {
		b.date(d)
	}
	return err
}
