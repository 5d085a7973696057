package emr

import (
	"cmp"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// A fhirWalker takes facts from FHIR as elements stream by. It does not know the
// definitions of the resources: the names of the members tell FHIR's data types.
type fhirWalker struct {
	b      *builder
	frames []fhirFrame
	kind   string // resource type of the first resource
	listed bool   // resources stand in an array at the top

	resources bool // there is a resource, perhaps deep in other JSON
}

// A fhirFrame is an open object or array. Its members come in any order, so those that
// belong together are kept until it ends.
type fhirFrame struct {
	key         string // own, or that of the array it is in
	array       bool
	members     [memberCount]string
	identifiers []index.Identifier // of children named identifier
	twice       bool               // system or code is there twice, and differs
}

// A member is a string of an object that is judged together with its other members.
type member int

const (
	fhirResourceType member = iota
	fhirID
	fhirSystem
	fhirCode
	fhirValue
	fhirReference
	fhirReferenceType
	fhirDisplay
	fhirTitle
	fhirDescription
	fhirName
	fhirBirthDate
	memberCount = iota
)

var members = map[string]member{
	"resourceType": fhirResourceType, "id": fhirID, "system": fhirSystem, "code": fhirCode, "value": fhirValue, "reference": fhirReference,
	"type": fhirReferenceType, "display": fhirDisplay, "title": fhirTitle, "description": fhirDescription, "name": fhirName,
	"birthDate": fhirBirthDate,
}

const maxIdentifiers = 64 // of one resource

func (w *fhirWalker) begin(key string, array bool) {
	if key == "" && len(w.frames) > 0 {
		key = w.frames[len(w.frames)-1].key
	}
	w.frames = append(w.frames, fhirFrame{key: key, array: array})
}

func (w *fhirWalker) scalar(key, text string) {
	if len(w.frames) == 0 {
		return
	}
	f := &w.frames[len(w.frames)-1]
	if w.isSecurity(key) { // a code, where a coding is due
		w.b.confidentiality(text)
	}
	if f.array {
		if isFHIRDate(f.key, text) { // such as Timing.event
			w.b.date(text)
		}
		return
	}
	m, ok := members[key]
	switch {
	case key == "confidentiality": // of a Composition
		w.b.confidentiality(text)
	case !ok:
		// lastUpdated is administrative.
		if key != "lastUpdated" && isFHIRDate(key, text) {
			w.b.date(text)
		}
	case m == fhirResourceType:
		w.resources = true
		text = kindPart(text)
		// The first one at the top decides the kind, even of a record that breaks off
		// later.
		if w.kind == "" && (len(w.frames) == 1 || len(w.frames) == 2 && w.frames[0].array) {
			w.kind, w.listed = text, len(w.frames) == 2
		}
		fallthrough
	default:
		f.twice = f.twice || (m == fhirSystem || m == fhirCode) && f.members[m] != "" && f.members[m] != text
		f.members[m] = text
	}
}

func (w *fhirWalker) bare(key string) {
	if len(w.frames) > 0 && w.isSecurity(key) {
		w.b.confidentiality("")
	}
}

// isSecurity reports whether a member, or an element of the current array, is a security
// label of a resource.
func (w *fhirWalker) isSecurity(key string) bool {
	f := &w.frames[len(w.frames)-1]
	if f.array {
		return f.key == "security" && w.in("meta")
	}
	return key == "security" && f.key == "meta"
}

// isFHIRDate tells dates from other strings. The form suffices for whole days. A year or
// a month also needs the name of a date.
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
		if f.key == "identifier" { // hand the array's children on to the object
			w.adopt(f.identifiers)
		}
		return
	}
	if f.twice {
		w.b.unread("a code or its system is there twice")
	}
	w.security(f)
	switch {
	case f.members[fhirResourceType] != "":
		w.resource(f)
	case f.key == "identifier" && f.members[fhirValue] != "":
		w.adopt([]index.Identifier{{System: f.members[fhirSystem], Value: f.members[fhirValue]}})
	case f.members[fhirSystem] != "" && f.members[fhirCode] != "":
		w.coding(f)
	default:
		w.reference(f)
	}
	if f.members[fhirResourceType] == "" && f.key == "attachment" {
		w.b.title(f.members[fhirTitle])
	}
}

