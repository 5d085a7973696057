package transcript

import (
	"fmt"
	"regexp"
	"strings"
)

// Names compares the output of one session with a page, line by line. Lines must be
// equal, with these exceptions:
//
//   - "..." on a line of its own matches any lines. Within a line it matches any text.
//   - A record id of the page, 32 hexadecimal digits, matches one record id of the
//     session, the same each time. Later commands use the session's id in its place.
//   - A time, such as 2026-11-22T12:01:01Z, matches any time.
//   - A duration, such as 9.8s or 65 ms, matches any duration.
//   - A decimal fraction at the end of a table cell, such as 44.2, matches any other: it
//     is a measured rate.
//   - A port of 127.0.0.1 matches any port.
//   - A published version of a key matches any other: the tests before rotate keys.
//   - Two or more spaces, which align columns, match two or more.
//
// The zero value knows no record ids yet.
type Names struct{ ids map[string]string }

const recordID = `\b[0-9a-f]{32}\b`

// varying matches text that may differ. The name of the group is its kind.
var varying = regexp.MustCompile(strings.Join([]string{
	`(?P<any>\.\.\.)`,
	`(?P<id>` + recordID + `)`,
	`(?P<time>\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)`,
	`(?P<duration>\b(?:\d+m)?\d+(?:\.\d+)? ?m?s\b)`,
	`(?P<rate>\b\d+\.\d+(?:$|  ))`,
	`(?P<port>\b127\.0\.0\.1:\d+)`,
	`(?P<version>published, version \d+)`,
	`(?P<space>  +)`,
}, "|"))

// replaced maps each kind to a pattern for its replacements.
var replaced = map[string]string{
	"any":      `.*`,
	"id":       `([0-9a-f]{32})`,
	"time":     `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
	"duration": `(?:\d+m)?\d+(?:\.\d+)? ?m?s`,
	"rate":     `\d+\.\d+ *`,
	"port":     `127\.0\.0\.1:\d+`,
	"version":  `published, version \d+`,
	"space":    `  +`,
}

var recordIDs = regexp.MustCompile(recordID)

// Command replaces the page's record ids in a command by the session's.
func (n *Names) Command(command string) string {
	return recordIDs.ReplaceAllStringFunc(command, func(id string) string {
		if actual, ok := n.ids[id]; ok {
			return actual
		}
		return id
	})
}

// Match compares the output of a command with the page. It returns nil or a description
// of the first difference.
func (n *Names) Match(want []string, got string) error {
	lines := Lines(got)
	for i, w := range want {
		if w == "..." {
			return n.matchAfter(want[i+1:], lines[i:])
		}
		if i >= len(lines) {
			return fmt.Errorf("this line is missing:\n\t%s", w)
		}
		if !n.line(w, lines[i]) {
			return fmt.Errorf("the page shows\n\t%s\nand this is\n\t%s", w, lines[i])
		}
	}
	if len(lines) > len(want) {
		return fmt.Errorf("the page does not show this line:\n\t%s", lines[len(want)])
	}
	return nil
}

// matchAfter skips output that the page leaves out. It matches want at the first possible
// line.
func (n *Names) matchAfter(want, lines []string) error {
	if len(want) == 0 {
		return nil
	}
	for i := range lines {
		try := Names{ids: make(map[string]string)}
		for id, actual := range n.ids {
			try.ids[id] = actual
		}
		if try.Match(want, strings.Join(lines[i:], "\n")) == nil {
			*n = try
			return nil
		}
	}
	return fmt.Errorf("after the left-out lines there is nothing like\n\t%s", strings.Join(want, "\n\t"))
}

// line compares two lines and stores their record ids.
func (n *Names) line(want, got string) bool {
	pattern, ids := "", []string(nil)
	last := 0
	for _, m := range varying.FindAllStringSubmatchIndex(want, -1) {
		pattern += regexp.QuoteMeta(want[last:m[0]])
		for g, name := range varying.SubexpNames() {
			if name != "" && m[2*g] >= 0 {
				pattern += replaced[name]
				if name == "id" {
					ids = append(ids, want[m[0]:m[1]])
				}
			}
		}
		last = m[1]
	}
	found := regexp.MustCompile("^" + pattern + regexp.QuoteMeta(want[last:]) + "$").FindStringSubmatch(got)
	if found == nil {
		return false
	}
	met := make(map[string]string)
	for i, id := range ids {
		if !n.agree(met, id, found[i+1]) {
			return false
		}
	}
	if n.ids == nil {
		n.ids = make(map[string]string)
	}
	for id, actual := range met {
		n.ids[id] = actual
	}
	return true
}

// agree reports whether a record id of the page may stand for one of the session. Neither
// may already have another counterpart.
func (n *Names) agree(met map[string]string, id, actual string) bool {
	for _, known := range []map[string]string{n.ids, met} {
		for k, a := range known {
			if (k == id) != (a == actual) {
				return false
			}
		}
	}
	met[id] = actual
	return true
}

// Show returns the output of a command for a page, with the page's record ids. New ids in
// want are kept, in the order of those in got.
func (n *Names) Show(want []string, got string) []string {
	if n.ids == nil {
		n.ids = make(map[string]string)
	}
	fresh := func(id string, known map[string]string) bool { _, ok := known[id]; return !ok }
	var unmet []string
	for _, id := range recordIDs.FindAllString(strings.Join(want, "\n"), -1) {
		if fresh(id, n.ids) {
			unmet = append(unmet, id)
		}
	}
	back := make(map[string]string)
	for id, actual := range n.ids {
		back[actual] = id
	}
	return Lines(recordIDs.ReplaceAllStringFunc(got, func(actual string) string {
		if id, ok := back[actual]; ok {
			return id
		}
		id := actual
		if len(unmet) > 0 {
			id, unmet = unmet[0], unmet[1:]
		}
		n.ids[id], back[actual] = actual, id
		return id
	}))
}

// Lines splits output into lines without trailing spaces.
func Lines(output string) []string {
	output = strings.TrimSuffix(output, "\n")
	if output == "" {
		return nil
	}
	lines := strings.Split(output, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}
