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
	case "reason", "reasonCode", "reasonReference", "reasonCodeableConcept", "reasonForUse", "reasonForUseCodeableConcept", "indication", "diagnosis", "diagnosisCodeableConcept", "addresses",
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
	if f.general {
		c = index.Mentioned
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
		case c == "" && (key == "asNeededCodeableConcept" || key == "asNeededFor"):
			c = index.Risk
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

// statusContext returns the context of a status by its code, or by the name of that.
func statusContext(element, code string) index.Context {
	if len(code) > 32 {
		return ""
	}
	code = strings.ReplaceAll(strings.ToLower(code), " ", "-")
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
		return snomedStatus[code]
	case "adherence": // of R5
		if code == "not-taking" {
			return index.NotDone
		}
	case "clinicalStatus":
		switch code {
		case "resolved", "inactive", "remission":
			return index.Historic
		}
		return snomedStatus[code]
	}
	return ""
}

// snomedStatus are contexts by the codes of SNOMED CT for the status of a condition.
var snomedStatus = map[string]index.Context{
	"410516002": index.Refuted, "410594000": index.Refuted, "410593006": index.Refuted, "723511001": index.Refuted, "723510000": index.Error,
	"410590009": index.Suspected, "410592001": index.Suspected, "415684004": index.Suspected, "410596003": index.Suspected, "47965005": index.Suspected,
	"413322009": index.Historic, "73425007": index.Historic, "277022003": index.Historic,
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
	case "proposal", "plan", "option":
		if kind != "CarePlan" { // always one, of what is done
			w.b.inContext(index.Planned)
		}
	}
	switch kind {
	case "FamilyMemberHistory":
		w.b.inContext(index.Family)
	case "Goal":
		w.b.inContext(index.Planned)
	case "Composition":
		if context == index.Error && w.bundleType() == "document" { // all of which is one
			w.b.errorAround()
		}
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
	if f.family || f.focus != "" && f.focus != f.patient {
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
		f.absent = f.absent || isAbsent(system, code) || isAbsentWord(f.members[fhirDisplay])
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
