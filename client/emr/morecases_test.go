package emr

import (
	"strings"
	"testing"
)

const i214 = `{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I21.4"}]}`

// Further members of the kinds of the shared cases: FHIR.
func TestMoreCasesOfFHIR(t *testing.T) {
	cvx := `{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"208"}]}`
	coded := func(code string) string { return `{"coding":[{"code":"` + code + `"}]}` }
	testTerms(t, []termCase{
		{"R5 medication not taken", resourceOf("MedicationStatement", `"status":"recorded","medication":{"concept":`+loinc18+`},"adherence":{"code":`+coded("not-taking")+`}`), "not-done:loinc:1-8", "loinc:1-8"},
		{"R5 medication taken", resourceOf("MedicationStatement", `"status":"recorded","medication":{"concept":`+loinc18+`},"adherence":{"code":`+coded("taking")+`}`), "loinc:1-8", "not-done:loinc:1-8"},
		{"medication to be taken", resourceOf("MedicationStatement", `"status":"intended","medicationCodeableConcept":`+loinc18), "planned:loinc:1-8", "loinc:1-8"},
		{"R5 presumed allergy", resourceOf("AllergyIntolerance", `"verificationStatus":`+coded("presumed")+`,"code":`+snomed22), "snomed:22298006 suspected:snomed:22298006", ""},
		{"goal given up", resourceOf("Goal", `"lifecycleStatus":"cancelled","description":`+snomed22), "not-done:snomed:22298006", "snomed:22298006"},
		{"goal in error", resourceOf("Goal", `"lifecycleStatus":"entered-in-error","description":`+snomed22), "error:snomed:22298006", "snomed:22298006"},
		{"goal proposed", resourceOf("Goal", `"lifecycleStatus":"proposed","description":`+snomed22+`,"addresses":[{"reference":"Condition/1"}]`), "planned:snomed:22298006", "snomed:22298006"},
		{"food to leave out", resourceOf("NutritionOrder", `"status":"active","excludeFoodModifier":[`+snomed22+`],"foodPreferenceModifier":[`+loinc18+`]`), "not-done:snomed:22298006 loinc:1-8", "snomed:22298006"},
		{"vaccine that is recommended", `{"resourceType":"ImmunizationRecommendation","patient":{"reference":"Patient/p"},"recommendation":[{"vaccineCode":[` + cvx + `],"forecastStatus":` + coded("due") + `}]}`, "planned:cvx:208", "cvx:208"},
		{"vaccine that is not to be given", `{"resourceType":"ImmunizationRecommendation","patient":{"reference":"Patient/p"},"recommendation":[{"contraindicatedVaccineCode":[` + cvx + `],"forecastStatus":` + coded("contraindicated") + `}]}`, "not-done:cvx:208", "cvx:208"},
		{"negative by interpretation", resourceOf("Observation", `"status":"final","code":`+snomed22+`,"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"NEG"}]}]`), "refuted:snomed:22298006", "snomed:22298006"},
		{"negative by interpretation of a test", resourceOf("Observation", `"status":"final","code":`+loinc18+`,"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"NEG"}]}]`), "loinc:1-8", "refuted:loinc:1-8"},
		{"DSTU2 interpretation", resourceOf("Observation", `"code":`+snomed22+`,"interpretation":{"coding":[{"system":"http://hl7.org/fhir/v2/0078","code":"ND"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"not detected in words", resourceOf("Observation", `"code":`+snomed22+`,"valueString":"Not detected"`), "refuted:snomed:22298006", "snomed:22298006"},
		{"a text of a value", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"text":"negativ"}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"in Parameters", `{"resourceType":"Parameters","parameter":[{"name":"x","resource":` + conditionOf("a", "I21.4", "2019-03-14", `,"verificationStatus":`+coded("refuted")) + `}]}`, "refuted:icd10:I21.4", "icd10:I21.4"},
		{"R5 reason of an encounter", resourceOf("Encounter", `"status":"cancelled","reason":[{"value":[{"concept":`+i214+`}]}],"type":[`+snomed22+`]`), "icd10:I21.4 not-done:snomed:22298006", "snomed:22298006"},
		{"R5 discontinued encounter", resourceOf("Encounter", `"status":"discontinued","type":[`+snomed22+`]`), "snomed:22298006", ""},
		{"period of a timing", resourceOf("MedicationRequest", `"medicationCodeableConcept":`+loinc18+`,"dosageInstruction":[{"timing":{"repeat":{"boundsPeriod":{"start":"2025-01-10","end":"2025-04-20"}}}}]`), "month:loinc:1-8&2025-02 during:2025-03", ""},
		{"onset period", resourceOf("Condition", `"code":`+i214+`,"onsetPeriod":{"start":"2025-01","end":"2025-03"}`), "month:icd10:I21.4&2025-02", ""},
		{"period of onset and abatement, not of the record's date", resourceOf("Condition", `"code":`+i214+`,"recordedDate":"2024-02-02","onsetDateTime":"2025-01-10"`), "date:2024-02-02", "month:icd10:I21.4&2024-09"},
		{"history of a resource in a Bundle", entriesOf(`"request":{"method":"DELETE","url":"Condition/1"},"resource":` + conditionOf("a", "I21.4", "2019-03-14", "")), "error:icd10:I21.4", "icd10:I21.4"},
		{"denied by a person", resourceOf("QuestionnaireResponse", `"item":[{"linkId":"1","answer":[{"valueCoding":{"system":"http://snomed.info/sct","code":"22298006"}}]}]`), "snomed:22298006", ""},
		{"R5 family", `{"resourceType":"FamilyMemberHistory","patient":{"reference":"Patient/p"},"procedure":[{"code":` + snomed22 + `}],"condition":[{"code":` + i214 + `}],"reason":[{"concept":` + loinc18 + `}]}`, "family:snomed:22298006 family:icd10:I21.4", "snomed:22298006 icd10:I21.4"},
		{"history of a family in a Condition's category", resourceOf("Observation", `"code":{"coding":[{"system":"http://snomed.info/sct","code":"416471007"}]},"valueCodeableConcept":`+i214), "family:icd10:I21.4", "icd10:I21.4"},
		{"a situation with a code of its own", resourceOf("Condition", `"code":{"coding":[{"system":"http://snomed.info/sct","code":"160303001","display":"Family history of diabetes"}]}`), "snomed:160303001", ""},
		{"DSTU2 AllergyIntolerance", resourceOf("AllergyIntolerance", `"status":"refuted","substance":`+snomed22), "refuted:snomed:22298006", "snomed:22298006"},
		{"DSTU2 MedicationOrder", resourceOf("MedicationOrder", `"status":"draft","medicationCodeableConcept":`+loinc18+`,"reasonCodeableConcept":`+snomed22), "planned:loinc:1-8 snomed:22298006", "loinc:1-8"},
		{"DSTU2 DiagnosticOrder", resourceOf("DiagnosticOrder", `"status":"rejected","item":[{"code":`+loinc18+`}],"reason":[`+snomed22+`]`), "not-done:loinc:1-8 snomed:22298006", "loinc:1-8"},
		{"STU3 ReferralRequest", resourceOf("ReferralRequest", `"status":"active","intent":"proposal","serviceRequested":[`+loinc18+`]`), "planned:loinc:1-8", "loinc:1-8"},
		{"STU3 Procedure not done", resourceOf("Procedure", `"status":"suspended","notDone":true,"notDoneReason":`+snomed22+`,"code":`+loinc18), "not-done:loinc:1-8 snomed:22298006", "loinc:1-8"},
		{"Communication not done", resourceOf("Communication", `"status":"not-done","topic":`+loinc18), "not-done:loinc:1-8", "loinc:1-8"},
		{"Task that failed", `{"resourceType":"Task","status":"failed","for":{"reference":"Patient/p"},"code":` + loinc18 + `}`, "not-done:loinc:1-8", "loinc:1-8"},
		{"DeviceRequest not to be done", resourceOf("DeviceRequest", `"status":"active","doNotPerform":true,"codeCodeableConcept":`+loinc18), "not-done:loinc:1-8", "loinc:1-8"},
		{"side effect that may come", resourceOf("RiskAssessment", `"status":"final","condition":{"reference":"Condition/1"},"prediction":[{"outcome":`+i214+`}]`), "risk:icd10:I21.4", "icd10:I21.4"},
		{"patients by OID", entriesOf(`"fullUrl":"urn:oid:1.2.1","resource":{"resourceType":"Patient","identifier":[{"value":"A"}]}`, `"fullUrl":"urn:oid:1.2.2","resource":{"resourceType":"Patient","identifier":[{"value":"B"}]}`,
			`"resource":{"resourceType":"Condition","subject":{"reference":"urn:oid:1.2.1"},"code":`+i214+`}`), "pair:patient:a&icd10:I21.4", "pair:patient:b&icd10:I21.4"},
		{"narrative with entities", `{"resourceType":"Condition","text":{"div":"<div>&quot;Takotsubo&quot; &amp; fever</div>"}}`, "word:takotsubo word:fever", "word:quot word:amp"},
		{"a comma for the dot", resourceOf("Condition", `"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I21,4"}]}`), "icd10:I21.4", ""},
		{"a comma between two", resourceOf("Condition", `"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I21.4,E10.30"}]}`), "icd10:I21.4 icd10:E10.30", ""},
		{"a flag that is over", resourceOf("Flag", `"status":"inactive","code":`+snomed22), "snomed:22298006 historic:snomed:22298006", ""},
		{"a device that was in error", `{"resourceType":"Device","patient":{"reference":"Patient/p"},"status":"entered-in-error","type":` + snomed22 + `}`, "error:snomed:22298006", "snomed:22298006"},
		{"status by SNOMED", resourceOf("Condition", `"verificationStatus":{"coding":[{"system":"http://snomed.info/sct","code":"410516002"}]},"code":`+i214), "refuted:icd10:I21.4", "icd10:I21.4"},
		{"over by SNOMED", resourceOf("Condition", `"clinicalStatus":{"coding":[{"system":"http://snomed.info/sct","code":"413322009"}]},"code":`+i214), "historic:icd10:I21.4 icd10:I21.4", ""},
		{"status by its display", resourceOf("Condition", `"verificationStatus":{"coding":[{"display":"Entered in Error"}]},"code":`+i214), "error:icd10:I21.4", "icd10:I21.4"},
		{"status in capitals", resourceOf("Condition", `"verificationStatus":`+coded("Refuted")+`,"code":`+i214), "refuted:icd10:I21.4", "icd10:I21.4"},
		{"to be taken when needed", resourceOf("MedicationRequest", `"status":"active","medicationCodeableConcept":`+loinc18+`,"dosageInstruction":[{"asNeededCodeableConcept":`+snomed22+`}]`), "loinc:1-8 risk:snomed:22298006", "snomed:22298006"},
		{"the same in R5", resourceOf("MedicationRequest", `"status":"active","medication":{"concept":`+loinc18+`},"dosageInstruction":[{"asNeededFor":[`+snomed22+`]}]`), "loinc:1-8 risk:snomed:22298006", "snomed:22298006"},
		{"for whom a value is normal", resourceOf("Observation", `"code":`+loinc18+`,"referenceRange":[{"appliesTo":[`+snomed22+`],"text":"pregnant"}]`), "loinc:1-8 mentioned:snomed:22298006", "snomed:22298006 word:pregnant"},
		{"what a consent is about", resourceOf("Consent", `"status":"active","provision":{"code":[`+snomed22+`]}`), "mentioned:snomed:22298006", "snomed:22298006"},
		{"goal", resourceOf("Goal", `"lifecycleStatus":"active","description":`+snomed22+`,"addresses":[{"display":"Takotsubo"}]`), "planned:snomed:22298006 word:takotsubo", "snomed:22298006"},
		{"an event that did not come", resourceOf("AdverseEvent", `"actuality":"potential","event":`+snomed22), "risk:snomed:22298006", "snomed:22298006"},
		{"an event that came", resourceOf("AdverseEvent", `"actuality":"actual","event":`+snomed22), "snomed:22298006", "risk:snomed:22298006"},
		{"a substance without risk", resourceOf("AllergyIntolerance", `"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/allergyintolerance-substanceExposureRisk","extension":[{"url":"substance","valueCodeableConcept":`+snomed22+`},`+
			`{"url":"exposureRisk","valueCodeableConcept":`+coded("no-known-reaction-risk")+`}]}]`), "refuted:snomed:22298006", "snomed:22298006"},
		{"of a relative", resourceOf("Observation", `"focus":[{"reference":"RelatedPerson/m"}],"code":`+loinc18+`,"valueCodeableConcept":`+snomed22), "family:snomed:22298006", "snomed:22298006"},
		{"of a child", resourceOf("Observation", `"focus":[{"reference":"Patient/child"}],"code":`+loinc18+`,"valueCodeableConcept":`+snomed22), "family:snomed:22298006", "snomed:22298006"},
		{"of the patient", resourceOf("Observation", `"focus":[{"reference":"Patient/p"}],"code":`+loinc18+`,"valueCodeableConcept":`+snomed22), "snomed:22298006", "family:snomed:22298006"},
		{"dates of a relative", `{"resourceType":"FamilyMemberHistory","bornDate":"1940-05-06","deceasedDate":"2001-02-03","condition":[{"code":` + snomed22 + `}]}`, "family:snomed:22298006", "date:1940-05-06 date:2001-02-03"},
		{"one of several possible orders", resourceOf("ServiceRequest", `"status":"active","intent":"option","code":`+loinc18), "planned:loinc:1-8", "loinc:1-8"},
		{"not reactive", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"131194007"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"not detected, by a display", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"local","code":"2","display":"Not detected"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"no, of the expanded table", resourceOf("Observation", `"code":`+snomed22+`,"valueCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0532","code":"N"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"negative in French", resourceOf("Observation", `"code":`+snomed22+`,"valueString":"Négatif"`), "refuted:snomed:22298006", "snomed:22298006"},
		{"probably absent", resourceOf("Condition", `"code":{"coding":[{"system":"http://snomed.info/sct","code":"22298006:408729009=410593006"}]}`), "refuted:snomed:22298006", "snomed:22298006"},
		{"a document in error", `{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition","status":"entered-in-error"}},{"resource":` + conditionOf("a", "I21.4", "2019-03-14", "") + `}]}`, "error:icd10:I21.4", "icd10:I21.4"},
		{"a document in error among others", `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Composition","status":"entered-in-error"}},{"resource":` + conditionOf("a", "I21.4", "2019-03-14", "") + `}]}`, "icd10:I21.4", ""},
		{"a medication by its name", resourceOf("MedicationRequest", `"status":"active","medicationReference":{"reference":"Medication/1","display":"Metformin tablets"}`), "word:metformin", ""},
		{"a medication that was not given", resourceOf("MedicationAdministration", `"status":"not-done","medicationReference":{"reference":"Medication/1","display":"Metformin tablets"}`), "not-done:word:metformin", "word:metformin"},
		{"a medication by its name in R5", resourceOf("MedicationRequest", `"medication":{"reference":{"reference":"Medication/1","display":"Metformin"}}`), "word:metformin", ""},
		{"a reason that is a name only", resourceOf("Procedure", `"status":"not-done","reasonReference":[{"display":"Takotsubo"}]`), "word:takotsubo", ""},
		{"a reason that has a record of its own", resourceOf("Procedure", `"reasonReference":[{"reference":"Condition/1","display":"Takotsubo"}]`), "", "word:takotsubo"},
		{"a display without a code", resourceOf("Condition", `"code":{"coding":[{"display":"Takotsubo"}]}`), "word:takotsubo", ""},
		{"times of the administration", `{"resourceType":"Bundle","signature":{"when":"2001-01-01T00:00:00Z"},"entry":[{"response":{"lastModified":"2001-01-01T00:00:00Z"},"resource":` + conditionOf("a", "I21.4", "2019-03-14", "") + `}]}`, "icd10:I21.4", "date:2001-01-01"},
		{"episode of care planned", resourceOf("EpisodeOfCare", `"status":"planned","type":[`+loinc18+`],"diagnosis":[{"condition":{"reference":"Condition/1"}}]`), "planned:loinc:1-8", "loinc:1-8"},
	})
}

