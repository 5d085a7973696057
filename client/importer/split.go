package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// A section is the place of a record within its file, in bytes.
type section struct{ offset, length int64 }

// An entry is a part of a file.
type entry struct {
	section  section
	url      string // of an entry of a bundle, if it comes before the resource
	resource string // type of the resource; empty if it is not known
}

// lines calls each for every line that is not blank, without its line end. Lines may be
// of any length.
func lines(r io.Reader, each func(section) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var at, start, last int64 // last: end of the text that is not white space
	blank := true
	end := func() error {
		if blank {
			return nil
		}
		return each(section{start, last - start})
	}
	for {
		part, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && err != io.EOF {
			return err
		}
		if text := bytes.TrimRight(part, " \t\r\n"); len(text) > 0 {
			if blank {
				start, blank = at+int64(len(part)-len(bytes.TrimLeft(part, " \t\r\n"))), false
			}
			last = at + int64(len(text))
		}
		at += int64(len(part))
		if err == io.EOF {
			return end()
		}
		if err == nil { // a whole line
			if err := end(); err != nil {
				return err
			}
			blank = true
		}
	}
}

// byteOrderMark may stand before JSON in UTF-8.
const byteOrderMark = "\ufeff"

var (
	errNoBundle  = errors.New("not a FHIR bundle")
	errMalformed = errors.New("malformed JSON")
)

// resources calls each for the resource of every entry of a FHIR bundle in JSON, or for
// those in an array. It returns the number of entries without a resource, such as
// deletions and responses. A bundle within the bundle counts as one resource. resources
// holds no more of the text than a key.
//
// Errors, perhaps after calls of each:
//   - errNoBundle if the text is no bundle, and no array of resources alone.
//   - errMalformed if it is not JSON.
//   - the error of r or of each, as it is.
func resources(r io.Reader, each func(entry) error) (without int, err error) {
	own := bufio.NewWriterSize(io.Discard, 16)
	return scanBundle(r, own, each)
}

// scanBundle also writes the bundle's own text, which has an empty object in place of
// each resource.
func scanBundle(r io.Reader, own *bufio.Writer, each func(entry) error) (without int, err error) {
	s := &bundleScanner{in: bufio.NewReaderSize(r, 64<<10), own: own, each: each}
	head, err := s.in.Peek(len(byteOrderMark))
	if err != nil && err != io.EOF {
		return 0, err
	}
	if string(head) == byteOrderMark {
		s.in.Discard(len(head))
		s.at = int64(len(head))
	}
	c, err := s.skipSpace()
	switch {
	case s.failed != nil:
		return 0, s.failed
	case err == nil && c == '[':
		err = s.array(1, s.element)
	case err == nil && c == '{':
		err = s.object(1, s.bundleMember)
	default:
		return 0, errNoBundle
	}
	if err == nil {
		if _, err = s.skipSpace(); err == io.EOF {
			err = nil
		} else if err == nil {
			err = errMalformed // something follows: that is no single bundle
		}
	}
	switch {
	case s.failed != nil:
		return 0, s.failed
	case err == io.EOF:
		return 0, errMalformed
	case err == nil && !s.bundle:
		return 0, errNoBundle
	}
	return s.without, err
}

// bundleScanner follows the structure of a JSON text.
type bundleScanner struct {
	in      *bufio.Reader
	own     *bufio.Writer // takes the text outside resources
	inside  bool          // a resource
	at      int64         // offset of the next byte
	each    func(entry) error
	entry   entry // that is open
	bundle  bool
	without int
	found   bool  // the entry has a resource
	failed  error // of the reader
}

const maxNesting = 512

func (s *bundleScanner) next() (byte, error) {
	c, err := s.in.ReadByte()
	if err == nil {
		s.at++
		if !s.inside {
			s.own.WriteByte(c)
		}
	} else if err != io.EOF {
		s.failed = err
	}
	return c, err
}

func (s *bundleScanner) back() {
	s.in.UnreadByte()
	s.at--
}

