package emr

import (
	"slices"
	"strings"
	"testing"
)

// resourceOf is a FHIR condition of a patient.
func conditionOf(patient, code, date, more string) string {
	return `{"resourceType":"Condition","subject":{"reference":"Patient/` + patient + `"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"` +
		code + `"}]},"onsetDateTime":"` + date + `"` + more + `}`
}

func bundleOf(resources ...string) string {
	return `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + strings.Join(resources, `},{"resource":`) + `}]}`
}

// Terms of two facts are made within one statement: a Bundle of two patients never says
// that one has the other's diagnosis, or had it at the other's time.
func TestStatementsOfTwoPatients(t *testing.T) {
	mrn := `{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:mrn","value":"MRN-A"}]}`
	terms := termsOf(extractText(t, bundleOf(mrn, conditionOf("a", "I21.4", "2019-03-14", ""), conditionOf("b", "F20.0", "2020-05-01", ""))))
	for _, want := range []string{"pair:patient:a&icd10:I21.4", "pair:patient:mrn-a&icd10:I21.4", "pair:patient:b&icd10:F20.0", "month:icd10:I21.4&2019-03", "month:icd10:F20&2020-05"} {
		if !slices.Contains(terms, want) {
			t.Errorf("no %s in %q", want, terms)
		}
	}
	for _, not := range []string{"pair:patient:a&icd10:F20.0", "pair:patient:mrn-a&icd10:F20.0", "pair:patient:b&icd10:I21.4", "month:icd10:I21.4&2020-05", "pair:patient:a&*", "month:icd10:I21.4&*"} {
		if slices.Contains(terms, not) {
			t.Errorf("%s is there", not)
		}
	}
}

// A statement's context is told at the statement.
func TestContexts(t *testing.T) {
	status := func(of, code string) string {
		return `,"` + of + `":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/x","code":"` + code + `"}]}`
	}
	for more, want := range map[string]string{
		"":                                      "icd10:I21.4",
		status("verificationStatus", "refuted"): "refuted:icd10:I21.4",
		status("verificationStatus", "entered-in-error"): "error:icd10:I21.4",
		status("verificationStatus", "provisional"):      "icd10:I21.4 suspected:icd10:I21.4",
		status("clinicalStatus", "resolved"):             "icd10:I21.4 historic:icd10:I21.4",
		`,"verificationStatus":"refuted"`:                "refuted:icd10:I21.4", // STU3
		`,"status":"entered-in-error"`:                   "error:icd10:I21.4",
		`,"status":"not-done"`:                           "not-done:icd10:I21.4",
		`,"doNotPerform":true`:                           "not-done:icd10:I21.4",
		`,"wasNotGiven":true`:                            "not-done:icd10:I21.4", // DSTU2
		`,"doNotPerform":false`:                          "icd10:I21.4",
		`,"intent":"proposal"`:                           "planned:icd10:I21.4",
		`,"status":"active","intent":"order"`:            "icd10:I21.4",
	} {
		terms := termsOf(extractText(t, conditionOf("a", "I21.4", "2019-03-14", more)))
		got := slices.DeleteFunc(slices.Clone(terms), func(s string) bool {
			return !strings.HasSuffix(s, "icd10:I21.4") || strings.Contains(s, "&")
		})
		slices.Sort(got)
		if wants := strings.Fields(want); !slices.Equal(got, slices.Sorted(slices.Values(wants))) {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
		for _, term := range strings.Fields(want) {
			if !slices.Contains(terms, "pair:patient:a&"+term) || !slices.Contains(terms, "month:"+term+"&2019-03") {
				t.Errorf("%s: no composed terms of %s in %q", more, term, terms)
			}
		}
	}
}

func extractText(t *testing.T, text string) Document {
	t.Helper()
	doc, err := Extract(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
