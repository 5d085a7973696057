package emr

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// until reads up to an end, which it drops, and returns the beginning of the text before.
func (s *xmlScanner) until(end string) (string, error) {
	s.buf = s.buf[:0]
	for {
		if _, err := s.in.Peek(len(end)); err != nil {
			return "", err
		}
		text, _ := s.in.Peek(s.in.Buffered())
		n := bytes.Index(text, []byte(end))
		if n >= 0 {
			s.keep(text[:n])
			s.in.Discard(n + len(end))
			return string(s.buf), nil
		}
		n = len(text) - len(end) + 1
		s.keep(text[:n])
		s.in.Discard(n)
	}
}

// next returns the next byte that is not white space.
func (s *xmlScanner) next() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// name reads a name, with its prefix. The names of a document are few, and are kept.
func (s *xmlScanner) name() (xml.Name, error) {
	text, _ := s.in.Peek(s.in.Buffered())
	n := nameLength(text)
	if n == len(text) { // it may go on
		text, _ = s.in.Peek(maxValue + 1)
		n = nameLength(text)
	}
	switch {
	case n > maxValue:
		return xml.Name{}, errBudget
	case n == len(text):
		return xml.Name{}, io.EOF
	}
	if n == 0 {
		return xml.Name{}, errXML
	}
	slot := &s.names[slotOf(text[:n])]
	if slot.text != string(text[:n]) {
		s.work.spend(priceFact)
		text := string(text[:n])
		if !isXMLName(text) {
			return xml.Name{}, errXML
		}
		*slot = xmlName{text, splitName(text)}
	}
	s.in.Discard(n)
	return slot.Name, nil
}

// An xmlName is a name with its text.
type xmlName struct {
	text string
	xml.Name
}

// blank skips white space up to the next markup, if there is nothing else.
func (s *xmlScanner) blank() bool {
	text, _ := s.in.Peek(s.in.Buffered())
	for n, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		case '<':
			s.in.Discard(n)
			return true
		default:
			return false
		}
	}
	return false
}

func nameLength(text []byte) int {
	n := 0
	for n < len(text) && inName[text[n]] {
		n++
	}
	return n
}

func isXMLName(s string) bool {
	return s != "" && s[0] != '-' && s[0] != '.' && (s[0] < '0' || s[0] > '9') && strings.Count(s, ":") <= 1 && utf8.ValidString(s)
}

// splitName cuts a name at its prefix.
func splitName(name string) xml.Name {
	if prefix, local, ok := strings.Cut(name, ":"); ok && prefix != "" && local != "" {
		return xml.Name{Space: prefix, Local: local}
	}
	return xml.Name{Local: name}
}

// inName are the bytes of names. plainXML are those without a meaning in text and values.
var inName, plainXML = func() (name, plain [256]bool) {
	for c := range 256 {
		name[c] = c >= utf8.RuneSelf || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_:.-", byte(c)) >= 0
		plain[c] = c >= ' ' && strings.IndexByte(`<&"'`, byte(c)) < 0 || strings.IndexByte("\t\r\n", byte(c)) >= 0
	}
	return name, plain
}()

// content reads text up to a "<", or a value up to its quote, which stays unread. At the
// end of the input it returns the text with io.EOF.
func (s *xmlScanner) content(end byte) (string, error) {
	s.buf = s.buf[:0]
	for {
		if _, err := s.in.Peek(1); err != nil {
			return string(s.buf), err
		}
		plain, _ := s.in.Peek(s.in.Buffered())
		n := 0
		for n < len(plain) && plainXML[plain[n]] {
			n++
		}
		if len(s.buf) == 0 && n < len(plain) && n <= maxValue && plain[n] == end { // the usual case
			if !utf8.Valid(plain[:n]) {
				return "", errXML
			}
			text := s.texts.of(plain[:n])
			s.in.Discard(n)
			return text, nil
		}
		if n == len(plain) {
			n -= cutOff(plain)
		}
		if n > 0 {
			if !utf8.Valid(plain[:n]) {
				return "", errXML
			}
			s.keep(plain[:n])
			s.in.Discard(n)
			continue
		}
		switch c := plain[0]; {
		case c == end:
			return string(s.buf), nil
		case c == '&':
			s.work.spend(priceField)
			s.in.Discard(1)
			r, err := s.entity()
			if err != nil {
				return "", err
			}
			s.keep([]byte(r))
		case c == '"' || c == '\'':
			s.keep(plain[:1])
			s.in.Discard(1)
		case c >= utf8.RuneSelf: // a character across the end of the buffer
			if more, _ := s.in.Peek(utf8.UTFMax); len(more) < utf8.UTFMax && cutOff(more) > 0 {
				return "", errXML
			}
		default:
			return "", errXML
		}
	}
}

// cutOff returns the length of an incomplete character at the end of a text.
func cutOff(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(text[len(text)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// keep adds to the text what still fits.
func (s *xmlScanner) keep(text []byte) {
	s.buf = append(s.buf, text[:min(len(text), max(0, maxValue-len(s.buf)))]...)
}

// entity reads a reference after its ampersand.
func (s *xmlScanner) entity() (string, error) {
	head, _ := s.in.Peek(maxEntity)
	i := bytes.IndexByte(head, ';')
	if i < 1 {
		return "", errXML
	}
	name := string(head[:i])
	s.in.Discard(len(name) + 1)
	number, ok := strings.CutPrefix(name, "#")
	if !ok {
		if text, ok := predefined[name]; ok {
			return text, nil
		}
		if text, ok := xml.HTMLEntity[name]; ok { // which some senders leave in narrative text
			return text, nil
		}
		return "", errXML
	}
	base := 10
	if hex, ok := strings.CutPrefix(number, "x"); ok {
		number, base = hex, 16
	}
	n, err := strconv.ParseUint(number, base, 32)
	if err != nil || n > utf8.MaxRune {
		return "", errXML
	}
	return string(rune(n)), nil
}

const maxEntity = 32 // bytes of the longest name

var predefined = map[string]string{"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": `"`}
