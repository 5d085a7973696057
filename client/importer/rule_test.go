package importer

import (
	"errors"
	"strings"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/emr"
	"github.com/chartseal/chartseal/client/index"
)

func TestRulesAreStrict(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "no rules",
		"rules: []":             "no rules",
		"rules: [null]":         "rule 1 is empty",
		"rule: []":              "field rule not found",
		"rules: [{polcy: A:x}]": "field polcy not found",
		"rules: [{match: {kid: x}, policy: A:x}]":                                   "field kid not found",
		"rules: [{name: a}]":                                                        "rule 1 (a): it has no policy",
		"rules: [{policy: 'A:x and'}]":                                              "rule 1: policy: line 1, column 8",
		"rules: [{policy: A:x}, {policy: A:y}]":                                     "rule 1 matches everything",
		"rules: [{name: a, match: {kind: x}, policy: A:x}, {name: a, policy: A:x}]": "another rule has this name",
		"rules: [{policy: A:x, match: {confidentiality: Q}}]":                       `"Q" is none of U, L, M, N, R, V, none`,
		"rules: [{policy: A:x, match: {code: I21}}]":                                "not the beginning of a code",
		"rules: [{policy: A:x, match: {code: 'icd12:I21'}}]":                        "not the beginning of a code",
		"rules: [{policy: A:x, match: {kind: ''}}]":                                 "an empty kind",
		"rules: [{policy: A:x, match: {kind: []}}]":                                 "an empty list matches nothing",
		"rules: [{policy: A:x, match: {kind: {a: b}}}]":                             "cannot unmarshal",
		"rules: [{policy: A:x, no-index: true, scope: s}]":                          "no-index contradicts",
		"rules: [{policy: A:x, keywords: ['a', ' ']}]":                              "a keyword is empty",
		"rules: [{policy: A:x, patient-key: age1x}]":                                "patient-key",
		"rules: [{policy: A:x}]\n---\nrules: [{policy: A:x}]":                       "more than one YAML document",
		"rules: [{policy: A:x, policy: A:y}]":                                       "already defined",
		"\t":                                                                        "cannot start any token",
	} {
		_, err := ParseRules([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	d := emr.Document{
		Kind: "hl7v2:ORU^R01", Organisations: []string{"General Hospital", "Lab (West)"}, Departments: []string{"ICU"}, Confidentiality: []string{"N"},
		Codes: []index.Code{{System: "http://hl7.org/fhir/sid/icd-10-cm", Code: "F32.1"}, {System: "http://snomed.info/sct", Code: "44054006"}},
	}
	for match, want := range map[string]bool{
		"{kind: 'hl7v2:*'}":                   true,
		"{kind: 'HL7V2:oru^*'}":               true,
		"{kind: hl7v2}":                       false,
		"{kind: ['fhir:*', 'hl7v2:ORU?R01']}": true,
		"{organisation: 'lab (west)'}":        true,
		"{organisation: 'lab'}":               false,
		"{department: [CCU, ICU]}":            true,
		"{department: CCU}":                   false,
		"{confidentiality: N}":                true,
		"{confidentiality: [r, v]}":           false,
		"{confidentiality: none}":             false,
		"{code: 'icd10:F'}":                   true,
		"{code: 'icd10:F3'}":                  true,
		"{code: 'ICD10:f32.1'}":               true,
		"{code: 'icd10:F33'}":                 false,
		"{code: 'loinc:44054006'}":            false,
		"{code: 'snomed:44054006'}":           true,
		"{code: 'icd10:F', kind: 'fhir:*'}":   false,
		"{path: 'a/*.hl7'}":                   true,
		"{path: '*.hl7'}":                     false,
		"{path: '**/*.hl7'}":                  true,
		"{path: '**/a/m.hl7'}":                true,
		"{path: 'a/?.hl7'}":                   true,
		"{path: 'a?m.hl7'}":                   false,
		"{path: 'A/**'}":                      false,
		"{path: '**'}":                        true,
		"{path: 'a/m.h.7'}":                   false,
	} {
		rules, err := ParseRules([]byte("rules: [{policy: A:x, match: " + match + "}]"))
		if err != nil {
			t.Errorf("%s: %v", match, err)
		} else if got, err := rules.find([]string{"a/m.hl7"}, d); (got != nil) != want || (err == nil) != want {
			t.Errorf("%s: %v, %v", match, got, err)
		}
	}
	silent, err := ParseRules([]byte("rules: [{policy: A:x, match: {confidentiality: [none, R]}}]"))
	if err == nil {
		_, err = silent.find([]string{"x"}, emr.Document{})
	}
	if err != nil {
		t.Errorf("a record without a code is not none: %v", err)
	}
}

// TestRecordIDs are frozen: another derivation would seal everything of a running job
// again.
func TestRecordIDs(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	for key, want := range map[string]string{"a/b.json": "f1bb9dff6d1c509b4a34748516a0e353", "a/b.json\x001": "816b6fa39a173319f3a85fe31305c737"} {
		got := recordID(secret, key, [32]byte{1})
		if got != want {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add([]byte("rules: [{policy: A:x, match: {path: '**/x', code: 'icd10:F'}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := ParseRules(text)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		rules.find([]string{"a/b"}, emr.Document{})
	})
}
