package emr

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding/ianaindex"
)

var errXML = errors.New("malformed XML")

// xmlEvents receives a document as it streams by. Names have a prefix as their space,
// except that of a root element, which has its namespace. Values and runs of text are cut
// to maxValue bytes. An element is valid during the call only.
type xmlEvents interface {
	start(xml.StartElement) error // an error ends the reading
	text(string)
	end()
}

// xmlScanner reads XML without holding it: a run of text of a gigabyte costs no more than
// its first kilobyte. encoding/xml would hold it whole, and is six times slower.
//
// The scanner insists on tags that match, quoted values, known entities and valid
// characters, as encoding/xml does. It expands no entity that a document declares, so
// entity bombs do nothing.
type xmlScanner struct {
	in     *bufio.Reader
	work   *budget
	events xmlEvents
	open   []xml.Name // names of the open elements
	names  [256]xmlName
	texts  repeated
	attrs  []xml.Attr
	buf    []byte

	declared bool // an XML declaration was read
}

// maxAttributes bounds the attributes of one element.
const maxAttributes = 256

// run reads to the end of the input.
func (s *xmlScanner) run() error {
	for {
		c, err := s.in.ReadByte()
		if err == io.EOF && len(s.open) == 0 {
			return nil
		}
		if err != nil {
			return errXML
		}
		s.work.spend(priceToken)
		if c == '<' {
			err = s.markup()
		} else {
			s.in.UnreadByte()
			if s.blank() {
				continue
			}
			var text string
			if text, err = s.content('<'); err == io.EOF {
				err = nil
			}
			if strings.TrimLeft(text, " \t\r\n") != "" {
				s.events.text(text)
			}
		}
		if err == io.EOF {
			return errXML
		}
		if err != nil {
			return err
		}
	}
}

// markup reads what follows a "<".
func (s *xmlScanner) markup() error {
	c, err := s.in.ReadByte()
	if err != nil {
		return err
	}
	switch c {
	case '/':
		return s.endTag()
	case '?':
		return s.instruction()
	case '!':
		return s.declaration()
	}
	s.in.UnreadByte()
	return s.startTag()
}

func (s *xmlScanner) startTag() error {
	name, err := s.name()
	if err != nil {
		return err
	}
	s.attrs = s.attrs[:0]
	for {
		c, err := s.next()
		switch {
		case err != nil:
			return err
		case c == '/':
			if c, err := s.in.ReadByte(); err != nil || c != '>' {
				return errXML
			}
			if err := s.begin(name); err != nil {
				return err
			}
			return s.finish()
		case c == '>':
			return s.begin(name)
		}
		s.in.UnreadByte()
		if err := s.attribute(); err != nil {
			return err
		}
	}
}

func (s *xmlScanner) attribute() error {
	s.work.spend(priceField)
	if len(s.attrs) == maxAttributes {
		return errBudget
	}
	name, err := s.name()
	if err != nil {
		return err
	}
	if c, err := s.next(); err != nil || c != '=' {
		return errXML
	}
	quote, err := s.next()
	if err != nil || quote != '"' && quote != '\'' {
		return errXML
	}
	value, err := s.content(quote)
	if err != nil {
		return err
	}
	s.in.Discard(1) // the closing quote
	s.attrs = append(s.attrs, xml.Attr{Name: name, Value: value})
	return nil
}

func (s *xmlScanner) begin(name xml.Name) error {
	if len(s.open) >= maxDepth {
		return errDeep
	}
	e := xml.StartElement{Name: name, Attr: s.attrs}
	if len(s.open) == 0 {
		e.Name.Space = namespace(e)
	}
	s.open = append(s.open, name)
	return s.events.start(e)
}

// namespace returns the namespace of a root element.
func namespace(root xml.StartElement) string {
	want := xml.Name{Local: "xmlns"}
	if root.Name.Space != "" {
		want = xml.Name{Space: "xmlns", Local: root.Name.Space}
	}
	if i := slices.IndexFunc(root.Attr, func(a xml.Attr) bool { return a.Name == want }); i >= 0 {
		return root.Attr[i].Value
	}
	return root.Name.Space
}

func (s *xmlScanner) endTag() error {
	name, err := s.name()
	if err != nil {
		return err
	}
	if c, err := s.next(); err != nil || c != '>' {
		return errXML
	}
	if len(s.open) == 0 || s.open[len(s.open)-1] != name {
		return errXML
	}
	return s.finish()
}

func (s *xmlScanner) finish() error {
	s.open = s.open[:len(s.open)-1]
	s.events.end()
	return nil
}

// instruction reads a processing instruction. That named xml declares the encoding.
func (s *xmlScanner) instruction() error {
	target, err := s.name()
	if err != nil {
		return err
	}
	text, err := s.until("?>")
	if err != nil || target.Local != "xml" {
		return err
	}
	if s.declared {
		return errXML
	}
	s.declared = true
	if v := declared(text, "version"); v != "" && v != "1.0" && v != "1.1" {
		return errXML
	}
	label := declared(text, "encoding")
	if label == "" || strings.EqualFold(label, "utf-8") {
		return nil
	}
	enc, err := ianaindex.IANA.Encoding(label)
	if err != nil || enc == nil || strings.HasPrefix(strings.ToLower(label), "utf-16") {
		return nil // UTF-16 was decoded by its mark; the markup of an unknown encoding is most likely ASCII
	}
	s.in = bufio.NewReaderSize(enc.NewDecoder().Reader(s.in), 4<<10)
	return nil
}

// declared returns a value of an XML declaration.
func declared(text, name string) string {
	_, rest, ok := strings.Cut(text, name)
	rest = strings.TrimLeft(rest, " \t\r\n")
	if !ok || rest == "" || rest[0] != '=' {
		return ""
	}
	rest = strings.TrimLeft(rest[1:], " \t\r\n")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	value, _, closed := strings.Cut(rest[1:], rest[:1])
	if !closed {
		return ""
	}
	return value
}

// declaration reads what follows "<!": a comment, a CDATA section or a document type.
func (s *xmlScanner) declaration() error {
	head, _ := s.in.Peek(7)
	switch {
	case bytes.HasPrefix(head, []byte("--")):
		s.in.Discard(2)
		if _, err := s.until("--"); err != nil {
			return err
		}
		if c, err := s.in.ReadByte(); err != nil || c != '>' {
			return errXML
		}
		return nil
	case string(head) == "[CDATA[":
		s.in.Discard(7)
		text, err := s.until("]]>")
		s.events.text(text)
		return err
	case len(head) == 0 || head[0] < 'A' || head[0] > 'Z':
		return errXML
	}
	return s.documentType()
}

// documentType skips a document type, with its declarations in brackets.
func (s *xmlScanner) documentType() error {
	depth, quote := 1, byte(0)
	for depth > 0 {
		c, err := s.in.ReadByte()
		switch {
		case err != nil:
			return err
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			depth--
		case c == '<':
			depth++
			if head, _ := s.in.Peek(3); string(head) == "!--" {
				s.in.Discard(3)
				if _, err := s.until("-->"); err != nil {
					return err
				}
				depth--
			}
		}
	}
	return nil
}
