package importer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/client/importer"
)

// A bundle without entries and a line that is no JSON are reported, and not passed over.
func TestNothingToSealIsReported(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "empty.json"), []byte(`{"resourceType":"Bundle","type":"collection","entry":[]}`), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "lines.ndjson"), []byte(`{"resourceType":"Patient","id":"1"}`+"\nthis is no JSON\n"), 0o600))
	h := newHospital(t)
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), &rows)
	j.Split = true
	sum := run(t, j)
	if sum.Sealed != 2 || sum.Failed != 0 || sum.Skipped != 1 {
		t.Errorf("%+v", sum)
	}
	for _, r := range rows {
		if r.Status != importer.StatusSealed && r.Reason == "" || r.File == "lines.ndjson" && (r.Part == 2) != strings.Contains(strings.Join(r.Warnings, " "), "no FHIR resource") {
			t.Errorf("%+v", r)
		}
	}
}

// A resource that is sealed alone is found by its patient's medical record number, which
// only the Patient resource has: of the same bundle, export or directory.
func TestResourcesAreFoundByTheirPatientsNumber(t *testing.T) {
	condition := func(patient string) string {
		return `{"resourceType":"Condition","subject":{"reference":"` + patient + `"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I21.4"}]}}`
	}
	patient := func(id, mrn string) string {
		return `{"resourceType":"Patient",` + id + `"identifier":[{"system":"urn:mrn","value":"` + mrn + `"}]}`
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"bundle.json": `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + condition("Patient/1") + `},{"resource":` + patient(`"id":"1",`, "MRN-BUNDLE") + `}]}`,
		"document.json": `{"resourceType":"Bundle","type":"document","entry":[{"fullUrl":"urn:uuid:u2","resource":` + patient("", "MRN-URN") +
			`},{"fullUrl":"urn:uuid:u3","resource":` + condition("urn:uuid:u2") + `}]}`,
		"export/Condition.ndjson": condition("Patient/1") + "\n" + condition("Patient/2") + "\n",
		"export/Patient.ndjson":   patient(`"id":"1",`, "MRN-EXPORT") + "\n" + patient(`"id":"2",`, "MRN-OTHER") + "\n",
		"single/p.json":           patient(`"id":"9",`, "MRN-SINGLE"),
		"single/c.json":           condition("Patient/9"),
		"twice/Patient.ndjson":    patient(`"id":"7",`, "MRN-A") + "\n" + patient(`"id":"7",`, "MRN-B") + "\n",
		"twice/Condition.ndjson":  condition("Patient/7") + "\n",
	} {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	h := newHospital(t)
	var rows []importer.Row
	j := h.job(t, dir, one(t, importer.Rule{Policy: doctors}), &rows)
	j.Split = true
	if sum := run(t, j); sum.Failed > 0 || sum.Sealed != 13 {
		t.Fatalf("%+v %+v", sum, rows)
	}
	for query, want := range map[string]int{
		"patient:MRN-BUNDLE":                  2,
		"patient:MRN-BUNDLE and icd10:I21.4":  1,
		"patient:urn:mrn|MRN-BUNDLE":          2,
		"patient:MRN-URN and icd10:I21":       1,
		"patient:MRN-EXPORT and icd10:I21.4":  1,
		"patient:MRN-OTHER and icd10:I21.4":   1,
		"patient:MRN-SINGLE and icd10:I21.4":  1,
		"patient:MRN-A and icd10:I21.4":       0, // two Patients have the id
		"patient:MRN-A":                       1,
		"patient:MRN-EXPORT and kind:Patient": 1,
	} {
		if got := h.found(t, query); len(got) != want {
			t.Errorf("%s: %d records, want %d", query, len(got), want)
		}
	}
}
