package emr

import (
	"encoding/xml"
	"unicode"
)

func isFHIRXML(root xml.Name) bool {
	return root.Space == "http://hl7.org/fhir" && isResourceName(root.Local)
}

func isResourceName(s string) bool { return s != "" && unicode.IsUpper(rune(s[0])) }

func newFHIRXMLWalker(b *builder, root xml.Name) xmlWalker {
	b.doc.MediaType, b.doc.Kind = "application/fhir+xml", "fhir:"+kindPart(root.Local)
	return &fhirXMLWalker{fhirWalker{b: b}}
}

// fhirXMLWalker turns FHIR's XML into the events of its JSON: <system value="x"/> is the
// member "system": "x" of its parent.
type fhirXMLWalker struct{ fhirWalker }

func (w *fhirXMLWalker) start(e xml.StartElement) {
	name := e.Name.Local
	if v, ok := attr(e, "value"); ok {
		w.scalar(name, v[:min(len(v), maxValue)])
	}
	w.begin(name, false)
	if isResourceName(name) {
		w.scalar("resourceType", name)
	}
}

func (w *fhirXMLWalker) text(string) {}
