package emr

import (
	"strings"
	"testing"
)

// What an independent scan of sample records found and extraction did not.
func TestFoundByAScan(t *testing.T) {
	event := `<documentationOf><serviceEvent><code code="I21.4" codeSystem="2.16.840.1.113883.6.90" displayName="Infarct"/></serviceEvent></documentationOf>`
	planned := entryOf(`<observation moodCode="RQO"><code code="I21.4" codeSystem="2.16.840.1.113883.6.90" displayName="Infarct"/></observation>`)
	testTerms(t, []termCase{
		{"a code of the document that is planned again", strings.Replace(cdaWith(planned), "<component>", event+"<component>", 1),
			"icd10:I21.4 word:infarct planned:icd10:I21.4 pair:patient:p-1&icd10:I21.4", ""},
		{"a date whose member is value", resourceOf("ImmunizationRecommendation", `"recommendation":[{"dateCriterion":[{"code":`+loinc18+`,"value":"2016-12-28T00:00:00-05:00"}]}]`),
			"date:2016-12-28", ""},
		{"a value that is a number", `<Observation xmlns="http://hl7.org/fhir"><valueQuantity><value value="2016"/></valueQuantity></Observation>`, "", "date:2016"},
		{"a value that is a date, of an identifier", resourceOf("Condition", `"identifier":[{"system":"x","value":"2016-12-28"}]`), "", "date:2016-12-28"},
		{"byte order marks within a batch", "BHS|^~\\&|a\r\ufeffMSH|^~\\&|a|HA|||||ADT^A01\rPID|1||1^^^HA\rDG1|1||I21.4^x^I10\r\ufeffMSH|^~\\&|a|HA|||||ADT^A01\rPID|1||2^^^HA\rDG1|1||F20.0^x^I10\rBTS|2\r",
			"pair:patient:1&icd10:I21.4 pair:patient:2&icd10:F20.0 kind:hl7v2:adt^a01", "pair:patient:1&icd10:F20.0 pair:patient:2&icd10:I21.4"},
	})
}