// Further members: code systems by their national names.
func TestMoreCasesOfSystems(t *testing.T) {
	for system, want := range map[string]string{
		"https://smt.esante.gouv.fr/terminologie-cim-10":          "icd10:I21.4",
		"urn:oid:1.2.246.537.6.1.1999":                            "icd10:I21.4",
		"1.2.40.0.34.5.56":                                        "icd10:I21.4",
		"http://hl7.org/fhir/sid/icd-10-vn":                       "icd10:I21.4",
		"http://hl7.org/fhir/sid/icd-10-us":                       "icd10:I21.4",
		"https://icd.who.int/browse10/2019/en":                    "icd10:I21.4",
		"ICD-10 Version:2019":                                     "icd10:I21.4",
		"ICD-10 (international)":                                  "icd10:I21.4",
		"ICD-10-ESP":                                              "icd10:I21.4",
		"ICD10CMDX":                                               "icd10:I21.4",
		"МКБ-10":                                                  "icd10:I21.4",
		"ICD-10-PCS 2024":                                         "icd10pcs:I21.4",
		"ICD10 Klartext der Diagnose":                             "code:I21.4",
		"KCD-8":                                                   "icd10:I21.4",
		"http://www.saude.gov.br/fhir/r4/CodeSystem/BRCID10":      "icd10:I21.4",
		"ICD-10-SE 2024":                                          "icd10:I21.4",
		"Tautiluokitus ICD-10":                                    "icd10:I21.4",
		"https://fhir.hl7.org.uk/Id/icd-10":                       "icd10:I21.4",
		"http://hl7.org/fhir/sid/icd-10-au":                       "icd10:I21.4",
		"ICD-10 GM Version 2024":                                  "icd10:I21.4",
		"ICD10GM_2025":                                            "icd10:I21.4",
		"urn:oid:2.16.840.1.113883.6.3.2":                         "icd10:I21.4",
		"http://terminology.hl7.org/CodeSystem/icd10CM":           "icd10:I21.4",
		"ICD-10-CM Diagnosis Codes":                               "icd10:I21.4",
		"International Classification of Diseases, 10th Revision": "icd10:I21.4",
		"icd10who2019":                                            "icd10:I21.4",
	} {
		testTerms(t, []termCase{{system, resourceOf("Condition", `"code":{"coding":[{"system":"`+system+`","code":"I21.4"}]}`), want, ""}})
	}
	for system, want := range map[[2]string]string{
		{"https://referentiemodel.nhg.org/tabellen/nhg-tabel-24-icpc", "K75"}: "icpc:K75",
		{"O3012005", "5-470"}: "ops:5-470",
		{"O301", "5-470"}:     "ops:5-470",
		{"http://fhir.de/CodeSystem/dimdi/ops", "5-470.1"}:                    "ops:5-470",
		{"http://fhir.de/CodeSystem/dimdi/atc", "C07AB02"}:                    "atc:C07",
		{"https://smt.esante.gouv.fr/terminologie-atc", "C07AB02"}:            "atc:C07",
		{"https://smt.esante.gouv.fr/terminologie-loinc", "1-8"}:              "loinc:1-8",
		{"http://id.who.int/icd/release/11/2024-01/mms", "BA41.Z"}:            "icd11:BA41",
		{"ICD-9-CM", "410.71"}:                                                "icd9:410",
		{"http://snomed.info/sct/32506021000036107", "22298006"}:              "snomed:22298006",
		{"SNOMED CT-AU", "22298006"}:                                          "snomed:22298006",
		{"SNOMED-CT International", "22298006"}:                               "snomed:22298006",
		{"http://hl7.org/fhir/sid/icd-o-3", "8140/3"}:                         "icdo:8140/3",
		{"http://terminology.hl7.org/CodeSystem/icd-o-3", "C34.1"}:            "icdo:C34",
		{"http://terminology.hl7.org/CodeSystem/ICD-9CM-diagcodes", "410.71"}: "icd9:410",
		{"http://terminology.hl7.org/CodeSystem/ICD-9CM-proccodes", "36.06"}:  "icd9:36.06",
		{"http://www.cms.gov/Medicare/Coding/ICD10", "027034Z"}:               "icd10pcs:027034Z",
		{"http://hl7.org/fhir/sid/icpc-2-no", "K75"}:                          "icpc:K75",
		{"LOINC 2.76", "1-8"}:                                                 "loinc:1-8",
		{"RXNORM", "1049502"}:                                                 "rxnorm:1049502",
		{"http://www.nlm.nih.gov/research/umls/cvx", "208"}:                   "cvx:208",
		{"National Drug Code", "0777-3105-02"}:                                "code:0777-3105-02",
	} {
		testTerms(t, []termCase{{system[0], resourceOf("Condition", `"code":{"coding":[{"system":"`+system[0]+`","code":"`+system[1]+`"}]}`), want, ""}})
	}
}

