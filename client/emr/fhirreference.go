package emr

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// subjects are elements that name whom a resource is about.
var subjects = set("patient", "subject", "beneficiary", "for", "individual")

// reference takes an object that refers to a patient, an author or an organisation.
func (w *fhirWalker) reference(f *fhirFrame) {
	ref := f.members[fhirReference]
	if f.key == "focus" && f.fhirResource != nil && (strings.HasPrefix(ref, "RelatedPerson/") || strings.Contains(ref, "/RelatedPerson/")) {
		f.focus = ref
	}
	w.named(f)
	if key, id, ok := w.patientReference(f); ok {
		w.patient(key, id, f.identifiers)
		if f.fhirResource == nil {
			return
		}
		switch {
		case f.key == "focus":
			f.focus = key
		case f.key == "other" && w.in("link"), f.key == "target" && w.in("link"): // of a Patient or Person
			f.links = append(f.links[:min(len(f.links), maxIdentifiers)], key)
		case subjects[f.key] && f.person == "":
			f.person = key
		case f.weak == "":
			f.weak = key
		}
		return
	}
	switch f.key {
	case "author", "performer", "recorder", "asserter", "requester", "informationSource", "attester", "actor", "individual", "provider", "practitioner":
		if f.members[fhirDisplay] != "" {
			w.b.author(f.members[fhirDisplay])
		} else if ref != "" && f.key == "author" {
			w.names.ask(w.target(ref))
		}
	case "custodian", "managingOrganization", "serviceProvider", "organization", "insurer":
		w.b.organisation(f.members[fhirDisplay])
	case "medicationReference", "itemReference", "specimen", "device", "reference":
		if ref != "" && f.fhirResource != nil && (f.key != "reference" || w.in("medication")) {
			f.uses = append(f.uses[:min(len(f.uses), maxIdentifiers)], w.thing(ref))
		}
	case "encounter", "context":
		if ref != "" && f.fhirResource != nil {
			f.encounter = ref
		}
	}
}

// named takes the name of what a reference is to, if nothing else tells of it: a
// medication has no context of its own.
func (w *fhirWalker) named(f *fhirFrame) {
	display := f.members[fhirDisplay]
	switch {
	case display == "":
	case f.key == "medicationReference", f.key == "reference" && w.in("medication"):
		w.label(f, display)
	case f.members[fhirReference] == "" && (f.key == "reasonReference" || f.key == "condition" || f.key == "reference" || f.key == "itemReference" || f.key == "addresses"):
		w.label(f, display)
	}
}

// target returns the key of an author.
func (w *fhirWalker) target(ref string) string {
	if strings.HasPrefix(ref, "#") {
		return w.local(ref)
	}
	ref, _, _ = strings.Cut(ref, "/_history/")
	if i := strings.LastIndexByte(ref, '/'); i > 0 {
		if j := strings.LastIndexByte(ref[:i], '/'); j >= 0 {
			ref = ref[j+1:]
		}
	}
	ref, _ = withinBundle(ref)
	return "\x00" + ref
}

// local returns the key of a resource that is contained in the present one.
func (w *fhirWalker) local(ref string) string { return "\x00" + strconv.Itoa(w.scope) + ref }

// patient gives a person the id in a reference, and identifiers.
func (w *fhirWalker) patient(key, id string, identifiers []index.Identifier) {
	if id != "" && (id != w.last.id || key != w.last.key) { // mostly the same one again
		w.b.identify(key, "", id)
		w.last.id, w.last.key = id, key
	}
	for _, other := range identifiers {
		w.b.identify(key, other.System, other.Value)
	}
}

// patientReference returns the key of the patient to whom an object refers, and the id in
// the reference:
//
//   - "Patient/1" and "https://host/fhir/Patient/1/_history/2".
//   - "Patient?identifier=SYSTEM|VALUE", which has the identifier instead.
//   - "urn:uuid:1", "urn:oid:1.2" and "#local", in an element that names patients.
//   - an identifier alone, in such an element.
func (w *fhirWalker) patientReference(f *fhirFrame) (key, id string, ok bool) {
	ref := f.members[fhirReference]
	if ref == "" && len(f.identifiers) == 0 {
		return "", "", false
	}
	ref, _, _ = strings.Cut(ref, "/_history/")
	if i := strings.LastIndex(ref, "Patient/"); i == 0 || i > 0 && ref[i-1] == '/' {
		id = ref[i+len("Patient/"):]
		return w.absolute(ref), id, true
	}
	if i := strings.LastIndex(ref, "Patient?"); i == 0 || i > 0 && ref[i-1] == '/' {
		return w.conditional(ref[i+len("Patient?"):])
	}
	kind := f.members[fhirReferenceType]
	if kind != "" && kind != "Patient" && !strings.HasSuffix(kind, "/Patient") {
		return "", "", false
	}
	due := kind != "" && f.key != "identifier" && (ref != "" || len(f.identifiers) > 0) ||
		subjects[f.key] && !(f.key == "individual" && w.in("participant"))
	id, within := withinBundle(ref)
	switch {
	case !due:
		return "", "", false
	case within:
		return patientKey(id), id, true
	case strings.HasPrefix(ref, "#"):
		return w.local(ref), "", true
	case kind != "" && ref != "":
		return ref, ref, true
	case ref == "" && len(f.identifiers) > 0:
		first := f.identifiers[0]
		return "\x00=" + first.System + "|" + first.Value, "", true
	}
	return "", "", false
}

