package emr

import "testing"

const (
	loinc18  = `{"coding":[{"system":"http://loinc.org","code":"1-8","display":"Probe"}]}`
	snomed22 = `{"coding":[{"system":"http://snomed.info/sct","code":"22298006"}]}`
)

func resourceOf(kind, members string) string {
	return `{"resourceType":"` + kind + `","subject":{"reference":"Patient/p"},` + members + `}`
}

func entryOf(act string) string { return "<entry>" + act + "</entry>" }

// A thing that a statement refers to is meant as the statement is.
func TestContextOfWhatIsUsed(t *testing.T) {
	medication := `"resource":{"resourceType":"Medication","id":"m","code":` + loinc18 + `}`
	use := func(patient, status string) string {
		return `"resource":{"resourceType":"MedicationStatement","status":"` + status + `","subject":{"reference":"Patient/` + patient + `"},"medicationReference":{"reference":"Medication/m"}}`
	}
	testTerms(t, []termCase{
		{"before", entriesOf(medication, use("p", "not-taken")), "not-done:loinc:1-8 not-done:word:probe pair:patient:p&not-done:loinc:1-8", "loinc:1-8 word:probe pair:patient:p&loinc:1-8"},
		{"after", entriesOf(use("p", "entered-in-error"), medication), "error:loinc:1-8", "loinc:1-8"},
		{"contained", `{"resourceType":"MedicationStatement","contained":[{"resourceType":"Medication","id":"m","code":` + loinc18 + `}],"status":"not-taken","medicationReference":{"reference":"#m"}}`,
			"not-done:loinc:1-8", "loinc:1-8"},
		{"twice", entriesOf(use("p", "not-taken"), use("p", "completed"), medication), "loinc:1-8 not-done:loinc:1-8", ""},
		{"two patients", entriesOf(use("p", "not-taken"), use("q", "active"), medication), "loinc:1-8 pair:patient:q&loinc:1-8 pair:patient:p&not-done:loinc:1-8", "pair:patient:p&loinc:1-8 pair:patient:q&not-done:loinc:1-8"},
		{"not used", entriesOf(medication), "loinc:1-8", ""},
	})
}

// The reason for what was not done, or is planned, exists all the same.
func TestReasonsAreThere(t *testing.T) {
	order := "MSH|^~\\&|a|HA\rPID|1||7^^^HA\rORC|CA|||||||||||||||1-8^Stop^LN\rOBR|1|||2-6^x^LN|||||||||||||||||||||||||||I21.4^Infarct^I10\rDG1|1||F20.0^x^I10\r"
	testTerms(t, []termCase{
		{"not done", resourceOf("Procedure", `"status":"not-done","code":`+loinc18+`,"reasonCode":[`+snomed22+`]`), "snomed:22298006 pair:patient:p&snomed:22298006 not-done:loinc:1-8", "not-done:snomed:22298006 loinc:1-8"},
		{"a text", resourceOf("Procedure", `"reasonCode":[{"text":"Takotsubo"}],"status":"not-done","code":`+loinc18), "word:takotsubo", "not-done:word:takotsubo word:probe"},
		{"planned", resourceOf("ServiceRequest", `"intent":"plan","reasonCode":[`+snomed22+`],"code":`+loinc18), "snomed:22298006 planned:loinc:1-8", "planned:snomed:22298006"},
		{"STU3", resourceOf("ProcedureRequest", `"status":"cancelled","reason":[`+snomed22+`],"code":`+loinc18), "snomed:22298006", "loinc:1-8"},
		{"R5", resourceOf("ServiceRequest", `"status":"revoked","reason":[{"concept":`+snomed22+`}],"code":{"concept":`+loinc18+`}`), "snomed:22298006", "loinc:1-8"},
		{"a claim", resourceOf("Claim", `"status":"cancelled","diagnosis":[{"sequence":1,"diagnosisCodeableConcept":`+snomed22+`}],"item":[{"productOrService":`+loinc18+`}]`), "snomed:22298006", "loinc:1-8"},
		{"why not", resourceOf("Immunization", `"status":"not-done","vaccineCode":`+loinc18+`,"statusReason":`+snomed22), "snomed:22298006", "loinc:1-8"},
		{"in error", resourceOf("Procedure", `"status":"entered-in-error","reasonCode":[`+snomed22+`]`), "error:snomed:22298006", "snomed:22298006"},
		{"HL7 v2", order, "icd10:I21.4 loinc:1-8 not-done:loinc:2-6 word:infarct", "loinc:2-6 not-done:icd10:I21.4"},
	})
}

