package emr

import (
	"math/bits"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// A fhirWalker takes facts from FHIR as elements stream by. It hardly knows the
// definitions of the resources: the names of the members tell FHIR's data types, in all
// its releases. Every resource is a statement.
type fhirWalker struct {
	b      *builder
	xml    bool
	frames []fhirFrame
	kind   string // resource type of the first resource
	listed bool   // resources stand in an array at the top

	resources bool // there is a resource, perhaps deep in other JSON
	serial    int  // of the last resource that is not contained in another
	scope     int  // of local references: the serial of the open one
	names     fhirNames
	unused    []*fhirResource
	last      struct{ key, id string } // of the last reference to a patient

	servers    fhirServers
	encounters map[string]string // keys of their patients
}

// A fhirFrame is an open object or array. Its members come in any order, so those that
// belong together are kept until it ends.
type fhirFrame struct {
	key         string // own, or that of the array it is in
	array       bool
	statement   bool // opened one: it is a resource, or a part that is judged alone
	entry       bool // of a Bundle or List: it opened one for all within
	resource    bool // stands where a resource is due
	contained   bool
	admin       bool // administrative: its dates and texts are not clinical
	twice       bool // system or code is there twice, and differs
	general     bool // tells nothing of the patient alone
	members     [memberCount]string
	has         uint32             // the members that are set
	identifiers []index.Identifier // of children named identifier
	given       []string           // of a name
	*fhirResource
}

// clear makes a frame new. Only what was set costs time.
func (f *fhirFrame) clear() {
	for set := f.has; set != 0; set &= set - 1 {
		f.members[bits.TrailingZeros32(set)] = ""
	}
	f.has, f.identifiers, f.given, f.fhirResource = 0, nil, nil, nil
	f.statement, f.entry, f.resource, f.contained, f.admin, f.twice, f.general = false, false, false, false, false, false, false
}

// A fhirResource is what a resource keeps until it ends, besides its members. The frames
// within share it.
type fhirResource struct {
	outer     *fhirResource
	key       string // of a resource within, for the entry that holds it
	kind      string // its type
	patient   string // key of its patient
	late      string // its key unless the entry tells its address
	person    string // key of its patient
	weak      string // the same, by a reference that need not be its subject
	encounter string // reference to the encounter
	human     string // name of a person
	links     []string
	uses      []string
	narrative string
	said      bool   // it has a code or a text
	absent    bool   // an observation that its finding is absent
	unmade    bool   // an observation that was not made
	family    bool   // an observation on relatives
	focus     string // key of the person on whom it is, if that is told
	ended     bool   // it has an abatement
	status    bool   // it has a clinical status
	findings  []int
}

// newResource returns one within another, nil outside all.
func (w *fhirWalker) newResource(outer *fhirResource) *fhirResource {
	n := len(w.unused)
	if n == 0 {
		return &fhirResource{outer: outer}
	}
	r := w.unused[n-1]
	w.unused = w.unused[:n-1]
	*r = fhirResource{outer: outer, links: r.links[:0], uses: r.uses[:0], findings: r.findings[:0]}
	return r
}

func (w *fhirWalker) begin(key string, array bool) {
	if key == fhirConfidentiality && !w.xml { // it is due to be a code
		w.b.confidentiality("")
	}
	n := len(w.frames)
	if n < cap(w.frames) {
		w.frames = w.frames[:n+1]
		w.frames[n].clear()
	} else {
		w.frames = append(w.frames, fhirFrame{})
	}
	f := &w.frames[n]
	f.key, f.array = key, array
	if n > 0 {
		w.noteEnd(&w.frames[n-1], key)
	}
	if n > 0 {
		outer := &w.frames[n-1]
		if key == "" {
			f.key = outer.key
		}
		f.admin = outer.admin || isAdministrative(f.key)
		f.general = outer.general || f.key == "referenceRange" || f.key == "provision" || f.key == "except"
		f.fhirResource = outer.fhirResource
	}
	if !array {
		switch {
		case w.xml:
			f.resource = isResourceName(f.key)
		default:
			f.resource = n == 0 || n == 1 && w.frames[0].array || f.key == "resource" || f.key == "contained"
		}
		if f.resource {
			w.beginResource(f)
		} else if f.key == "entry" && n > 0 {
			f.entry = w.mayBeDeleted()
			if f.entry {
				w.b.hold()
			}
		} else if part, context := statementPart(f.key); part && n > 0 {
			f.statement = true
			w.b.open()
			w.b.inContext(context)
			f.fhirResource = w.newResource(f.fhirResource)
		}
	}
}

// mayBeDeleted reports whether the entry that begins may say that what is in it is
// deleted. Most types of Bundles have no such entries.
func (w *fhirWalker) mayBeDeleted() bool {
	switch w.bundleType() {
	case "collection", "searchset", "document", "message":
		return false
	}
	return true
}

// bundleType returns the type of the Bundle around the entry that is open, if it is known
// already.
func (w *fhirWalker) bundleType() string {
	for i := len(w.frames) - 1; i >= 0; i-- {
		if f := &w.frames[i]; f.statement {
			return f.members[fhirReferenceType]
		}
	}
	return ""
}

func (w *fhirWalker) beginResource(f *fhirFrame) {
	for i := len(w.frames) - 2; i >= max(0, len(w.frames)-3) && !f.contained; i-- {
		f.contained = w.frames[i].key == "contained"
	}
	if f.contained = f.contained || f.key == "contained"; !f.contained {
		w.serial++
		w.scope = w.serial
	}
	f.statement, f.admin = true, false
	f.fhirResource = w.newResource(f.fhirResource)
	w.b.open()
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
		switch {
		case f.key == "given":
			w.given(len(w.frames)-2, text)
		case !f.admin && isFHIRDate(f.key, text): // such as Timing.event
			w.b.date(text)
		}
		return
	}
	m, ok := memberOf(key)
	switch {
	case key == fhirConfidentiality:
		w.b.confidentiality(text)
	case !ok:
		w.other(f, key, text)
	case m == fhirResourceType:
		w.resources = true
		text = kindPart(text)
		// The first one at the top decides the kind, even of a record that breaks off
		// later.
		if w.kind == "" && (len(w.frames) == 1 || len(w.frames) == 2 && w.frames[0].array) {
			w.kind, w.listed = text, len(w.frames) == 2
		}
		if !f.resource && !f.statement { // such as the outcome of a request
			f.resource = true
			w.beginResource(f)
		}
		fallthrough
	default:
		f.twice = f.twice || (m == fhirSystem || m == fhirCode) && f.members[m] != "" && f.members[m] != text
		f.members[m] = text
		f.has |= 1 << m
		if m == fhirURL && f.key != "" && !f.statement && isRuledOut(f.key, text) {
			f.statement = true
			w.b.open()
			w.b.inContext(index.Refuted)
			f.fhirResource = w.newResource(f.fhirResource)
		}
	}
}

