package emr

import (
	"slices"
	"strings"
	"testing"
)

// TestDepartments: where each format says in which department a record was made.
func TestDepartments(t *testing.T) {
	for name, c := range map[string]struct {
		record string
		want   []string
	}{
		"HL7 v2": {"MSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.5\rPV1|1|I|ICU^3^1|||||||CAR\r", []string{"ICU", "CAR"}},
		"FHIR": {`{"resourceType":"Appointment","serviceType":[{"coding":[{"system":"http://x","code":"165","display":"Cardiology"}]}],
			"reasonCode":[{"coding":[{"system":"http://y","code":"1","display":"not a department"}]}]}`, []string{"Cardiology"}},
		"C-CDA": {`<ClinicalDocument xmlns="urn:hl7-org:v3"><componentOf><encompassingEncounter><location><healthCareFacility><location>
			<name>Oncology ward</name></location></healthCareFacility></location></encompassingEncounter></componentOf></ClinicalDocument>`, []string{"Oncology ward"}},
		"DICOM": {strings.Repeat("\x00", 128) + "DICM" + "\x08\x00\x40\x10LO\x0a\x00Radiology ", []string{"Radiology"}},
		"text":  {"Department of nothing", nil},
	} {
		d, err := Extract(t.Context(), strings.NewReader(c.record))
		if err != nil || !slices.Equal(d.Departments, c.want) {
			t.Errorf("%s: %q, want %q (%v)", name, d.Departments, c.want, err)
		}
	}
}