// Further members: HL7 v2.
func TestMoreCasesOfHL7(t *testing.T) {
	message := func(segments string) string {
		return "MSH|^~\\&|a|HA|||20250302||ADT^A01|1|P|2.5.1\rPID|1||7^4^M11^HA\r" + segments + "\r"
	}
	testTerms(t, []termCase{
		{"v2.2 with ICD-9", message("DG1|1|I9|410.71|INFARCT||F"), "icd9:410.71 icd9:410 patient:7", ""},
		{"system in DG1-2, text of the code in DG1-3", message("DG1|1|I10|I21.4^Infarct||20250301"), "icd10:I21.4 word:infarct", ""},
		{"MLLP", "\x0b" + message("DG1|1||I21.4^x^I10") + "\x1c\r", "kind:hl7v2:adt^a01 icd10:I21.4", ""},
		{"vaccine that is due", message("RXA|0|1|20250302||998^none^CVX|999\rOBX|1|CE|30979-9^Vaccines due next^LN|1|20^DTaP^CVX||||||F"), "planned:cvx:20", "cvx:20"},
		{"vaccine that was given", message("RXA|0|1|20250302||20^DTaP^CVX|999\rOBX|1|CE|30956-7^Vaccine type^LN|1|107^DTaP^CVX||||||F"), "cvx:20 cvx:107", ""},
		{"vaccine not given", message("ORC|RE\rRXA|0|1|20250302|20250302|20^DTaP^CVX|999||||||||||||00^Refusal^NIP002||RE"), "not-done:cvx:20", "cvx:20"},
		{"an observation without the finding", message("OBX|1|CWE|22298006^Infarct^SCT||260415000^Not detected^SCT||||||F"), "refuted:snomed:22298006", "snomed:22298006"},
		{"negative by its flag", message("OBX|1|ST|22298006^Infarct^SCT||see text|||NEG|||F"), "refuted:snomed:22298006", "snomed:22298006"},
		{"abnormal by its flag", message("OBX|1|ST|22298006^Infarct^SCT||see text|||A|||F"), "snomed:22298006", "refuted:snomed:22298006"},
		{"order that cannot be done", message("ORC|UA|1\rOBR|1|||1-8^x^LN"), "not-done:loinc:1-8", "loinc:1-8"},
		{"problem that was deleted", message("PRB|DE|20250301|I21.4^x^I10|1"), "error:icd10:I21.4", "icd10:I21.4"},
		{"resolved in SNOMED", message("PRB|AD|20250301|I21.4^x^I10|1||||||||||413322009^Resolved^SCT"), "historic:icd10:I21.4", ""},
		{"diagnosis of a DFT", message("FT1|1|||20250301|20250301|CG|99213^x^C4||||||||||||I21.4^x^I10"), "icd10:I21.4 cpt:99213 month:icd10:I21.4&2025-03", ""},
		{"a date that was observed", message("OBX|1|DT|11778-8^Due^LN||20251109"), "date:2025-11-09", ""},
		{"a relative's segment", message("NK1|1|MUSTER^EVA|MTH^Mother^HL70063|||||||||||||19400101||||||||||||||||||9^^^HA"), "patient:7", "born:1940-01-01 patient:9"},
		{"not asked", message("OBX|1|CWE|22298006^Infarct^SCT||1^x^L||||||N"), "not-done:snomed:22298006", "snomed:22298006"},
		{"type of a vaccine that was not given", message("RXA|0|1|20250302||20^DTaP^CVX|999||||||||||||00^Refusal^NIP002||RE\rOBX|1|CE|30956-7^Vaccine type^LN|1|107^DTaP^CVX||||||F"), "not-done:cvx:20 not-done:cvx:107", "cvx:20 cvx:107"},
		{"why it was not given", message("RXA|0|1|20250302||20^DTaP^CVX|999||||||||||||00^Refusal^NIP002||RE\rOBX|1|CE|59784-9^Presumed immunity^LN|1|38907003^Varicella^SCT||||||F"), "snomed:38907003", ""},
		{"a code with a text before it", message("DG1|1||^Infarct^^I21.4^Infarkt^I10"), "icd10:I21.4", ""},
		{"two coding systems in one repetition", message("DG1|1||22298006^x^SCT^I21.4^y^I10C"), "icd10:I21.4 snomed:22298006", ""},
		{"Danish, with lower case system", message("DG1|1||I214^x^i10"), "icd10:I21.4", ""},
		{"NULL fields", message("DG1|1||\"\"|\"\"|\"\"\rDG1|2||I21.4^x^I10|||\"\"||||||||||||||\"\""), "icd10:I21.4", "code:\"\" word:\"\""},
		{"appointment that was not kept", "MSH|^~\\&|a|HA|||20250302||SIU^S26|1|P|2.5\rSCH|1||||||1-8^x^LN||||^^^20250310\rPID|1||7^^^HA\rAIS|1||2-6^y^LN|20250310\r", "not-done:loinc:1-8 not-done:loinc:2-6", "loinc:1-8"},
		{"Latin-1 with the set of MSH-18", "MSH|^~\\&|a|HA|||20250302||ADT^A01|1|P|2.3||||||8859/1\rPID|1||7^^^HA\rPV1|1||||||1^M\xfcller^Eva\r", "author:müller", ""},
		{"Latin-2", "MSH|^~\\&|a|HA|||20250302||ADT^A01|1|P|2.3||||||8859/2\rPID|1||7^^^HA\rPV1|1||||||1^\xa3ukasz^Jan\r", "author:łukasz author:lukasz", ""},
		{"Cyrillic", "MSH|^~\\&|a|HA|||20250302||ADT^A01|1|P|2.3||||||8859/5\rPID|1||7^^^HA\rPV1|1||||||1^\xb8\xd2\xd0\xdd\xde\xd2\r", "author:иванов", ""},
	})
}