// other takes a string that is judged alone.
func (w *fhirWalker) other(f *fhirFrame, key, text string) {
	w.noteEnd(f, key)
	switch {
	case key == "div" && f.key == "text":
		f.narrative = text
	case key == "method" && f.key == "request" && text == "DELETE", key == "deleted" && f.entry && text == "true":
		w.b.inContext(index.Error)
	case key == "given": // in XML
		w.given(len(w.frames)-1, text)
	case f.statement && w.flag(key, text):
	case f.statement && (key == "verificationStatus" || key == "clinicalStatus"):
		w.b.inContext(statusContext(key, text))
	case f.statement && prose[key]:
		w.b.mention(text)
	case f.statement && (key == "valueBoolean" && text == "false" || key == "valueString" && isAbsentWord(text)):
		f.absent = true
	case f.statement && key == "actuality" && text == "potential": // of an adverse event
		w.b.inContext(index.Risk)
	case !noClinicalDates[key] && !f.admin && isFHIRDate(key, text):
		w.b.date(text)
	}
}

func (w *fhirWalker) bare(key string, is byte) {
	if len(w.frames) == 0 {
		return
	}
	if w.isSecurity(key) || key == fhirConfidentiality {
		w.b.confidentiality("")
	}
	if f := &w.frames[len(w.frames)-1]; (f.statement || f.entry) && !f.array && (is == 't' || is == 'f') {
		switch {
		case f.entry && key == "deleted" && is == 't':
			w.b.inContext(index.Error)
		case is == 't':
			w.flag(key, "true")
		case key == "valueBoolean":
			f.absent = true
		}
	}
}

// fhirConfidentiality is a member of a Composition, a code.
const fhirConfidentiality = "confidentiality"

func (w *fhirWalker) end() {
	f := &w.frames[len(w.frames)-1] // it stays until the next begin
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
	if f.members[fhirSystem] != "" || f.members[fhirCode] != "" || f.key == "security" {
		w.security(f)
	}
	w.times(f)
	switch {
	case f.members[fhirResourceType] != "":
		w.resource(f)
	case f.key == "identifier" && f.members[fhirValue] != "":
		w.adopt([]index.Identifier{{System: f.members[fhirSystem], Value: f.members[fhirValue]}})
	case f.members[fhirCode] != "" && (f.members[fhirSystem] != "" || f.key == "coding" || f.key == "valueCoding"):
		w.coding(f)
	case f.key == "coding" && f.members[fhirDisplay] != "":
		w.label(f, f.members[fhirDisplay])
	case f.key == "name" && f.members[fhirFamily]+f.members[fhirText]+strings.Join(f.given, "") != "":
		w.human(f)
	default:
		w.reference(f)
		w.concept(f)
	}
	if f.members[fhirResourceType] == "" && f.key == "attachment" {
		w.b.title(f.members[fhirTitle])
	}
	if f.statement {
		w.judge(f)
		w.use(f)
		w.b.close()
		if !f.resource && f.outer != nil {
			f.outer.said = f.outer.said || f.said
		}
		outer := f.outer
		w.unused = append(w.unused, f.fhirResource)
		f.fhirResource = outer
	}
	if f.entry {
		w.b.close()
	}
	w.entry(f)
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

func (w *fhirWalker) resource(f *fhirFrame) {
	w.b.title(f.members[fhirTitle])
	switch f.members[fhirResourceType] {
	case "Patient":
		w.b.born(f.members[fhirBirthDate])
	case "Organization":
		w.b.organisation(f.members[fhirName])
	case "DocumentReference", "DocumentManifest":
		w.b.title(f.members[fhirDescription])
	case "ImagingStudy":
		w.b.words(f.members[fhirDescription])
	}
	w.whose(f)
	if !f.said && f.narrative != "" {
		w.b.words(stripTags(f.narrative))
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
