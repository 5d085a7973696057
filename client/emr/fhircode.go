package emr

import (
	"cmp"
	"html"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// isSecurity reports whether a member, or an element of the current array, is a security
// label of a resource.
func (w *fhirWalker) isSecurity(key string) bool {
	f := &w.frames[len(w.frames)-1]
	if f.array {
		return f.key == "security" && w.in("meta")
	}
	return key == "security" && f.key == "meta"
}

func (w *fhirWalker) coding(f *fhirFrame) {
	status, context := w.surroundings(f)
	code := f.members[fhirCode]
	switch {
	case status != "":
		w.b.inContext(statusContext(status, code))
		return
	case len(code) == 1 && isFHIRCertainty(f.members[fhirSystem]):
		w.b.inContext(certainty(code))
		return
	case code == "no-known-reaction-risk": // of the substance beside it
		w.b.inContext(index.Refuted)
		return
	}
	w.b.aside = context
	defer func() { w.b.aside = "" }()
	at := w.b.code(f.members[fhirSystem], f.members[fhirCode])
	if w.in("serviceType") || w.in("specialty") {
		w.b.department(f.members[fhirDisplay])
	}
	if f.key == "modality" {
		w.b.modality(f.members[fhirCode])
	}
	if f.admin || f.fhirResource == nil {
		return
	}
	w.b.words(f.members[fhirDisplay])
	w.codingContext(f, at)
}

// concept takes the text of a CodeableConcept.
func (w *fhirWalker) concept(f *fhirFrame) {
	text := f.members[fhirText]
	if f.fhirResource != nil && !f.admin {
		switch f.key {
		case "note":
			w.b.mention(text)
			return
		case "series":
			w.b.words(f.members[fhirDescription])
			return
		}
	}
	if !f.resource && !noConcepts[f.key] {
		w.label(f, text)
	}
}

// label takes the text of a code.
func (w *fhirWalker) label(f *fhirFrame, text string) {
	if text == "" || f.admin || f.fhirResource == nil {
		return
	}
	status, context := w.surroundings(f)
	if status != "" {
		w.b.inContext(cmp.Or(statusContext(status, text), contextOfWord(text)))
		return
	}
	f.said = f.said || w.in("code")
	f.absent = f.absent || (f.key == "valueCodeableConcept" || w.in("valueCodeableConcept")) && isAbsentWord(text)
	w.b.aside = context
	w.b.words(text)
	w.b.aside = ""
}

// prose are members of resources in which people write what they found or think.
var prose = set("conclusion", "note", "notes", "comment", "comments", "summary")

// noConcepts are elements whose text is longer than that of a code.
var noConcepts = set("note", "item", "dosageInstruction", "dosage", "comment", "annotation", "page", "text", "answer", "question", "relationship")

// security takes a coding of confidentiality, wherever it is. In an element for security
// labels, the code suffices. Labels of other systems, such as obligations, are no
// confidentiality.
func (w *fhirWalker) security(f *fhirFrame) {
	system, code := labelSystemOf(f.members[fhirSystem]), f.members[fhirCode]
	label := f.key == "security" && w.in("meta") || f.key == "coding" && w.in("securityLabel")
	if system != otherSystem || label && (f.members[fhirSystem] == "" || isConfidentialityCode(code)) {
		w.b.confidentialityOf(system, cmp.Or(code, f.members[fhirDisplay]))
	}
}

// stripTags returns the text of a narrative.
func stripTags(div string) string {
	var out strings.Builder
	for {
		text, rest, ok := strings.Cut(div, "<")
		out.WriteString(text)
		out.WriteByte(' ')
		if !ok {
			return html.UnescapeString(out.String())
		}
		if _, div, ok = strings.Cut(rest, ">"); !ok {
			return html.UnescapeString(out.String())
		}
	}
}
