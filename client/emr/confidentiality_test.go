package emr

import "testing"

// TestLabelSystemOf: a label whose code system is written a little differently must not
// be lost, as a rule would then take the record for one without a label.
func TestLabelSystemOf(t *testing.T) {
	for system, want := range map[string]labelSystem{
		"2.16.840.1.113883.5.25":                                            v3System,
		"urn:oid:2.16.840.1.113883.5.25":                                    v3System,
		"URN:OID:2.16.840.1.113883.5.25":                                    v3System,
		" urn:oid:2.16.840.1.113883.5.25 ":                                  v3System,
		"2.16.840.1.113883.5.25\n":                                          v3System,
		"\t\n2.16.840.1.113883.5.25\r\n\t":                                  v3System,
		"2.16.840.1.113883.5.25\u00a0":                                      v3System,
		"\ufeff2.16.840.1.113883.5.25\u200b":                                v3System,
		"http://terminology.hl7.org/CodeSystem/v3-Confidentiality":          v3System,
		"http://terminology.hl7.org/CodeSystem/v3-Confidentiality/\n":       v3System,
		"http://terminology.hl7.org/CodeSystem/v3-Confidentiality \t|3.0.0": v3System,
		"http://hl7.org/fhir/v3/CONFIDENTIALITY":                            v3System,
		"HL70177":                                                           v2System,
		"HL70272\n":                                                         v2System,
		"http://x.org/v2-0952/\t":                                           v2System,
		"":                                                                  otherSystem,
		"|":                                                                 otherSystem,
		"\n":                                                                otherSystem,
		"http://loinc.org":                                                  otherSystem,
		"http://snomed.info/sct":                                            otherSystem,
		"1.2.16.840.1.113883.5.5":                                           otherSystem,
	} {
		if got := labelSystemOf(system); got != want {
			t.Errorf("%q: %d, want %d", system, got, want)
		}
	}
}
