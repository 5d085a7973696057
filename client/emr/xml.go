package emr

import (
	"bytes"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/ianaindex"
)

const (
	nsHL7v3 = "urn:hl7-org:v3"
	nsFHIR  = "http://hl7.org/fhir"
)

// xmlWalker takes facts from one kind of XML document.
type xmlWalker interface {
	start(xml.StartElement)
	text(string)
	end()
}

// readXML reads a CDA document or FHIR in XML; from other XML nothing is taken.
//
// encoding/xml never expands the entities that a document declares, so there are no
// entity bombs. It holds the open elements and the current run of text, which the limits
// on depth and length bound.
func readXML(r io.Reader) *builder {
	in := &limited{r: r, max: MaxXML}
	d := xml.NewDecoder(asXML10(in))
	d.Entity = xml.HTMLEntity // single characters, which some senders leave in narrative text
	d.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		enc, err := ianaindex.IANA.Encoding(label)
		if err != nil || enc == nil || strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // UTF-16 has been decoded by its mark; an unknown encoding is at least ASCII where it matters
		}
		return enc.NewDecoder().Reader(input), nil
	}
	b := newBuilder("text/xml", "xml")
	var w xmlWalker
	depth := 0
	var err error
	for {
		var t xml.Token
		if t, err = d.Token(); err != nil {
			if err == io.EOF && depth == 0 {
				err = nil
			}
			break
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				err = errDeep
			}
			if depth == 1 {
				w = newXMLWalker(b, t)
			}
			if w != nil {
				w.start(t)
			}
		case xml.EndElement:
			depth--
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
	in.warn(b, "XML", err)
	return b
}

var xml11 = regexp.MustCompile(`^\s*<\?xml\s+version\s*=\s*["']1\.1`)

// asXML10 lets what declares itself to be XML 1.1 pass for 1.0, the only version that the
// decoder takes. They differ in which control characters may be written.
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

func newXMLWalker(b *builder, root xml.StartElement) xmlWalker {
	switch {
	case root.Name.Local == "ClinicalDocument":
		b.doc.Kind = "ccda"
		return &cdaWalker{b: b}
	case root.Name.Space == nsFHIR && isResourceName(root.Name.Local):
		b.doc.MediaType, b.doc.Kind = "application/fhir+xml", "fhir:"+kindPart(root.Name.Local)
		return &fhirXMLWalker{fhirWalker{b: b}}
	}
	return nil
}

func isResourceName(s string) bool { return s != "" && unicode.IsUpper(rune(s[0])) }

// fhirXMLWalker turns FHIR's XML into the events of its JSON: <system value="x"/> is the
// member "system": "x" of its parent.
type fhirXMLWalker struct{ fhirWalker }

func (w *fhirXMLWalker) start(e xml.StartElement) {
	name := e.Name.Local
	if v, ok := attr(e, "value"); ok {
		w.scalar(name, cut(v))
	}
	w.begin(name, false)
	if isResourceName(name) {
		w.scalar("resourceType", name)
	}
}

func (w *fhirXMLWalker) text(string) {}

func attr(e xml.StartElement, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}

func cut(s string) string { return s[:min(len(s), maxValue)] }

// cdaWalker takes facts from HL7 CDA R2.
type cdaWalker struct {
	b    *builder
	path []string
	name strings.Builder // the text of a name or title that is open
	open int             // depth at which it was opened
}

// under reports whether an element of that name is open above the current one.
func (w *cdaWalker) under(name string) bool {
	for _, p := range w.path[:len(w.path)-1] {
		if p == name {
			return true
		}
	}
	return false
}

func (w *cdaWalker) parent() string {
	if len(w.path) < 2 {
		return ""
	}
	return w.path[len(w.path)-2]
}

func (w *cdaWalker) start(e xml.StartElement) {
	w.path = append(w.path, e.Name.Local)
	local := e.Name.Local
	if code, ok := attr(e, "code"); ok {
		if system, ok := attr(e, "codeSystem"); ok {
			w.b.code(system, code)
		}
	}
	value, _ := attr(e, "value")
	switch local {
	case "id":
		if w.parent() == "patientRole" && w.under("recordTarget") {
			root, _ := attr(e, "root")
			if ext, ok := attr(e, "extension"); ok {
				w.b.patient(root, ext)
			} else {
				w.b.patient("", root)
			}
		}
	case "birthTime":
		if w.parent() == "patient" {
			w.b.born(value)
		}
	case "effectiveTime", "time":
		w.b.date(value)
	case "low", "high", "center":
		if strings.HasSuffix(strings.ToLower(w.parent()), "time") {
			w.b.date(value)
		}
	case "confidentialityCode":
		code, _ := attr(e, "code")
		w.b.confidentiality(code)
	case "name", "title":
		if w.open == 0 {
			w.open = len(w.path)
			w.name.Reset()
		}
	}
}

func (w *cdaWalker) text(s string) {
	if w.open > 0 && w.name.Len() < maxValue {
		w.name.WriteString(s)
		w.name.WriteByte(' ')
	}
}

func (w *cdaWalker) end() {
	if w.open == len(w.path) {
		w.open = 0
		w.named(w.path[len(w.path)-1], w.name.String())
	}
	w.path = w.path[:len(w.path)-1]
}

// named judges the text of a name or title by where it stands.
func (w *cdaWalker) named(local, text string) {
	switch parent := w.parent(); {
	case local == "title":
		if len(w.path) == 2 {
			w.b.title(text)
		}
	case parent == "location" && w.under("healthCareFacility"):
		w.b.department(text)
	case parent == "assignedPerson" && (w.under("author") || w.under("legalAuthenticator")):
		w.b.author(text)
	case parent == "representedOrganization", parent == "representedCustodianOrganization", parent == "providerOrganization",
		parent == "serviceProviderOrganization":
		w.b.organisation(text)
	}
}