// Further members: CDA.
func TestMoreCasesOfCDA(t *testing.T) {
	section := func(code, entry string) string {
		return cdaWith(`<code code="` + code + `" codeSystem="2.16.840.1.113883.6.1"/><text><content ID="p1">Takotsubo</content></text>` + entryOf(entry))
	}
	i := `code="I21.4" codeSystem="2.16.840.1.113883.6.90"`
	vaccine := `<consumable><manufacturedProduct><manufacturedMaterial><code code="208" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial></manufacturedProduct></consumable>`
	testTerms(t, []termCase{
		{"vaccine not given", section("11369-6", `<substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="true">`+vaccine+`</substanceAdministration>`), "not-done:cvx:208", "cvx:208"},
		{"vaccine to be given", section("18776-5", `<substanceAdministration classCode="SBADM" moodCode="INT">`+vaccine+`</substanceAdministration>`), "planned:cvx:208", "cvx:208"},
		{"no allergy to a thing", section("48765-2", `<act classCode="ACT" moodCode="EVN"><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN" negationInd="true"><code code="ASSERTION"/>`+
			`<value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/><participant typeCode="CSM"><participantRole><playingEntity><code code="7980" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant></observation></entryRelationship></act>`),
			"refuted:rxnorm:7980 refuted:snomed:419199007", "rxnorm:7980 snomed:419199007"},
		{"procedure not done", section("47519-4", `<procedure classCode="PROC" moodCode="EVN" negationInd="true"><code `+i+`/></procedure>`), "not-done:icd10:I21.4", "icd10:I21.4"},
		{"goal", section("61146-7", `<observation classCode="OBS" moodCode="GOL"><code `+i+`/></observation>`), "planned:icd10:I21.4", "icd10:I21.4"},
		{"negative by interpretation", section("30954-2", `<observation classCode="OBS" moodCode="EVN"><code code="22298006" codeSystem="2.16.840.1.113883.6.96"/><interpretationCode code="NEG" codeSystem="2.16.840.1.113883.5.83"/></observation>`),
			"refuted:snomed:22298006", "snomed:22298006"},
		{"negative in a text", section("30954-2", `<observation classCode="OBS" moodCode="EVN"><code code="22298006" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="ST">negative</value></observation>`),
			"refuted:snomed:22298006", "snomed:22298006"},
		{"not present", section("30954-2", `<observation classCode="OBS" moodCode="EVN"><code code="22298006" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="BL" value="false"/></observation>`),
			"refuted:snomed:22298006", "snomed:22298006"},
		{"ELGA, without a code of the section", cdaWith(entryOf(`<observation classCode="OBS" moodCode="EVN" negationInd="true"><value xsi:type="CD" ` + i + `/></observation>`)), "refuted:icd10:I21.4", "icd10:I21.4"},
		{"nullFlavor with the original text", cdaWith(entryOf(`<observation classCode="OBS" moodCode="EVN"><value xsi:type="CD" nullFlavor="OTH"><originalText>Takotsubo</originalText></value></observation>`)), "word:takotsubo", ""},
		{"a negated act and one within it", cdaWith(entryOf(`<act classCode="ACT" moodCode="EVN" negationInd="true"><code code="1"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><value xsi:type="CD" ` + i + `/></observation></entryRelationship></act>`)), "refuted:icd10:I21.4", "icd10:I21.4"},
		{"a risk", section("75310-3", `<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.136"/><entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><value xsi:type="CD" `+i+`/></observation></entryRelationship></act>`), "risk:icd10:I21.4", "icd10:I21.4"},
		{"for whom a value is normal", section("30954-2", `<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><referenceRange><observationRange><value xsi:type="CD" `+i+`/></observationRange></referenceRange></observation>`), "loinc:1-8 mentioned:icd10:I21.4", "icd10:I21.4"},
		{"to be taken when needed", section("10160-0", `<substanceAdministration classCode="SBADM" moodCode="EVN">`+vaccine+`<precondition typeCode="PRCN"><criterion><value xsi:type="CD" `+i+`/></criterion></precondition></substanceAdministration>`), "cvx:208 risk:icd10:I21.4", "icd10:I21.4"},
		{"a diagnosis in words", section("11450-4", `<observation classCode="OBS" moodCode="EVN"><code code="282291009" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="ST">Takotsubo</value></observation>`), "word:takotsubo", ""},
		{"the result of a test in words", section("30954-2", `<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">Takotsubo</value></observation>`), "loinc:1-8", "word:takotsubo"},
		{"a diagnosis that the narrative names", section("11450-4", `<observation classCode="OBS" moodCode="EVN"><value xsi:type="ED"><reference value="#p1"/></value></observation>`), "word:takotsubo", ""},
		{"an act that the narrative names", section("11450-4", `<observation classCode="OBS" moodCode="EVN" negationInd="true"><text><reference value="#p1"/></text><value xsi:type="CD" nullFlavor="UNK"/></observation>`), "refuted:word:takotsubo", "word:takotsubo"},
		{"an act with a code that the narrative names", section("11450-4", `<observation classCode="OBS" moodCode="EVN"><text><reference value="#p1"/></text><value xsi:type="CD" `+i+`/></observation>`), "icd10:I21.4", "word:takotsubo"},
		{"negated in capitals", section("11450-4", `<observation classCode="OBS" moodCode="EVN" negationInd="TRUE"><value xsi:type="CD" `+i+`/></observation>`), "refuted:icd10:I21.4", "icd10:I21.4"},
		{"a section about a relative", cdaWith(`<subject><relatedSubject classCode="PRS"/></subject>` + entryOf(`<observation classCode="OBS" moodCode="EVN"><value xsi:type="CD" `+i+`/></observation>`)), "family:icd10:I21.4", "icd10:I21.4"},
		{"a section in one of family history", section("10157-6", `<x/>`+`</entry><component><section>`+entryOf(`<observation classCode="OBS" moodCode="EVN"><value xsi:type="CD" `+i+`/></observation>`)+`</section></component><entry>`), "family:icd10:I21.4", "icd10:I21.4"},
		{"a section after one of family history", strings.Replace(section("10157-6", "<x/>"), "</structuredBody>", `<component><section>`+entryOf(`<observation classCode="OBS" moodCode="EVN"><value xsi:type="CD" `+i+`/></observation>`)+`</section></component></structuredBody>`, 1), "icd10:I21.4", ""},
		{"encounter cancelled", cdaWith(entryOf(`<encounter classCode="ENC" moodCode="EVN"><code ` + i + `/><statusCode code="cancelled"/></encounter>`)), "not-done:icd10:I21.4", "icd10:I21.4"},
		{"in error", cdaWith(entryOf(`<observation classCode="OBS" moodCode="EVN"><statusCode code="nullified"/><value xsi:type="CD" ` + i + `/></observation>`)), "error:icd10:I21.4", "icd10:I21.4"},
	})
}

