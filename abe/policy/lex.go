package policy

import (
	"strings"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd     tokenKind = iota
	tokenWord              // bare characters
	tokenString            // "..." with its quotes and escapes removed
	tokenPunct             // ( ) ,
	tokenCompare           // = >= <= > <
)

type token struct {
	kind   tokenKind
	text   string
	offset int
}

// is reports whether t is the keyword or the punctuation s.
func (t token) is(s string) bool {
	switch t.kind {
	case tokenWord:
		return strings.EqualFold(t.text, s)
	case tokenPunct, tokenCompare:
		return t.text == s
	}
	return false
}

func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenString:
		return quoteForMessage(t.text)
	}
	return "'" + shorten(t.text) + "'"
}

func quoteForMessage(s string) string { return `"` + shorten(s) + `"` }

func shorten(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}

type lexer struct {
	text string
	pos  int
}

func (l *lexer) next() (token, *SyntaxError) {
	l.skip()
	start := l.pos
	if start == len(l.text) {
		return token{tokenEnd, "", start}, nil
	}
	c := l.text[start]
	switch {
	case c == '(' || c == ')' || c == ',':
		l.pos++
		return token{tokenPunct, string(c), start}, nil
	case c == '=' || c == '<' || c == '>':
		l.pos++
		if c != '=' && l.pos < len(l.text) && l.text[l.pos] == '=' {
			l.pos++
		}
		return token{tokenCompare, l.text[start:l.pos], start}, nil
	case c == '"':
		return l.quoted()
	case isBare(c):
		for l.pos < len(l.text) && isBare(l.text[l.pos]) {
			l.pos++
		}
		return token{tokenWord, l.text[start:l.pos], start}, nil
	}
	r, size := utf8.DecodeRuneInString(l.text[start:])
	if r == utf8.RuneError && size == 1 {
		return token{}, l.error(start, "", "byte 0x%02x is not UTF-8 text", c)
	}
	return token{}, l.error(start, hintForRune(r), "unexpected character %q", r)
}

// skip skips white space and comments.
func (l *lexer) skip() {
	for l.pos < len(l.text) {
		switch l.text[l.pos] {
		case ' ', '\t', '\r', '\n':
			l.pos++
		case '#':
			end := strings.IndexByte(l.text[l.pos:], '\n')
			if end < 0 {
				l.pos = len(l.text)
				return
			}
			l.pos += end
		default:
			return
		}
	}
}

func (l *lexer) quoted() (token, *SyntaxError) {
	start := l.pos
	var b strings.Builder
	for i := start + 1; i < len(l.text); i++ {
		c := l.text[i]
		switch {
		case c == '"':
			l.pos = i + 1
			return token{tokenString, b.String(), start}, nil
		case c == '\\':
			i++
			if i == len(l.text) || l.text[i] != '"' && l.text[i] != '\\' {
				return token{}, l.error(i-1, `write \" for a quotation mark and \\ for a backslash`, "unknown escape in quotes")
			}
			b.WriteByte(l.text[i])
		case c == '\n':
			return token{}, l.error(start, `close the quotes on the same line`, "quotes are not closed")
		case c < ' ' || c == 0x7f:
			return token{}, l.error(i, "", "control character 0x%02x in quotes", c)
		case c > 0x7f:
			return token{}, l.error(i, "attribute names are ASCII", "character outside ASCII in quotes")
		default:
			b.WriteByte(c)
		}
	}
	return token{}, l.error(start, `close the quotes`, "quotes are not closed")
}

func (l *lexer) error(offset int, hint, format string, args ...any) *SyntaxError {
	return syntaxError(l.text, offset, hint, format, args...)
}

func hintForRune(r rune) string {
	switch {
	case r == '&':
		return "write 'and'"
	case r == '|' || r == ';':
		return "write 'or'"
	case r == '!':
		return "a policy cannot say 'not': say who may open, not who may not"
	case r == '[' || r == ']' || r == '{' || r == '}':
		return "use '(' and ')'"
	case r == '\'' || r == '‘' || r == '’' || r == '“' || r == '”' || r == '`':
		return `quote with plain double quotes: "..."`
	case r > 0x7f:
		return "attribute names are ASCII"
	}
	return `put values with other characters in quotes, for example HospitalA:ward="ward #3"`
}
