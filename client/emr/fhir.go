package emr

import (
	"bufio"
	"io"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// readJSON reads JSON: FHIR if it says so, otherwise nothing is taken from it.
func readJSON(r io.Reader) *builder {
	in := &limited{r: r, max: MaxParsed}
	b := newBuilder("application/json", "json")
	w := &fhirWalker{b: b}
	s := &jsonScanner{in: bufio.NewReaderSize(in, 64<<10), events: w}
	err := s.run()
	for len(w.frames) > 0 { // what was open when the input broke off still counts
		w.end()
	}
	switch {
	case w.kind == "":
		b = newBuilder("application/json", "json")
	case s.values > 1 || w.listed:
		b.doc.MediaType, b.doc.Kind = "application/fhir+ndjson", "fhir:ndjson"
	default:
		b.doc.MediaType, b.doc.Kind = "application/fhir+json", "fhir:"+w.kind
	}
	in.warn(b, "JSON", err)
	return b
}

// fhirWalker takes from FHIR what the index wants, as elements stream by. It does not
// know the resources' definitions: FHIR's data types can be told from the names of their
// parts, wherever they are.
type fhirWalker struct {
	b      *builder
	frames []frame
	kind   string // resource type of the first resource
	listed bool   // resources stand in an array at the top
}

// frame is an open object or array with those of its parts that are judged when it ends,
// as parts come in any order.
type frame struct {
	key   string // own, or that of the array it is in
	array bool

	resourceType, id, system, code, value, reference, typ, display, title, description, name, birthDate string

	identifiers []index.Identifier // of children named identifier
}

const maxIdentifiers = 64 // of one resource

func (w *fhirWalker) begin(key string, array bool) {
	if key == "" && len(w.frames) > 0 {
		key = w.frames[len(w.frames)-1].key
	}
	w.frames = append(w.frames, frame{key: key, array: array})
}

func (w *fhirWalker) scalar(key, value string) {
	if len(w.frames) == 0 {
		return
	}
	f := &w.frames[len(w.frames)-1]
	if f.array {
		if isFHIRDate(f.key, value) { // such as Timing.event
			w.b.date(value)
		}
		return
	}
	switch key {
	case "resourceType":
		f.resourceType = kindPart(value)
		// The first one at the top decides the kind, even of a record that breaks off
		// later.
		if w.kind == "" && (len(w.frames) == 1 || len(w.frames) == 2 && w.frames[0].array) {
			w.kind, w.listed = f.resourceType, len(w.frames) == 2
		}
	case "id":
		f.id = value
	case "system":
		f.system = value
	case "code":
		f.code = value
	case "value":
		f.value = value
	case "reference":
		f.reference = value
	case "type":
		f.typ = value
	case "display":
		f.display = value
	case "title":
		f.title = value
	case "description":
		f.description = value
	case "name":
		f.name = value
	case "birthDate":
		f.birthDate = value
	case "lastUpdated": // the server's doing, not the record's
	default:
		if isFHIRDate(key, value) {
			w.b.date(value)
		}
	}
}

// isFHIRDate tells dates from other strings. Whole days are told by their form, a year or
// a month only by the element's name too.
func isFHIRDate(key, value string) bool {
	if len(value) >= 10 {
		return value[4] == '-' && value[7] == '-' && (len(value) == 10 || value[10] == 'T')
	}
	if len(value) != 4 && (len(value) != 7 || value[4] != '-') {
		return false
	}
	switch key {
	case "start", "end", "issued", "recorded", "authoredOn", "created", "sent", "received":
		return true
	}
	return strings.HasSuffix(key, "Date") || strings.HasSuffix(key, "DateTime") || key == "date"
}

func (w *fhirWalker) end() {
	f := w.frames[len(w.frames)-1]
	w.frames = w.frames[:len(w.frames)-1]
	if f.array {
		if f.key == "identifier" && len(w.frames) > 0 { // hand the array's children on to the object
			w.adopt(f.identifiers)
		}
		return
	}
	switch {
	case f.resourceType != "":
		w.resource(f)
	case f.key == "identifier" && f.value != "":
		w.adopt([]index.Identifier{{System: f.system, Value: f.value}})
	case f.system != "" && f.code != "":
		w.coding(f)
	default:
		w.reference(f)
	}
	if f.resourceType == "" && f.key == "attachment" {
		w.b.title(f.title)
	}
}

func (w *fhirWalker) adopt(ids []index.Identifier) {
	if len(w.frames) == 0 {
		return
	}
	parent := &w.frames[len(w.frames)-1]
	parent.identifiers = append(parent.identifiers, ids[:min(len(ids), maxIdentifiers-len(parent.identifiers))]...)
}

func (w *fhirWalker) resource(f frame) {
	w.b.title(f.title)
	switch f.resourceType {
	case "Patient":
		w.b.patient("", f.id)
		for _, id := range f.identifiers {
			w.b.patient(id.System, id.Value)
		}
		w.b.born(f.birthDate)
	case "Organization":
		w.b.organisation(f.name)
	case "DocumentReference", "DocumentManifest":
		w.b.title(f.description)
	}
}

func (w *fhirWalker) coding(f frame) {
	if f.system == "http://unitsofmeasure.org" {
		return // a quantity's unit
	}
	w.b.code(f.system, f.code)
	if w.in("serviceType") || w.in("specialty") {
		w.b.department(f.display)
	}
	switch f.key {
	case "modality":
		w.b.modality(f.code)
	case "security":
		if strings.HasSuffix(f.system, "/v3-Confidentiality") || strings.HasSuffix(f.system, "/v3/Confidentiality") {
			w.b.confidentiality(f.code)
		}
	}
}

// in reports whether the element that holds a coding has that name; there may be lists in
// between.
func (w *fhirWalker) in(name string) bool {
	for i := len(w.frames) - 1; i >= max(0, len(w.frames)-3); i-- {
		if w.frames[i].key == name {
			return true
		}
	}
	return false
}

// reference looks whether an object is a reference to a patient, an author or an
// organisation.
func (w *fhirWalker) reference(f frame) {
	id, isPatient := patientReference(f)
	if isPatient {
		w.b.patient("", id)
		for _, other := range f.identifiers {
			w.b.patient(other.System, other.Value)
		}
		return
	}
	switch f.key {
	case "author", "performer", "recorder", "asserter", "requester", "informationSource", "attester", "actor", "individual", "provider", "practitioner":
		w.b.author(f.display)
	case "custodian", "managingOrganization", "serviceProvider", "organization", "insurer":
		w.b.organisation(f.display)
	}
}

// patientReference returns the id in a reference to a patient: "Patient/1",
// "https://host/fhir/Patient/1/_history/2", or "urn:uuid:1" where an element can hardly
// refer to anyone else.
func patientReference(f frame) (id string, ok bool) {
	ref, _, _ := strings.Cut(f.reference, "/_history/")
	if i := strings.LastIndex(ref, "Patient/"); i == 0 || i > 0 && ref[i-1] == '/' {
		return ref[i+len("Patient/"):], true
	}
	if f.typ == "Patient" {
		return strings.TrimPrefix(ref, "urn:uuid:"), true
	}
	if f.typ != "" {
		return "", false
	}
	switch f.key {
	case "patient", "subject", "beneficiary", "for":
		if id, ok := strings.CutPrefix(ref, "urn:uuid:"); ok {
			return id, true
		}
		return "", f.key == "patient" && len(f.identifiers) > 0
	}
	return "", false
}