// conditional reads the search parameters of a conditional reference.
func (w *fhirWalker) conditional(query string) (key, id string, ok bool) {
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		switch name, _, _ := strings.Cut(name, ":"); name {
		case "identifier":
			value, _, _ = strings.Cut(value, ",")
			system, number, both := strings.Cut(value, "|")
			if !both {
				system, number = "", value
			}
			key = "\x00=" + system + "|" + number
			w.b.identify(key, system, number)
			return key, "", true
		case "_id":
			return w.absolute(patientKey(value)), value, true
		}
	}
	return "", "", false
}

// whose tells whose statement a resource is.
func (w *fhirWalker) whose(f *fhirFrame) {
	kind, id := f.members[fhirResourceType], f.members[fhirID]
	own := ""
	switch {
	case used[kind] || kind == "Encounter" || kind == "EpisodeOfCare":
		own = "\x00" + w.absolute(kind+"/"+id)
	case f.human != "":
		own = "\x00" + kind + "/" + id
	}
	switch {
	case kind == "Patient" && f.contained: // its id is local
		own = w.local("#" + id)
		w.patient(own, "", f.identifiers)
	case kind == "Patient":
		if own = w.absolute(patientKey(id)); id == "" || w.unaddressed() {
			own = "\x00@" + strconv.Itoa(w.serial)
			if outer := f.outer; id != "" && outer != nil {
				outer.late = patientKey(id)
			}
		}
		w.patient(own, id, f.identifiers)
	case f.contained && own != "":
		own = w.local("#" + id)
	}
	switch {
	case kind == "Patient":
		f.person = own
		for _, other := range f.links {
			w.b.samePerson(own, other)
		}
	case kind == "Person" || kind == "Linkage":
		for i := 1; i < len(f.links); i++ {
			w.b.samePerson(f.links[0], f.links[i])
		}
	}
	person := cmp.Or(f.person, f.weak)
	switch {
	case person == "" && f.encounter != "":
		person = w.thing(f.encounter)
	case person != "" && own != "" && (kind == "Encounter" || kind == "EpisodeOfCare"):
		w.encounter(own, person)
	}
	switch {
	case person != "":
		w.b.subject(person)
		f.patient = person
	case used[kind] && !f.contained:
		w.b.subject(own)
	}
	if f.human != "" {
		w.names.learn(own, f.human)
	}
	if outer := f.outer; outer != nil {
		outer.key, outer.kind, outer.patient = own, kind, person
		if f.human != "" {
			outer.human = f.human
		}
	}
}

// use says that a statement uses other resources, in its own context.
func (w *fhirWalker) use(f *fhirFrame) {
	if f.patient == "" {
		return
	}
	for _, thing := range f.uses {
		w.b.uses(f.patient, thing)
	}
}

// used are resources without a patient that those of patients refer to.
var used = set("Medication", "Substance", "Specimen", "Device", "BiologicallyDerivedProduct", "NutritionProduct")

// entry joins the resource of a Bundle's entry with the entry's full URL.
func (w *fhirWalker) entry(f *fhirFrame) {
	full := f.members[fhirFullURL]
	if f.key != "entry" || f.array || f.fhirResource == nil {
		return
	}
	r := f.fhirResource
	late := r.late
	r.late = ""
	if late != "" && !strings.Contains(full, "://") {
		w.b.samePerson(r.key, late)
	}
	if full == "" {
		return
	}
	id, uuid := withinBundle(full)
	switch {
	case r.kind == "Patient" && uuid:
		w.b.samePerson(r.key, patientKey(id))
	case r.kind == "Patient" && strings.Contains(full, "://"):
		w.b.samePerson(r.key, w.absolute(full))
	case r.human != "":
		w.names.learn(w.target(full), r.human)
	case used[r.kind]:
		w.b.samePerson(r.key, w.thing(full))
	case r.patient != "" && (r.kind == "Encounter" || r.kind == "EpisodeOfCare"):
		w.encounter(w.thing(full), r.patient)
	}
	if noPatients[r.kind] && uuid {
		w.b.noPatient(patientKey(id))
	}
	r.key, r.kind, r.human, r.patient = "", "", "", ""
}

// noPatients are resources that may be a subject without being a patient.
var noPatients = set("Group", "Device", "Location", "Medication", "Substance", "Organization", "Practitioner", "Procedure")

// given keeps a given name.
func (w *fhirWalker) given(frame int, name string) {
	if frame >= 0 && len(w.frames[frame].given) < 8 {
		f := &w.frames[frame]
		f.given = append(f.given, name)
	}
}

// human takes the first name of a person who may be an author.
func (w *fhirWalker) human(f *fhirFrame) {
	if f.fhirResource == nil || f.human != "" {
		return
	}
	f.human = f.members[fhirText]
	if f.members[fhirFamily] != "" {
		f.human = strings.Join(append(f.given, f.members[fhirFamily]), " ")
	}
}

// fhirNames are names of persons, and references to persons whose names are wanted.
type fhirNames struct {
	known map[string]string
	asked []string
}

const maxHumans = 4096 // of one record

func (n *fhirNames) learn(key, name string) {
	if n.known == nil {
		n.known = make(map[string]string)
	}
	if len(n.known) < maxHumans {
		n.known[key] = name
	}
}

func (n *fhirNames) ask(key string) {
	if len(n.asked) < maxHumans {
		n.asked = append(n.asked, key)
	}
}

// finish joins who is the same, and gives the authors that were only referred to.
func (w *fhirWalker) finish() {
	w.join()
	for _, key := range w.names.asked {
		w.b.author(w.names.known[key])
	}
}
