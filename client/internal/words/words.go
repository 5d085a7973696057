// Package words has the parts of messages that the programs of this module share: errors
// with advice, suggestions for misspelt names, and foreign text made safe to show.
package words

import (
	"fmt"
	"strings"
	"unicode"
)

// List joins the first twelve names for a message.
func List(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// Clean makes text safe to show. It escapes control and formatting characters, which
// could move a terminal's cursor, change its title or reorder text.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			q := fmt.Sprintf("%+q", r)
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// OneLine joins the lines of a text and makes it safe to show, see [Clean].
func OneLine(s string) string {
	return Clean(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " "))
}
