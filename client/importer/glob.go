package importer

import (
	"regexp"
	"strings"
)

// globs match if one of them does. An empty list matches everything.
type globs []*regexp.Regexp

func (g globs) any(values ...string) bool {
	if len(g) == 0 {
		return true
	}
	for _, re := range g {
		for _, v := range values {
			if re.MatchString(v) {
				return true
			}
		}
	}
	return false
}

// newGlob compiles a pattern. "*" matches any text, "?" one character, and everything
// else itself, in upper or lower case. In a path case counts, "*" and "?" do not match a
// '/', "**" does, and "**/" also matches the empty text.
func newGlob(pattern string, isPath bool) *regexp.Regexp {
	var re strings.Builder
	if isPath {
		re.WriteString(`(?s)^`)
	} else {
		re.WriteString(`(?is)^`)
	}
	for rest := pattern; rest != ""; {
		switch {
		case isPath && strings.HasPrefix(rest, "**/"):
			re.WriteString(`(?:.*/)?`)
			rest = rest[3:]
		case isPath && strings.HasPrefix(rest, "**"):
			re.WriteString(`.*`)
			rest = rest[2:]
		case rest[0] == '*' && isPath:
			re.WriteString(`[^/]*`)
			rest = rest[1:]
		case rest[0] == '*':
			re.WriteString(`.*`)
			rest = rest[1:]
		case rest[0] == '?' && isPath:
			re.WriteString(`[^/]`)
			rest = rest[1:]
		case rest[0] == '?':
			re.WriteString(`.`)
			rest = rest[1:]
		default:
			n := strings.IndexAny(rest, "*?")
			if n < 0 {
				n = len(rest)
			}
			re.WriteString(regexp.QuoteMeta(rest[:n]))
			rest = rest[n:]
		}
	}
	re.WriteString(`$`)
	return regexp.MustCompile(strings.ToValidUTF8(re.String(), "�"))
}
