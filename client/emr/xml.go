package emr

import (
	"encoding/xml"
	"errors"
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
func readXML(table []xmlFormat) func(*input, *builder) error {
	return func(in *input, b *builder) error {
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
		if x.walker != nil {
			x.b.unread("more than one document")
		}
		if x.walker = x.of(e.Name); x.walker == nil {
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

func attr(e xml.StartElement, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}
