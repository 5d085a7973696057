package emr

import (
	"slices"
	"strings"
	"testing"
)

// A termCase is a record with the terms that it has, and that it does not have.
type termCase struct{ name, in, want, not string }

func testTerms(t *testing.T, cases []termCase) {
	t.Helper()
	for _, c := range cases {
		terms := termsOf(extractText(t, c.in))
		for _, want := range strings.Fields(c.want) {
			if !slices.Contains(terms, want) {
				t.Errorf("%s: no %s in %q", c.name, want, terms)
			}
		}
		for _, not := range strings.Fields(c.not) {
			if slices.Contains(terms, not) {
				t.Errorf("%s: %s is there", c.name, not)
			}
		}
	}
}

const x12Head = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *250302*1015*^*00501*000000001*0*P*:~GS*HC*S*R*20250302*1015*1*X*005010X222A1~ST*837*0001~"

func conditionAbout(subject, code string) string {
	return `{"resourceType":"Condition",` + subject + `"code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]}}`
}

func entriesOf(entries ...string) string {
	return `{"resourceType":"Bundle","entry":[{` + strings.Join(entries, `},{`) + `}]}`
}

// Two patients are one only if the record says so.
func TestTwoPatientsStayTwo(t *testing.T) {
	testTerms(t, []termCase{
		{"X12, two subscribers", x12Head +
			"HL*1**20*1~NM1*85*2*ANNA~HL*2*1*22*0~NM1*IL*1*A*A****MI*M-1~CLM*1*9~HI*ABK:I214~LX*1~SV1*HC:99213~DTP*472*D8*20250301~HL*3*1*22*0~NM1*IL*1*B*B****MI*M-2~CLM*2*9~HI*ABK:F200~DTP*472*D8*20240401~SE*9*1~",
			"pair:patient:m-1&icd10:I21.4 pair:patient:m-2&icd10:F20.0 month:icd10:I21.4&2025-03 month:cpt:99213&2025-03 month:icd10:F20.0&2024-04",
			"pair:patient:m-1&icd10:F20.0 pair:patient:m-2&icd10:I21.4 month:icd10:I21.4&2024-04"},
		{"X12, a subscriber and a dependent", x12Head +
			"HL*2*1*22*1~NM1*IL*1*A*A****MI*M-1~HL*3*2*23*0~NM1*QC*1*B*B****MI*M-2~CLM*2*9~HI*ABK:F200~NM1*IL*1*C*C****MI*M-3~SE*9*1~",
			"pair:patient:m-2&icd10:F20.0 patient:m-1 patient:m-3", "pair:patient:m-1&icd10:F20.0 pair:patient:m-3&icd10:F20.0"},
		{"X12, remittance", strings.Replace(x12Head, "837", "835", 1) +
			"CLP*1*1~NM1*QC*1*A*A****MI*M-1~SVC*HC:99213~DTM*472*20250301~CLP*2*1~NM1*QC*1*B*B****MI*M-2~SVC*HC:99214~SE*9*1~",
			"pair:patient:m-1&cpt:99213 pair:patient:m-2&cpt:99214 month:cpt:99213&2025-03", "pair:patient:m-1&cpt:99214 pair:patient:m-2&cpt:99213"},
		{"HL7 v2, the same number without an authority", "MSH|^~\\&|a|HA\rPID|1||7~A1^^^HA\rDG1|1||I21.4^x^I10\rMSH|^~\\&|a|HB\rPID|1||7~B1^^^HB\rDG1|1||F20.0^x^I10\r",
			"pair:patient:7&icd10:I21.4 pair:patient:7&icd10:F20.0 pair:patient:a1&icd10:I21.4 pair:patient:b1&icd10:F20.0",
			"pair:patient:a1&icd10:F20.0 pair:patient:b1&icd10:I21.4"},
		{"HL7 v2, the same number of a type", "MSH|^~\\&|a|HA\rPID|1||7^^^^MR~A1^^^HA\rDG1|1||I21.4^x^I10\rMSH|^~\\&|a|HB\rPID|1||7^^^^MR~B1^^^HB\rDG1|1||F20.0^x^I10\r",
			"pair:patient:mr|7&icd10:I21.4 pair:patient:mr|7&icd10:F20.0", "pair:patient:a1&icd10:F20.0 pair:patient:b1&icd10:I21.4"},
		{"HL7 v2, the same number of an authority", "MSH|^~\\&|a|HA\rPID|1||7^^^HA~A1^^^HB\rDG1|1||I21.4^x^I10\rMSH|^~\\&|a|HA\rPID|1||7^^^HA\rDG1|1||F20.0^x^I10\r",
			"pair:patient:a1&icd10:F20.0 pair:patient:7&icd10:I21.4 pair:patient:7&icd10:F20.0", ""},
		{"FHIR, the same identifier without a system", entriesOf(`"resource":{"resourceType":"Patient","id":"a","identifier":[{"value":"7"}]}`, `"resource":{"resourceType":"Patient","id":"b","identifier":[{"value":"7"}]}`,
			`"resource":`+conditionAbout(`"subject":{"reference":"Patient/a"},`, "1-8")),
			"pair:patient:7&loinc:1-8 pair:patient:a&loinc:1-8", "pair:patient:b&loinc:1-8"},
		{"FHIR, the same id on two servers", entriesOf(`"resource":{"resourceType":"Patient","id":"1","identifier":[{"system":"s","value":"A1"}]},"fullUrl":"https://a.example/fhir/Patient/1"`,
			`"fullUrl":"https://b.example/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1","identifier":[{"system":"s","value":"B1"}]}`,
			`"resource":`+conditionAbout(`"subject":{"reference":"https://b.example/fhir/Patient/1/_history/3"},`, "1-8"),
			`"fullUrl":"https://a.example/fhir/Condition/5","resource":`+conditionAbout(`"subject":{"reference":"Patient/1"},`, "2-6")),
			"pair:patient:b1&loinc:1-8 pair:patient:1&loinc:1-8 pair:patient:a1&loinc:2-6", "pair:patient:a1&loinc:1-8 pair:patient:b1&loinc:2-6"},
		{"FHIR, one server, and references of both kinds", entriesOf(`"resource":{"resourceType":"Patient","id":"1","identifier":[{"system":"s","value":"A1"}]}`,
			`"resource":{"resourceType":"Patient","id":"2","identifier":[{"system":"s","value":"B1"}]}`,
			`"resource":`+conditionAbout(`"subject":{"reference":"https://a.example/fhir/Patient/1"},`, "1-8")),
			"pair:patient:a1&loinc:1-8", "pair:patient:b1&loinc:1-8"},
		{"FHIR, the same medication id on two servers", entriesOf(`"fullUrl":"https://a.example/fhir/Medication/m","resource":{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]}}`,
			`"fullUrl":"https://b.example/fhir/Medication/m","resource":{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"http://loinc.org","code":"2-6"}]}}`,
			`"fullUrl":"https://a.example/fhir/MedicationStatement/1","resource":{"resourceType":"MedicationStatement","subject":{"reference":"Patient/1"},"medicationReference":{"reference":"Medication/m"}}`,
			`"resource":{"resourceType":"MedicationStatement","subject":{"reference":"Patient/2"},"medicationReference":{"reference":"https://b.example/fhir/Medication/m"}}`),
			"pair:patient:1&loinc:1-8 pair:patient:2&loinc:2-6", "pair:patient:1&loinc:2-6 pair:patient:2&loinc:1-8"},
		{"FHIR, a patient named by an encounter", entriesOf(`"resource":`+conditionAbout(`"encounter":{"reference":"Encounter/e1"},`, "1-8"), `"resource":`+conditionAbout(`"context":{"reference":"urn:uuid:e2"},`, "2-6"),
			`"fullUrl":"https://a.example/fhir/Encounter/e1","resource":{"resourceType":"Encounter","id":"e1","subject":{"reference":"Patient/1"}}`,
			`"fullUrl":"urn:uuid:e2","resource":{"resourceType":"Encounter","subject":{"reference":"Patient/2"}}`),
			"pair:patient:1&loinc:1-8 pair:patient:2&loinc:2-6", "pair:patient:1&loinc:2-6 pair:patient:2&loinc:1-8"},
	})
}
