package emr

import (
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// isoDate finds days, alone or with a time after them.
var isoDate = regexp.MustCompile(`\b(?:18|19|20|21)\d\d-\d\d-\d\d(?:\b|T\d\d)`)

// readText takes the first line that is not empty as the title, and full ISO dates from
// the first megabyte.
func readText(r io.Reader) *builder {
	b := newBuilder("text/plain", "text")
	in := &limited{r: r, max: maxText}
	data, err := io.ReadAll(in)
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
	in.warn(b, "text", err)
	return b
}
