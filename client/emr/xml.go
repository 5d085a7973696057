package emr

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/ianaindex"
)

// An xmlFormat is a line of the table of document types in XML: how a type is recognised
// by the root element, and what takes the facts.
type xmlFormat struct {
	recognise func(root xml.Name) bool
	walker    func(b *builder, root xml.Name) xmlWalker // sets the kind
}

var xmlFormats = []xmlFormat{
	{isCDA, newCDAWalker},
	{isFHIRXML, newFHIRXMLWalker},
}

// An xmlWalker takes facts from the elements of a document as they stream by. Text is cut
// to maxValue bytes.
type xmlWalker interface {
	start(xml.StartElement)
	text(string)
	end()
}

var isXML = startsWith("<")

// readXML returns a reader for the document types of a table. Other documents yield no
// facts.
//
// encoding/xml never expands the entities that a document declares, so entity bombs do
// nothing. It holds the open elements with their names, one run of text, and all
// attributes of an element at once. The limits on depth, length and attributes bound
// them.
func readXML(table []xmlFormat) func(*input, *builder) error {
	return func(in *input, b *builder) error { return walkXML(table, in, b) }
}

func walkXML(table []xmlFormat, in *input, b *builder) error {
	begin := in.head()
	source := &xmlSource{Reader: bufio.NewReaderSize(asXML10(in), 4<<10)}
	d := xml.NewDecoder(source)
	d.Entity = xml.HTMLEntity // single characters, which some senders leave in narrative text
	d.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		enc, err := ianaindex.IANA.Encoding(label)
		if err != nil || enc == nil || strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // UTF-16 was decoded by its mark; the markup of an unknown encoding is most likely ASCII
		}
		return enc.NewDecoder().Reader(input), nil
	}
	var w xmlWalker
	var open []int // attributes of the open elements
	depth, attributes, roots := 0, 0, 0
	var err error
	for {
		source.equals = 0
		in.work.spend(priceToken)
		var t xml.Token
		if t, err = d.Token(); err != nil {
			switch {
			case err == io.EOF && depth == 0:
				err = nil
			case source.equals > maxAttributes:
				err = errBudget
			}
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				err = errDeep
			}
			in.work.spend(len(t.Attr) * priceField)
			open = append(open, len(t.Attr))
			if attributes += len(t.Attr); attributes > maxAttributes {
				err = errBudget
			}
			if depth == 1 {
				if roots++; roots > 1 {
					b.unread("more than one document")
				}
				w = newXMLWalker(table, b, t.Name)
			}
			if w != nil {
				w.start(t)
			}
		case xml.EndElement:
			depth--
			attributes -= open[depth]
			open = open[:depth]
			if w != nil {
				w.end()
			}
		case xml.CharData:
			if w != nil {
				w.text(string(t[:min(len(t), maxValue)]))
			}
		}
		if err != nil || w == nil && depth > 0 {
			break
		}
	}
	for ; w != nil && depth > 0; depth-- {
		w.end()
	}
	if w == nil && err == nil { // another document, which may have one of ours inside
		b.findMarks(begin)
		return b.findMarksInRest(in)
	}
	return err
}

// maxAttributes bounds the attributes of all open elements.
const maxAttributes = 64 << 10

// An xmlSource counts equals signs, because every attribute has one. It ends within an
// element that has too many.
type xmlSource struct {
	*bufio.Reader
	equals int // since the last token
}

func (s *xmlSource) ReadByte() (byte, error) {
	c, err := s.Reader.ReadByte()
	if c == '=' {
		if s.equals++; s.equals > maxAttributes {
			return 0, errBudget
		}
	}
	return c, err
}

// Read serves decoders of characters.
func (s *xmlSource) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.equals += bytes.Count(p[:n], []byte("=")); s.equals > maxAttributes {
		return 0, errBudget
	}
	return n, err
}

// newXMLWalker returns nil for a document type that the table does not have.
func newXMLWalker(table []xmlFormat, b *builder, root xml.Name) xmlWalker {
	for _, f := range table {
		if f.recognise(root) {
			return f.walker(b, root)
		}
	}
	return nil
}

var xml11 = regexp.MustCompile(`^\s*<\?xml\s+version\s*=\s*["']1\.1`)

// asXML10 makes a declaration of XML 1.1 say 1.0, the only version that the decoder
// takes. The versions differ in the control characters that they allow.
func asXML10(r io.Reader) io.Reader {
	head := make([]byte, 64)
	n, _ := io.ReadFull(r, head) // an error comes again
	head = head[:n]
	declaration, _, _ := bytes.Cut(head, []byte("?>"))
	if at := xml11.FindIndex(declaration); at != nil {
		declaration[at[1]-1] = '0'
	}
	return io.MultiReader(bytes.NewReader(head), r)
}

func attr(e xml.StartElement, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}