// What a patient does not have is not plain, wherever the record says so.
func TestNotPlain(t *testing.T) {
	obx := func(value string) string {
		return "MSH|^~\\&|a|HA\rPID|1||7^^^HA\rOBX|1|" + value + "\r"
	}
	expression := `"code":{"coding":[{"system":"http://snomed.info/sct","code":"243796009:{246090004=22298006,408729009=410516002}"}]}`
	testTerms(t, []termCase{
		{"target disease", resourceOf("Immunization", `"protocolApplied":[{"targetDisease":[`+snomed22+`]}],"vaccineCode":`+loinc18), "risk:snomed:22298006 loinc:1-8", "snomed:22298006"},
		{"prediction", resourceOf("RiskAssessment", `"prediction":[{"outcome":`+snomed22+`}],"code":`+loinc18), "risk:snomed:22298006 loinc:1-8", "snomed:22298006"},
		{"CDA risk", cdaWith(entryOf(`<observation moodCode="RSK"><code code="1"/><value code="I21.4" codeSystem="2.16.840.1.113883.6.90"/></observation>`)), "risk:icd10:I21.4", ""},
		{"negative", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"260385009"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"not detected", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"260415000"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"OBX of a word", obx("ST|22298006^x^SCT||No"), "refuted:snomed:22298006", "snomed:22298006"},
		{"OBX of words", obx("TX|22298006^x^SCT||Not detected"), "refuted:snomed:22298006", "snomed:22298006"},
		{"OBX in German", obx("ST|22298006^x^SCT||negativ"), "refuted:snomed:22298006", "snomed:22298006"},
		{"OBX of table 0136", obx("CE|22298006^x^SCT||N^No^HL70136"), "refuted:snomed:22298006", "snomed:22298006"},
		{"OBX of table 0136 without a name", obx("ID|22298006^x^SCT||N"), "refuted:snomed:22298006", "snomed:22298006"},
		{"OBX of another N", obx("CE|22298006^x^SCT||N^Normal^HL70078"), "snomed:22298006", "refuted:snomed:22298006"},
		{"OBX of a text with no in it", obx("ST|22298006^x^SCT||No doubt"), "snomed:22298006", "refuted:snomed:22298006"},
		{"FHIR of another N", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"N"}]}`), "snomed:22298006", "refuted:snomed:22298006"},
		{"FHIR of table 0136", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0136","code":"N"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"family", resourceOf("Observation", `"code":{"coding":[{"system":"http://loinc.org","code":"10157-6"}]},"valueCodeableConcept":`+snomed22), "family:snomed:22298006", "snomed:22298006"},
		{"a section on the family", resourceOf("Composition", `"section":[{"code":{"coding":[{"system":"http://loinc.org","code":"10157-6"}]}}],"event":[{"code":[`+snomed22+`]}]`), "snomed:22298006", "family:snomed:22298006"},
		{"status in words", resourceOf("Condition", `"verificationStatus":{"text":"Refuted"},"code":`+snomed22), "refuted:snomed:22298006", "snomed:22298006 word:refuted"},
		{"resolved in words", resourceOf("Condition", `"clinicalStatus":{"text":"Resolved"},"code":`+snomed22), "historic:snomed:22298006 snomed:22298006", "word:resolved"},
		{"not performed", resourceOf("Observation", `"code":`+loinc18+`,"dataAbsentReason":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"not-performed"}]}`), "not-done:loinc:1-8", "loinc:1-8"},
		{"not known", resourceOf("Observation", `"code":`+loinc18+`,"dataAbsentReason":{"coding":[{"code":"unknown"}]}`), "loinc:1-8", "not-done:loinc:1-8"},
		{"a component", resourceOf("Observation", `"code":`+snomed22+`,"component":[{"code":`+loinc18+`,"dataAbsentReason":{"coding":[{"code":"not-performed"}]}}]`), "not-done:loinc:1-8 snomed:22298006", "loinc:1-8"},
		{"deleted", entriesOf(`"resource":`+resourceOf("Condition", `"code":`+snomed22)+`,"request":{"method":"DELETE","url":"Condition/1"}`, `"request":{"method":"PUT"},"resource":`+resourceOf("Condition", `"code":`+loinc18)),
			"error:snomed:22298006 loinc:1-8 pair:patient:p&error:snomed:22298006", "snomed:22298006 error:loinc:1-8"},
		{"deleted before", entriesOf(`"request":{"method":"DELETE"},"resource":` + resourceOf("Condition", `"code":`+snomed22)), "error:snomed:22298006", "snomed:22298006"},
		{"off the list", resourceOf("List", `"entry":[{"deleted":true,"flag":`+snomed22+`},{"deleted":false,"flag":`+loinc18+`}]`), "error:snomed:22298006 loinc:1-8", "snomed:22298006"},
		{"negationInd of 1", cdaWith(entryOf(`<observation negationInd="1"><value code="I21.4" codeSystem="2.16.840.1.113883.6.90"/></observation>`)), "refuted:icd10:I21.4", ""},
		{"a qualifier", cdaWith(entryOf(`<observation><value code="J45.9" codeSystem="2.16.840.1.113883.6.90"><qualifier><name code="408729009"/><value code="410516002" codeSystem="2.16.840.1.113883.6.96"/></qualifier></value></observation>`)), "refuted:icd10:J45.9", "icd10:J45.9"},
		{"an expression", resourceOf("Condition", expression), "refuted:snomed:243796009", "snomed:243796009"},
	})
}

// A problem that has ended is over.
func TestEndedIsHistoric(t *testing.T) {
	testTerms(t, []termCase{
		{"a date", resourceOf("Condition", `"code":`+snomed22+`,"abatementDateTime":"2019-03-04"`), "historic:snomed:22298006 snomed:22298006 date:2019-03-04", ""},
		{"a period", resourceOf("Condition", `"abatementPeriod":{"start":"2019-03-04"},"code":`+snomed22), "historic:snomed:22298006", ""},
		{"an age", resourceOf("Condition", `"abatementAge":{"value":7},"code":`+snomed22), "historic:snomed:22298006", ""},
		{"words", resourceOf("Condition", `"abatementString":"when at school","code":`+snomed22), "historic:snomed:22298006", ""},
		{"not yet", resourceOf("Condition", `"abatementBoolean":false,"code":`+snomed22), "snomed:22298006", "historic:snomed:22298006"},
		{"in XML", `<Condition xmlns="http://hl7.org/fhir"><code><coding><system value="http://snomed.info/sct"/><code value="22298006"/></coding></code><abatementDateTime value="2019"/></Condition>`, "historic:snomed:22298006", ""},
		{"active", resourceOf("Condition", `"code":`+snomed22+`,"clinicalStatus":{"coding":[{"code":"active"}]},"abatementDateTime":"2019-03-04"`), "snomed:22298006", "historic:snomed:22298006"},
		{"HL7 v2", "MSH|^~\\&|a|HA\rPID|1||7^^^HA\rPRB|AD|20190101|I21.4^x^I10|1||||20190101|20190304\r", "historic:icd10:I21.4 icd10:I21.4", ""},
	})
}

// How a statement is meant is no fact of its own.
func TestStatusIsNoCode(t *testing.T) {
	testTerms(t, []termCase{
		{"FHIR", resourceOf("Condition", `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active","display":"Active"}]},"verificationStatus":{"coding":[{"code":"confirmed"}]},"code":`+snomed22),
			"snomed:22298006", "code:ACTIVE code:CONFIRMED word:active"},
		{"certainty", resourceOf("Condition", `"code":{"coding":[{"extension":[{"valueCoding":{"system":"https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_ICD_DIAGNOSESICHERHEIT","code":"G"}}],"system":"http://snomed.info/sct","code":"22298006"}]}`),
			"snomed:22298006", "code:G"},
		{"HL7 v2", "MSH|^~\\&|a|HA\rPID|1||7^^^HA\rPRB|AD|20190101|I21.4^x^I10|1||||||||||55561003^Active^SCT\r", "icd10:I21.4", "snomed:55561003"},
		{"CDA", cdaWith(entryOf(`<observation><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><value code="55561003" codeSystem="2.16.840.1.113883.6.96" displayName="Probe"/></observation>`)), "", "snomed:55561003 word:probe"},
	})
}
