package emr

import (
	"slices"
	"strings"
	"testing"
)

func TestOpenEHR(t *testing.T) {
	element := func(code string) string {
		return `{"_type":"ELEMENT","name":{"value":"Problem"},"value":{"_type":"DV_CODED_TEXT","value":"Text ` + code + `","defining_code":{"terminology_id":{"value":"ICD-10"},"code_string":"` + code + `"}}}`
	}
	entry := func(archetype, content string) string {
		return `{"_type":"EVALUATION","archetype_node_id":"` + archetype + `","data":{"items":[` + content + `]}}`
	}
	in := `{"_type":"COMPOSITION","name":{"_type":"DV_TEXT","value":"Problem list"},"archetype_node_id":"openEHR-EHR-COMPOSITION.problem_list.v1",
"composer":{"_type":"PARTY_IDENTIFIED","name":"Dr Muster"},"context":{"start_time":{"value":"2025-03-02T10:00:00"},"health_care_facility":{"name":"St Anna"}},
"category":{"_type":"DV_CODED_TEXT","value":"event","defining_code":{"terminology_id":{"value":"openehr"},"code_string":"433"}},
"content":[` + entry("openEHR-EHR-EVALUATION.problem_diagnosis.v1", element("I21.4")) + `,` + entry("openEHR-EHR-EVALUATION.exclusion_specific.v1", element("I26.9")) + `,` +
		entry("openEHR-EHR-EVALUATION.family_history.v2", element("C18.7")) + `,` + entry("openEHR-EHR-EVALUATION.health_risk.v1", element("E11.9")) + `,` + entry("openEHR-EHR-EVALUATION.differential_diagnoses.v0", element("J18.9")) + `,{"_type":"OBSERVATION","subject":{"_type":"PARTY_IDENTIFIED","external_ref":{"namespace":"anna","id":{"value":"P-1"}}}}]}`
	doc, err := Extract(t.Context(), strings.NewReader(in))
	if err != nil || len(doc.Warnings) > 0 {
		t.Fatalf("%v %q", err, doc.Warnings)
	}
	terms := termsOf(doc)
	for _, want := range strings.Fields("kind:openehr icd10:I21.4 refuted:icd10:I26.9 family:icd10:C18.7 risk:icd10:E11.9 suspected:icd10:J18.9 patient:anna|p-1 date:2025-03-02 author:muster org:anna word:problem word:i21.4 pair:patient:p-1&icd10:I21.4 month:icd10:I21.4&2025-03") {
		if !slices.Contains(terms, want) {
			t.Errorf("no %s in %q", want, terms)
		}
	}
	for _, not := range strings.Fields("icd10:I26.9 icd10:C18.7 icd10:E11.9 code:433") {
		if slices.Contains(terms, not) {
			t.Errorf("%s is there", not)
		}
	}
	if doc, err := Extract(t.Context(), strings.NewReader(in[:len(in)-300])); err != nil || len(doc.Incomplete) == 0 {
		t.Errorf("cut off: %v\n%s", err, show(doc))
	}
}