func (s *bundleScanner) skipSpace() (byte, error) {
	for {
		c, err := s.next()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// object reads the rest of an object after its brace. It calls member after reading the
// first byte of each value.
func (s *bundleScanner) object(depth int, member func(key string, first byte, depth int) error) error {
	return s.list('}', func(c byte) error {
		if c != '"' {
			return errMalformed
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if c, err = s.skipSpace(); err != nil || c != ':' {
			return errMalformed
		}
		if c, err = s.skipSpace(); err != nil {
			return err
		}
		return member(key, c, depth)
	})
}

func (s *bundleScanner) array(depth int, element func(first byte, depth int) error) error {
	return s.list(']', func(c byte) error { return element(c, depth) })
}

// list reads things with commas between them up to an end. It calls each after reading
// the first byte of a thing.
func (s *bundleScanner) list(end byte, each func(first byte) error) error {
	for n := 0; ; n++ {
		c, err := s.skipSpace()
		if err != nil {
			return err
		}
		if c == end && n == 0 {
			return nil
		}
		if err := each(c); err != nil {
			return err
		}
		if c, err = s.skipSpace(); err != nil {
			return err
		}
		if c == end {
			return nil
		}
		if c != ',' {
			return errMalformed
		}
	}
}

func (s *bundleScanner) bundleMember(key string, first byte, depth int) error {
	switch {
	case key == "resourceType" && first == '"':
		value, err := s.text()
		s.bundle = value == "Bundle"
		if err == nil && !s.bundle {
			return errNoBundle
		}
		return err
	case key == "entry" && first == '[':
		return s.array(depth+1, s.openEntry)
	}
	return s.value(first, depth)
}

func (s *bundleScanner) openEntry(first byte, depth int) error {
	if first != '{' {
		s.without++
		return s.value(first, depth)
	}
	s.found, s.entry = false, entry{}
	if err := s.object(depth+1, s.entryMember); err != nil {
		return err
	}
	if !s.found {
		s.without++
	}
	return nil
}

func (s *bundleScanner) entryMember(key string, first byte, depth int) error {
	if key == "fullUrl" && first == '"' {
		var err error
		s.entry.url, err = s.text()
		return err
	}
	if key != "resource" || first != '{' {
		return s.value(first, depth)
	}
	return s.resource(depth)
}

// element takes an element of an array at the top, which is a resource.
func (s *bundleScanner) element(first byte, depth int) error {
	if first != '{' {
		return errNoBundle
	}
	s.entry = entry{}
	if err := s.resource(depth); err != nil {
		return err
	}
	if s.bundle = s.entry.resource != ""; !s.bundle {
		return errNoBundle
	}
	return nil
}

// resource reads the rest of a resource after its brace.
func (s *bundleScanner) resource(depth int) error {
	start, types := s.at-1, 0
	s.inside = true
	err := s.object(depth+1, func(key string, first byte, depth int) error {
		if key != "resourceType" || first != '"' {
			return s.value(first, depth)
		}
		var err error
		if s.entry.resource, err = s.text(); types > 0 {
			s.entry.resource = "" // it may be either
		}
		types++
		return err
	})
	s.inside = false
	if err != nil {
		return err
	}
	s.own.WriteByte('}')
	s.found = true
	s.entry.section = section{start, s.at - start}
	return s.each(s.entry)
}

// value skips the rest of a value after its first byte.
func (s *bundleScanner) value(first byte, depth int) error {
	if depth > maxNesting {
		return errMalformed
	}
	switch {
	case first == '{':
		return s.object(depth+1, func(_ string, first byte, depth int) error { return s.value(first, depth) })
	case first == '[':
		return s.array(depth+1, s.value)
	case first == '"':
		_, err := s.text()
		return err
	case first == '-' || first >= '0' && first <= '9' || first == 't' || first == 'f' || first == 'n':
		for {
			c, err := s.next()
			if err != nil {
				return err
			}
			if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '.' || c == '+' || c == '-' || c == 'E' {
				continue
			}
			s.back()
			return nil
		}
	}
	return errMalformed
}

// text reads the rest of a string and returns its beginning, which is all of any key or
// type that matters.
func (s *bundleScanner) text() (string, error) {
	const kept = 64
	out := []byte{'"'}
	escaped := false
	for {
		c, err := s.next()
		if err != nil {
			return "", err
		}
		if len(out) < kept {
			out = append(out, c)
		}
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			var text string
			if json.Unmarshal(out, &text) != nil {
				text = string(out[1:])
			}
			return text, nil
		}
	}
}
