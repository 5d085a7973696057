package emr

import (
	"encoding/xml"
	"slices"
	"strings"
)

func isXDS(root xml.Name) bool {
	return root.Local == "SubmitObjectsRequest" || root.Local == "ProvideAndRegisterDocumentSetRequest"
}

func newXDSWalker(b *builder, _ xml.Name) xmlWalker {
	b.doc.Kind = "xds-metadata"
	return &xdsWalker{b: b, unlabelled: make(map[string]bool)}
}

// xdsWalker reads what IHE XDS says of documents, in ebRIM: the METADATA.XML of an XDM
// medium. See the IHE IT Infrastructure Technical Framework, volume 3, section 4.2.
type xdsWalker struct {
	b    *builder
	path []string

	unlabelled         map[string]bool     // documents without a confidentiality so far, by their ids
	documents          int                 // of the file
	id, title          string              // of the open document
	scheme, code, name string              // of the open classification
	of                 string              // what it classifies
	slots              map[string][]string // values of the open document or classification
	outer              map[string][]string // of the document around a classification
	kept               int                 // values of the document
	slot               string              // the open one
	value              strings.Builder
}

// Schemes of ebRIM's classifications and identifiers in XDS.
const (
	xdsConfidentiality = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
	xdsPatient         = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
)

const maxSlotValues = 256 // of a document

func (w *xdsWalker) start(e xml.StartElement) {
	local := e.Name.Local
	w.path = append(w.path, local)
	get := func(name string) string { v, _ := attr(e, name); return v }
	switch local {
	case "ExtrinsicObject":
		w.documents++
		w.id, w.kept, w.slots, w.title = get("id"), 0, make(map[string][]string), ""
		if len(w.unlabelled) < maxEach {
			w.unlabelled[strings.Clone(w.id)] = true
		} else {
			w.b.unread("XDS metadata: it describes more documents than are read")
		}
		w.b.open()
	case "Classification":
		w.scheme, w.code, w.name = strings.ToLower(strings.TrimSpace(get("classificationScheme"))), get("nodeRepresentation"), ""
		w.of = get("classifiedObject")
		if w.outer == nil && w.slots == nil {
			w.kept = 0
		}
		w.outer, w.slots = w.slots, make(map[string][]string)
	case "Slot":
		w.slot = get("name")
	case "Value":
		w.value.Reset()
	case "LocalizedString":
		if w.ancestor(1) == "Name" {
			switch w.ancestor(2) {
			case "Classification":
				w.name = get("value")
			case "ExtrinsicObject":
				w.title = get("value")
			}
		}
	case "ExternalIdentifier":
		if strings.EqualFold(get("identificationScheme"), xdsPatient) {
			w.patient(get("value"))
		}
	}
}

func (w *xdsWalker) ancestor(n int) string {
	if len(w.path) <= n {
		return ""
	}
	return w.path[len(w.path)-1-n]
}

func (w *xdsWalker) text(s string) {
	if strings.Contains(s, "f4f85eac") { // its tag is broken
		w.b.inside()
	}
	if w.ancestor(0) == "Value" && w.value.Len() < maxValue {
		w.value.WriteString(s)
	}
}

func (w *xdsWalker) end() {
	local := w.ancestor(0)
	w.path = w.path[:len(w.path)-1]
	switch local {
	case "Value":
		if w.slots == nil {
			break
		}
		if w.kept++; w.kept > maxSlotValues {
			w.b.unread("XDS metadata: more values than are read")
		} else {
			w.slots[w.slot] = append(w.slots[w.slot], strings.TrimSpace(w.value.String()))
		}
	case "Classification":
		w.classified()
		w.slots, w.outer = w.outer, nil
	case "ExtrinsicObject":
		w.document()
		w.b.close()
		w.slots, w.id = nil, ""
	}
}

// classified takes a code, with its system in a slot.
func (w *xdsWalker) classified() {
	system := w.first("codingScheme")
	if labels := labelSystemOf(system); labels != otherSystem || w.scheme == xdsConfidentiality {
		delete(w.unlabelled, w.id)
		delete(w.unlabelled, w.of)
		w.b.confidentialityOf(labels, w.code)
		return
	}
	for _, author := range w.slots["authorPerson"] { // XCN
		if p := strings.Split(author, "^"); len(p) > 2 {
			w.b.author(strings.TrimSpace(p[2] + " " + p[1]))
		} else {
			w.b.author(p[0])
		}
	}
	for _, institution := range w.slots["authorInstitution"] { // XON
		name, _, _ := strings.Cut(institution, "^")
		w.b.organisation(name)
	}
	if w.code != "" && system != "" {
		w.b.code(system, w.code)
		w.b.words(w.name)
	}
}

// document takes what was said of a document.
func (w *xdsWalker) document() {
	w.b.title(w.title)
	w.b.date(w.first("creationTime"))
	w.b.period(w.first("serviceStartTime"), w.first("serviceStopTime"))
	w.patient(w.first("sourcePatientId"))
}

func (w *xdsWalker) first(slot string) string {
	if v := w.slots[slot]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// patient takes a CX: its authority is name & universal id & type.
func (w *xdsWalker) patient(cx string) {
	p := append(strings.Split(cx, "^"), "", "", "", "")
	for _, authority := range slices.Compact(append(strings.SplitN(p[3], "&", 3), "", "")[:2]) {
		if authority != "" || p[3] == "" {
			w.b.patient(authority, p[0])
		}
	}
}

// finish looks for what is missing: every document has a confidentiality.
func (w *xdsWalker) finish() {
	switch {
	case w.documents == 0:
		w.b.unread("XDS metadata: it describes no document")
	case len(w.unlabelled) > 0:
		w.b.unread("XDS metadata: a document has no confidentiality")
	}
}
