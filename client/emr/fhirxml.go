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
	return &fhirXMLWalker{fhirWalker: fhirWalker{b: b, xml: true}}
}

// fhirXMLWalker turns FHIR's XML into the events of its JSON: <system value="x"/> is the
// member "system": "x" of its parent.
type fhirXMLWalker struct{ fhirWalker }

func (w *fhirXMLWalker) start(e xml.StartElement) {
	name := e.Name.Local
	if v, ok := attr(e, "value"); ok {
		w.scalar(name, v[:min(len(v), maxValue)])
	} else if name == fhirConfidentiality {
		w.b.confidentiality("")
	}
	w.begin(name, false)
	if url, ok := attr(e, "url"); ok {
		w.scalar("url", url[:min(len(url), maxValue)])
	}
	if isResourceName(name) {
		w.scalar("resourceType", name)
	}
}

// text takes the narrative, which is XHTML in an element div.
func (w *fhirXMLWalker) text(s string) {
	r := w.frames[len(w.frames)-1].fhirResource
	if r == nil || len(r.narrative) >= maxValue || !w.within("div") {
		return
	}
	r.narrative += " " + s[:min(len(s), maxValue)]
}

func (w *fhirXMLWalker) within(name string) bool {
	for i := len(w.frames) - 1; i >= 0 && !w.frames[i].resource; i-- {
		w.b.work.spend(1)
		if w.frames[i].key == name {
			return true
		}
	}
	return false
}