// Further members: X12 and others.
func TestMoreCasesOfOthers(t *testing.T) {
	testTerms(t, []termCase{
		{"X12 with ICD-9", x12Head + "NM1*IL*1*A*A****MI*M-1~CLM*1*9~HI*BK:41071*BF:25000~SE*1*1~", "icd9:410.71 icd9:410", ""},
		{"X12 admitting, reason, external cause, procedure", x12Head + "NM1*IL*1*A*A****MI*M-1~CLM*1*9~HI*ABJ:I214~HI*APR:R079~HI*ABN:W010XXA~HI*BBR:027034Z:D8:20250301~SE*1*1~", "icd10:I21.4 icd10:R07.9 icd10:W01 icd10pcs:027034Z", ""},
		{"X12, a range of days", x12Head + "NM1*IL*1*A*A****MI*M-1~CLM*1*9~HI*ABK:I214~DTP*434*RD8*20250101-20250310~SE*1*1~", "month:icd10:I21.4&2025-02", ""},
		{"gzip within gzip", gzipped(gzipped(conditionOf("a", "I21.4", "2025", ""))), "icd10:I21.4", ""},
		{"NDJSON after a mark", "\ufeff" + conditionOf("a", "I21.4", "2025", "") + "\r\n" + conditionOf("b", "F20.0", "2025", "") + "\r\n", "pair:patient:a&icd10:I21.4 pair:patient:b&icd10:F20.0 kind:fhir:ndjson", "pair:patient:b&icd10:I21.4"},
		{"one card of several codes", "shc:/1/2/5676", "kind:smart-health-card", ""},
		{"a note in UTF-8 with a mark", "\ufeffÜberweisung\r\n2025-03-02", "word:überweisung date:2025-03-02", ""},
	})
}
