package emr

import (
	"cmp"
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// statementPart reports whether an element of a resource is judged alone, and in which
// context at least.
func statementPart(key string) (part bool, context index.Context) {
	switch key {
	case "ruledOut": // ClinicalImpression of DSTU2
		return true, index.Refuted
	case "component", "detail":
		return true, ""
	case "prediction", "targetDisease":
		return true, index.Risk
	case "recommendation": // of vaccines
		return true, index.Planned
	case "contraindicatedVaccineCode", "excludeFoodModifier":
		return true, index.NotDone
	}
	return false, ""
}

// isReason recognises elements that tell why something is done, and therefore what there
// is even if it is not done.
func isReason(key string) bool {
	switch key {
	case "reason", "reasonCode", "reasonCodeableConcept", "reasonForUse", "reasonForUseCodeableConcept", "indication", "diagnosis", "diagnosisCodeableConcept", "addresses",
		"statusReason", "reasonNotPerformed", "reasonNotGiven", "reasonNotTaken", "notDoneReason", "refusalReason":
		return true
	}
	return false
}

// surroundings returns the element of a status in which a code or text stands, or else
// its context by the elements around it. Codes of categories and of administration tell
// about the statement.
func (w *fhirWalker) surroundings(f *fhirFrame) (status string, c index.Context) {
	if f.admin || f.fhirResource == nil || f.key == "class" {
		c = asItIs
	}
	for i := len(w.frames); i >= max(0, len(w.frames)-6); i-- {
		key := f.key
		if i < len(w.frames) {
			if w.frames[i].statement {
				break
			}
			key = w.frames[i].key
		}
		near := i >= len(w.frames)-3
		switch {
		case near && (key == "verificationStatus" || key == "clinicalStatus" || key == "adherence" && w.in("code")):
			return key, c
		case near && (key == "category" || key == "dataAbsentReason"):
			c = cmp.Or(c, asItIs)
		case c == "" && isReason(key):
			c = asReason
		}
	}
	return "", c
}

// noteEnd notes members of a condition that tell whether it is over.
func (w *fhirWalker) noteEnd(f *fhirFrame, key string) {
	switch {
	case len(key) < 9 || f.fhirResource == nil:
	case key == "clinicalStatus":
		f.status = true
	case strings.HasPrefix(key, "abatement") && key != "abatementBoolean":
		f.ended = true
	}
}

// isRuledOut recognises the extension that lists what a condition is not.
func isRuledOut(key, url string) bool {
	return strings.HasSuffix(key, "xtension") && strings.HasSuffix(strings.ToLower(url), "ruledout")
}

// flag takes a member that is true or false. It reports whether the member is a context.
func (w *fhirWalker) flag(key, value string) bool {
	context := index.Context("")
	switch key {
	case "doNotPerform", "notDone", "notGiven", "wasNotGiven", "notPerformed", "wasNotTaken", "prohibited":
		context = index.NotDone
	case "abatementBoolean":
		context = index.Historic
	case "refuted":
		context = index.Refuted
	default:
		return false
	}
	if value == "true" {
		w.b.inContext(context)
	}
	return true
}

// statusContext returns the context of a status by its code.
func statusContext(element, code string) index.Context {
	if len(code) > 32 {
		return ""
	}
	switch code {
	case "entered-in-error", "error":
		return index.Error
	case "refuted":
		return index.Refuted
	case "not-done", "not-taken", "cancelled", "canceled", "revoked", "rejected", "noshow", "abandoned", "declined", "failed", "suspended-not-done":
		return index.NotDone
	case "draft", "planned", "proposed", "preparation", "pending", "booked", "not-started", "scheduled", "requested", "waitlist", "intended":
		return index.Planned
	}
	switch element {
	case "verificationStatus":
		switch code {
		case "unconfirmed", "presumed", "provisional", "differential":
			return index.Suspected
		}
	case "adherence": // of R5
		if code == "not-taking" {
			return index.NotDone
		}
	case "clinicalStatus":
		switch code {
		case "resolved", "inactive", "remission":
			return index.Historic
		}
	}
	return ""
}

// noActs are resources whose status is one of the document or of the administration, and
// says nothing about what they contain. An error in them is one all the same.
var noActs = set("Bundle", "Parameters", "Composition", "DocumentReference", "DocumentManifest", "List", "Consent", "Contract", "Coverage", "Account",
	"Slot", "Schedule", "ValueSet", "CodeSystem", "ConceptMap", "StructureDefinition", "Questionnaire", "QuestionnaireResponse", "Library", "Measure",
	"PlanDefinition", "ActivityDefinition", "CapabilityStatement", "NamingSystem", "SearchParameter", "OperationDefinition", "ImplementationGuide")

// judge sets the context of a statement that ends.
func (w *fhirWalker) judge(f *fhirFrame) {
	kind := f.members[fhirResourceType]
	if f.resource && kind == "" {
		return
	}
	status := f.members[fhirStatus]
	context := statusContext("status", status)
	if context != index.Error && noActs[kind] {
		context = ""
	}
	w.b.inContext(context)
	switch f.members[fhirIntent] {
	case "proposal", "plan":
		if kind != "CarePlan" { // always one, of what is done
			w.b.inContext(index.Planned)
		}
	}
	switch kind {
	case "FamilyMemberHistory":
		w.b.inContext(index.Family)
	case "MedicationStatement":
		if status == "n" { // taken, of STU3
			w.b.inContext(index.NotDone)
		}
	case "AllergyIntolerance", "Condition", "Flag": // the first two of DSTU2
		switch status {
		case "resolved", "inactive":
			w.b.inContext(index.Historic)
		case "unconfirmed":
			w.b.inContext(index.Suspected)
		}
	}
	if kind == "Condition" && f.ended && !f.status {
		w.b.inContext(index.Historic)
	}
	if kind != "Observation" && f.key != "component" {
		return
	}
	if f.unmade {
		w.b.inContext(index.NotDone)
	}
	if f.family {
		w.b.inContext(index.Family)
	}
	if f.absent {
		for _, at := range f.findings {
			w.b.restate(at, index.Refuted)
		}
	}
}

// isFHIRCertainty recognises the system of the German certainty of a diagnosis.
func isFHIRCertainty(system string) bool {
	const name = "diagnosesicherheit"
	return len(system) > len(name) && strings.EqualFold(system[len(system)-len(name):], name)
}

// codingContext takes what a coding of a certain element tells about its statement.
func (w *fhirWalker) codingContext(f *fhirFrame, at int) {
	system, code := f.members[fhirSystem], f.members[fhirCode]
	prefix := w.b.prefix(system)
	if prefix == index.SNOMED {
		w.b.inContext(snomedContext(code))
	}
	switch {
	case w.b.aside != "":
		if w.in("dataAbsentReason") {
			switch code {
			case "not-performed", "not-asked", "asked-declined":
				f.unmade = true
			}
		}
	case w.in("valueCodeableConcept"):
		f.absent = f.absent || isAbsent(system, code)
	case w.in("interpretation"):
		f.absent = f.absent || isNegative(code)
	case w.in("code"):
		f.said = true
		loinc := prefix == index.LOINC
		if (loinc || prefix == index.SNOMED) && familyHistory[code] {
			f.family = true
		}
		if at >= 0 && !loinc && len(f.findings) < maxIdentifiers {
			f.findings = append(f.findings, at) // a LOINC code names the question, which was asked
		}
	default:
		f.said = true
	}
}

// certainty returns the context of the German certainty of a diagnosis: A for excluded, V
// for suspected, Z for a state after it, G for certain.
func certainty(code string) index.Context {
	switch code {
	case "A":
		return index.Refuted
	case "V":
		return index.Suspected
	case "Z":
		return index.Historic
	}
	return ""
}
