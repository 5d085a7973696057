package emr

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"slices"
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
	{isHL7XML, newHL7XMLWalker},
	{isAppleHealth, newAppleHealthWalker},
	{isXDS, newXDSWalker},
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
// facts. It declines what does not parse and is of none of the types.
func readXML(table []xmlFormat) func(*input, *builder) error {
	return func(in *input, b *builder) error {
		if begin, _ := in.Peek(inputSize); !beginsXML(begin, table, in.work) {
			return errDeclined
		}
		begin := in.head()
		x := &xmlReader{table: table, b: b}
		s := &xmlScanner{in: in.Reader, work: in.work, events: x}
		err := s.run()
		if err == errOtherXML || err == nil && x.walker == nil {
			b.findMarks(begin) // it may have one of ours inside
			return b.findMarksInRest(in)
		}
		for range s.open { // elements that were open where the input broke off
			x.end()
		}
		if w, ok := x.walker.(interface{ finish() }); ok {
			w.finish()
		}
		return err
	}
}

var errOtherXML = errors.New("a document type that the table does not have")

// An xmlReader hands a document to the walker of its type.
type xmlReader struct {
	table  []xmlFormat
	b      *builder
	walker xmlWalker
	depth  int
}

func (x *xmlReader) start(e xml.StartElement) error {
	if x.depth++; x.depth == 1 {
		w := x.of(e.Name)
		if x.walker != nil {
			x.b.partial("XML: more than one document or root element")
		}
		switch {
		case w != nil:
			x.walker = w
		case x.walker == nil:
			return errOtherXML
		}
	}
	x.walker.start(e)
	return nil
}

func (x *xmlReader) of(root xml.Name) xmlWalker {
	for _, f := range x.table {
		if f.recognise(root) {
			return f.walker(x.b, root)
		}
	}
	return nil
}

func (x *xmlReader) text(s string) {
	if x.walker != nil {
		x.walker.text(s)
	}
}

func (x *xmlReader) end() {
	x.depth--
	x.walker.end()
}

// beginsXML reports whether a text is XML: it has the root of a known type, or is all
// well-formed. A long one need only have a root. One that is cut off in its root passes.
func beginsXML(begin []byte, table []xmlFormat, work *budget) bool {
	if hasRoot(begin, "<ClinicalDocument") { // most are: no need to read it twice
		return true
	}
	p := &xmlProbe{table: table}
	s := &xmlScanner{in: bufio.NewReaderSize(bytes.NewReader(begin), len(begin)+16), work: work, events: p}
	err := s.run()
	if p.roots > 0 {
		return err == nil || err == errKnownXML || len(begin) == inputSize || work.spent()
	}
	rest, _ := s.in.Peek(s.in.Buffered())
	return nameLength(rest) == len(rest) // cut off in the root, perhaps
}

// hasRoot reports whether nothing stands before a root element but declarations, comments
// and white space, by their first characters.
func hasRoot(begin []byte, root string) bool {
	i := bytes.Index(begin[:min(len(begin), headSize)], []byte(root))
	if i < 0 {
		return false
	}
	for j := bytes.IndexByte(begin[:i], '<'); j >= 0; {
		if begin[j+1] != '?' && begin[j+1] != '!' {
			return false
		}
		next := bytes.IndexByte(begin[j+1:i], '<')
		if next < 0 {
			break
		}
		j += 1 + next
	}
	return true
}

var errKnownXML = errors.New("a document type that the table has")

// An xmlProbe looks at the roots of a text.
type xmlProbe struct {
	table []xmlFormat
	depth int
	roots int
}

func (p *xmlProbe) start(e xml.StartElement) error {
	if p.depth++; p.depth == 1 {
		p.roots++
		if slices.ContainsFunc(p.table, func(f xmlFormat) bool { return f.recognise(e.Name) }) {
			return errKnownXML
		}
	}
	return nil
}

func (p *xmlProbe) text(string) {}
func (p *xmlProbe) end()        { p.depth-- }

func attr(e xml.StartElement, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}
