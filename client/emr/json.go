package emr

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

var isJSON = startsWith("{[")

// readJSON reads FHIR. Other JSON yields no facts. A note that begins with a bracket is
// no JSON.
func readJSON(in *input, b *builder) error {
	if begin, _ := in.Peek(inputSize); !beginsJSON(begin) {
		return errDeclined
	}
	w := &fhirWalker{b: b, frames: make([]fhirFrame, 0, 12)}
	s := &jsonScanner{in: in.Reader, events: w, work: in.work}
	err := s.run()
	for len(w.frames) > 0 { // elements that were open where the input broke off
		w.end()
	}
	w.finish()
	switch {
	case w.kind == "":
		if w.resources || len(b.doc.Codes)+len(b.doc.Confidentiality) > 0 {
			b.inside()
		}
		b.discard()
	case s.values > 1 || w.listed:
		b.doc.MediaType, b.doc.Kind = "application/fhir+ndjson", "fhir:ndjson"
	default:
		b.doc.MediaType, b.doc.Kind = "application/fhir+json", "fhir:"+w.kind
	}
	return err
}

var errJSON = errors.New("malformed JSON")

// jsonEvents receives a JSON text as it streams by. Keys and values are cut to maxValue
// bytes.
type jsonEvents interface {
	begin(key string, array bool)
	end()
	scalar(key, value string) // a string
	bare(key string, is byte) // a number, true, false or null, by its first byte
}

// jsonScanner reads JSON without holding it: a string of a gigabyte costs no more than
// its first kilobyte, and nesting is a bit a level. encoding/json would hold every string
// whole. The scanner is lenient about what it skips; it is not a validator.
type jsonScanner struct {
	in     *bufio.Reader
	work   *budget
	events jsonEvents
	arrays []bool // open containers: array or object
	values int    // complete top-level values
	texts  repeated
}

// run reads top-level values, separated by white space, to the end of the input.
func (s *jsonScanner) run() error {
	key := ""
	for {
		c, err := s.next()
		if err == io.EOF && len(s.arrays) == 0 {
			return nil
		}
		if err != nil {
			return errJSON
		}
		s.work.spend(priceField)
		switch {
		case c == '{' || c == '[':
			s.work.spend(priceNesting)
			if len(s.arrays) >= maxDepth {
				return errDeep
			}
			s.events.begin(key, c == '[')
			s.arrays = append(s.arrays, c == '[')
			key = ""
			continue
		case c == '}' || c == ']':
			if len(s.arrays) == 0 || s.inArray() != (c == ']') {
				return errJSON
			}
			s.arrays = s.arrays[:len(s.arrays)-1]
			s.events.end()
		case c == ',' && len(s.arrays) > 0:
			key = ""
			continue
		case c == '"':
			text, err := s.text()
			if err != nil {
				return err
			}
			if len(s.arrays) > 0 && !s.inArray() && key == "" {
				if c, err := s.next(); err != nil || c != ':' {
					return errJSON
				}
				key = text
				if key == "" {
					key = " " // an empty key is legal, and is not the absence of one
				}
				continue
			}
			s.events.scalar(key, text)
		case c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n':
			if err := s.bare(); err != nil {
				return err
			}
			s.events.bare(key, c)
		default:
			return errJSON
		}
		key = ""
		if len(s.arrays) == 0 {
			s.values++
		}
	}
}

func (s *jsonScanner) inArray() bool { return s.arrays[len(s.arrays)-1] }

// next returns the next byte that is not white space.
func (s *jsonScanner) next() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil || !isJSONSpace(c) {
			return c, err
		}
		rest, _ := s.in.Peek(s.in.Buffered())
		n := 0
		for n < len(rest) && isJSONSpace(rest[n]) {
			n++
		}
		s.in.Discard(n)
	}
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0x1e }

// bare skips the rest of a number, true, false or null.
func (s *jsonScanner) bare() error {
	for {
		c, err := s.in.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '.' || c == '+' || c == '-' || c == 'E' {
			continue
		}
		return s.in.UnreadByte()
	}
}

// text reads the rest of a string.
func (s *jsonScanner) text() (string, error) {
	var out []byte
	for {
		if s.in.Buffered() == 0 {
			if _, err := s.in.Peek(1); err != nil {
				return "", errJSON
			}
		}
		plain, _ := s.in.Peek(min(s.in.Buffered(), 512)) // not more: escapes may be many
		n := bytes.IndexByte(plain, '"')
		if n < 0 {
			n = len(plain)
		}
		if escape := bytes.IndexByte(plain[:n], '\\'); escape >= 0 {
			n = escape
		}
		part := plain[:min(n, max(0, maxValue-len(out)))]
		if n == len(plain) {
			out = append(out, part...)
			s.in.Discard(n)
			continue
		}
		if plain[n] == '"' {
			if len(out) > 0 {
				part = append(out, part...)
			}
			text := s.texts.of(part)
			s.in.Discard(n + 1)
			return text, nil
		}
		out = append(out, part...)
		s.in.Discard(n + 1)
		r, err := s.escape()
		if err != nil {
			return "", err
		}
		if len(out) < maxValue {
			out = utf8.AppendRune(out, r)
		}
	}
}

func (s *jsonScanner) escape() (rune, error) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, errJSON
	}
	switch c {
	case 'n', 'r', 't', 'b', 'f':
		return ' ', nil // white space is all the same to an index
	case 'u':
		r, err := s.hex4()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if next, err := s.in.Peek(2); err == nil && string(next) == `\u` {
			s.in.Discard(2)
			low, err := s.hex4()
			return utf16.DecodeRune(r, low), err
		}
		return utf8.RuneError, nil
	case '"', '\\', '/':
		return rune(c), nil
	}
	return 0, errJSON
}

func (s *jsonScanner) hex4() (rune, error) {
	var digits [4]byte
	if _, err := io.ReadFull(s.in, digits[:]); err != nil {
		return 0, errJSON
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return 0, errJSON
	}
	return rune(n), nil
}
