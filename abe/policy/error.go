package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Reasons for refusing a policy. Test for them with errors.Is.
var (
	ErrTooLong           = errors.New("policy is too long")
	ErrTooDeep           = errors.New("policy is nested too deeply")
	ErrTooManyAttributes = errors.New("policy uses too many attributes")
	ErrReuse             = errors.New("policy uses an attribute in too many places")
	ErrName              = errors.New("malformed attribute name")
)

// A SyntaxError is the place and the reason of a syntax error in a policy text.
type SyntaxError struct {
	Line    int    // from 1
	Column  int    // from 1, in characters
	Offset  int    // from 0, in bytes
	Message string // lower case, no full stop
	Hint    string // suggested correction; may be empty
	Kind    error  // a sentinel of this package, or nil for plain syntax
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("policy: line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Unwrap returns the exceeded limit or ErrName, if that is the reason.
func (e *SyntaxError) Unwrap() error { return e.Kind }

// Caret draws the faulty line of the text, with a "^" below the column. It replaces
// control characters by spaces, so that a hostile policy cannot control a terminal.
func (e *SyntaxError) Caret(text string) string {
	lines := strings.Split(text, "\n")
	if e.Line < 1 || e.Line > len(lines) {
		return ""
	}
	const width = 100
	var line []rune
	for _, r := range strings.ToValidUTF8(lines[e.Line-1], "?") {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			r = ' '
		}
		line = append(line, r)
	}
	column := min(max(e.Column-1, 0), len(line))
	from, to := 0, len(line)
	if column > width*3/4 {
		from = column - width*3/4
	}
	if to-from > width {
		to = from + width
	}
	return string(line[from:to]) + "\n" + strings.Repeat(" ", column-from) + "^"
}

func syntaxError(text string, offset int, hint, format string, args ...any) *SyntaxError {
	before := text[:min(offset, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[start:]) + 1,
		Offset:  offset,
		Message: fmt.Sprintf(format, args...),
		Hint:    hint,
	}
}

func (e *SyntaxError) of(kind error) *SyntaxError {
	e.Kind = kind
	return e
}