// adopt hands identifiers to the innermost open object or array.
func (w *fhirWalker) adopt(ids []index.Identifier) {
	if len(w.frames) == 0 {
		return
	}
	w.b.work.spend(len(ids))
	parent := &w.frames[len(w.frames)-1]
	if len(parent.identifiers) == 0 { // nobody else keeps them
		parent.identifiers = ids
		return
	}
	parent.identifiers = append(parent.identifiers, ids[:min(len(ids), maxIdentifiers-len(parent.identifiers))]...)
}

func (w *fhirWalker) resource(f fhirFrame) {
	w.b.title(f.members[fhirTitle])
	switch f.members[fhirResourceType] {
	case "Patient":
		w.patient(f.members[fhirID], f.identifiers)
		w.b.born(f.members[fhirBirthDate])
	case "Organization":
		w.b.organisation(f.members[fhirName])
	case "DocumentReference", "DocumentManifest":
		w.b.title(f.members[fhirDescription])
	}
}

func (w *fhirWalker) coding(f fhirFrame) {
	system, code := f.members[fhirSystem], f.members[fhirCode]
	if system == "http://unitsofmeasure.org" {
		return // a quantity's unit
	}
	w.b.code(system, code)
	if w.in("serviceType") || w.in("specialty") {
		w.b.department(f.members[fhirDisplay])
	}
	if f.key == "modality" {
		w.b.modality(code)
	}
}

// security takes a coding of confidentiality, wherever it is. In an element for security
// labels, the code suffices. Labels of other systems, such as obligations, are no
// confidentiality.
func (w *fhirWalker) security(f fhirFrame) {
	system, code := labelSystemOf(f.members[fhirSystem]), f.members[fhirCode]
	label := f.key == "security" && w.in("meta") || f.key == "coding" && w.in("securityLabel")
	if system != otherSystem || label && (f.members[fhirSystem] == "" || isConfidentialityCode(code)) {
		w.b.confidentialityOf(system, cmp.Or(code, f.members[fhirDisplay]))
	}
}

// in reports whether the current object is within an element of that name, with up to two
// lists or objects between them.
func (w *fhirWalker) in(name string) bool {
	for i := len(w.frames) - 1; i >= max(0, len(w.frames)-3); i-- {
		if w.frames[i].key == name {
			return true
		}
	}
	return false
}

// reference takes an object that refers to a patient, an author or an organisation.
func (w *fhirWalker) reference(f fhirFrame) {
	if patient, ok := patientReference(f); ok {
		w.patient(patient, f.identifiers)
		return
	}
	switch f.key {
	case "author", "performer", "recorder", "asserter", "requester", "informationSource", "attester", "actor", "individual", "provider", "practitioner":
		w.b.author(f.members[fhirDisplay])
	case "custodian", "managingOrganization", "serviceProvider", "organization", "insurer":
		w.b.organisation(f.members[fhirDisplay])
	}
}

func (w *fhirWalker) patient(id string, identifiers []index.Identifier) {
	w.b.patient("", id)
	for _, other := range identifiers {
		w.b.patient(other.System, other.Value)
	}
}

// patientReference returns the id in a reference to a patient: "Patient/1",
// "https://host/fhir/Patient/1/_history/2", or "urn:uuid:1" in an element that refers to
// patients.
func patientReference(f fhirFrame) (patient string, ok bool) {
	ref, _, _ := strings.Cut(f.members[fhirReference], "/_history/")
	if i := strings.LastIndex(ref, "Patient/"); i == 0 || i > 0 && ref[i-1] == '/' {
		return ref[i+len("Patient/"):], true
	}
	if f.members[fhirReferenceType] == "Patient" {
		return strings.TrimPrefix(ref, "urn:uuid:"), true
	}
	if f.members[fhirReferenceType] != "" {
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
