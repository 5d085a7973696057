package emr

import (
	"strings"

	"github.com/chartseal/chartseal/client/index"
)

// statementPart reports whether an element of a resource is judged alone, and in which
// context at least.
func statementPart(key string) (part bool, context index.Context) {
	switch key {
	case "ruledOut": // ClinicalImpression of DSTU2
		return true, index.Refuted
	case "component", "detail", "prediction":
		return true, ""
	}
	return false, ""
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
	case "draft", "planned", "proposed", "preparation", "pending", "booked", "not-started", "scheduled", "requested", "waitlist":
		return index.Planned
	}
	switch element {
	case "verificationStatus":
		switch code {
		case "unconfirmed", "provisional", "differential":
			return index.Suspected
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
	case "AllergyIntolerance", "Condition": // of DSTU2
		switch status {
		case "resolved", "inactive":
			w.b.inContext(index.Historic)
		case "unconfirmed":
			w.b.inContext(index.Suspected)
		}
	}
	if f.absent && (kind == "Observation" || f.key == "component") {
		for _, at := range f.findings {
			w.b.restate(at, index.Refuted)
		}
	}
}

// codingContext takes what a coding of a certain element tells about its statement.
func (w *fhirWalker) codingContext(f *fhirFrame, at int) {
	code := f.members[fhirCode]
	switch {
	case w.in("verificationStatus"):
		w.b.inContext(statusContext("verificationStatus", code))
		w.b.restate(at, asItIs)
	case w.in("clinicalStatus"):
		w.b.inContext(statusContext("clinicalStatus", code))
		w.b.restate(at, asItIs)
	case w.in("category") || w.in("statusReason") || f.key == "class":
		w.b.restate(at, asItIs)
	case len(code) == 1 && strings.HasSuffix(strings.ToLower(f.members[fhirSystem]), "diagnosesicherheit"):
		w.b.inContext(certainty(code))
		return
	case w.in("valueCodeableConcept"):
		f.absent = f.absent || isAbsent(code)
	case w.in("code"):
		f.said = true
		if at >= 0 && w.b.prefix(f.members[fhirSystem]) != index.LOINC && len(f.findings) < maxIdentifiers {
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

// isAbsent reports whether a code says that a finding is absent: of SNOMED CT, of LOINC
// answers and of HL7 v2 table 0136.
func isAbsent(code string) bool {
	switch code {
	case "2667000", "272519000", "373067005", "LA9634-2", "LA32-8", "N", "absent", "no":
		return true
	}
	return false
}
