package index

import (
	"strings"
	"testing"
)

// A short prefix finds all categories that begin with it, in few terms.
func TestICD10Prefix(t *testing.T) {
	for _, stem := range []string{"I2", "F", "A", "C", "D", "E", "H", "K", "S", "T", "U", "X", "C7", "I1", "D4"} {
		terms := make(map[Term]bool)
		for _, term := range MustParseQuery("icd10:" + stem).Terms() {
			terms[term] = true
		}
		if len(terms) > 30 {
			t.Errorf("%s: %d terms", stem, len(terms))
		}
		for _, run := range icd10Runs() {
			for _, category := range []string{run.first, run.last} {
				found := false
				for _, term := range codeTerms(Code{"icd10", category + ".1"}) {
					found = found || terms[term]
				}
				if found != strings.HasPrefix(category, stem) {
					t.Errorf("icd10:%s finds %s: %v", stem, category, found)
				}
			}
		}
	}
}

// A block that no edition has is an error that lists near ones, never an empty answer.
func TestICD10BlocksOfAllEditions(t *testing.T) {
	for _, block := range []string{"I20-I25", "E10-E14", "E08-E13", "C00-C97", "C00-D48", "C00-D49", "S00-T98", "S00-T88", "V01-Y98", "C50-C50", "U50-U73"} {
		if _, err := ParseQuery("icd10:" + block); err != nil {
			t.Errorf("%s: %v", block, err)
		}
	}
	_, err := ParseQuery("icd10:I21-I22")
	if q, ok := err.(*QueryError); !ok || !strings.Contains(q.Hint, "I20-I25") {
		t.Errorf("%v, %+v", err, err)
	}
	if _, err := ParseQuery("icd10:E08-E99"); err == nil {
		t.Error("a range that no edition has is no error")
	}
}

func TestCodePattern(t *testing.T) {
	for _, c := range []struct {
		pattern, system, code string
		want                  bool
	}{
		{"icd10:F", "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "F32.1", true},
		{"icd10:F3", "I10", "F321", true},
		{"icd10:F30-F39", "I10", "F32.1", true},
		{"icd10:F", "I10", "G30.0", false},
		{"icd10:I21", "SCT", "I21", false},
		{"atc:A10", "http://www.whocc.no/atc", "A10BA02", true},
	} {
		p, err := ParseCodePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if p.Matches(Code{c.system, c.code}) != c.want {
			t.Errorf("%+v", c)
		}
	}
	if _, err := ParseCodePattern("heart failure"); err == nil {
		t.Error("words are a code")
	}
}

// The names of a code system in all formats have one prefix.
func TestPrefix(t *testing.T) {
	for want, names := range map[string]string{
		ICD10: `http://hl7.org/fhir/sid/icd-10 http://hl7.org/fhir/sid/icd-10-cm http://hl7.org/fhir/sid/icd-10-am http://fhir.de/CodeSystem/bfarm/icd-10-gm
			http://fhir.de/CodeSystem/dimdi/icd-10-gm/2020 urn:oid:1.2.276.0.76.5.409 I10 I10C ICD10GM2025 I10G2025 ICD10AM ICD10CA ICD-10-CM ICD-10-GM ICD10
			http://hl7.org/fhir/sid/icd-10-nl http://hl7.org/fhir/sid/icd-10-de https://terminologitjansten.inera.se/fhir/CodeSystem/icd-10-se 1.2.752.116.1.1.1.1.3
			2.16.840.1.113883.6.3.3 2.16.840.1.113883.6.135 http://terminology.hl7.org/CodeSystem/icd10 http://hl7.org/fhir/sid/icd-10|2019 CIM-10 http://id.who.int/icd/release/10/2019`,
		ICD11:     "http://id.who.int/icd/release/11/mms http://id.who.int/icd/release/11/2024-01/mms ICD-11 icd11mms 2.16.840.1.113883.6.347",
		ICD9:      "http://hl7.org/fhir/sid/icd-9-cm I9 I9C I9CDX ICD-9-CM icd9 2.16.840.1.113883.6.103 2.16.840.1.113883.6.104",
		ICDO:      "http://terminology.hl7.org/CodeSystem/icd-o-3 ICDO ICDO3 ICD-O-3 2.16.840.1.113883.6.43.1",
		ICD10PCS:  "http://www.cms.gov/Medicare/Coding/ICD10 I10P ICD-10-PCS ICD10PCS http://hl7.org/fhir/sid/icd-10-pcs 2.16.840.1.113883.6.4",
		ICPC:      "http://hl7.org/fhir/sid/icpc-1 http://hl7.org/fhir/sid/icpc-2 ICPC2 ICPC-2 IC2 2.16.840.1.113883.6.139",
		OPS:       "http://fhir.de/CodeSystem/bfarm/ops http://fhir.de/CodeSystem/dimdi/ops OPS2020 OPS-301 1.2.276.0.76.5.410",
		ATC:       "http://www.whocc.no/atc http://fhir.de/CodeSystem/bfarm/atc ATC WC 2.16.840.1.113883.6.73",
		CPT:       "http://www.ama-assn.org/go/cpt C4 CPT CPT-4 2.16.840.1.113883.6.12",
		SNOMED:    "http://snomed.info/sct http://snomed.info/sct/731000124108/version/20200301 SCT SNOMED-CT snomedct 2.16.840.1.113883.6.96",
		LOINC:     "http://loinc.org LN LOINC LN2.72 urn:oid:2.16.840.1.113883.6.1",
		RxNorm:    "http://www.nlm.nih.gov/research/umls/rxnorm RXNORM 2.16.840.1.113883.6.88",
		CVX:       "http://hl7.org/fhir/sid/cvx CVX 2.16.840.1.113883.12.292",
		NDC:       "http://hl7.org/fhir/sid/ndc NDC 2.16.840.1.113883.6.69",
		UCUM:      "http://unitsofmeasure.org UCUM 2.16.840.1.113883.6.8",
		OtherCode: "L 99LOCAL http://example.org/codes urn:uuid:1234 HL70136 MD5 http://terminology.hl7.org/CodeSystem/v3-ActCode 1.2.3.4 suicide10 op",
	} {
		for _, name := range strings.Fields(names) {
			if got := Prefix(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
}

// Two codes in one text are two, and an expression gives its focus concepts.
func TestCodesInOneText(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"icd10", "E10.30† H36.0*"}:                             "icd10:E10.30 icd10:H36.0",
		{"icd10", "E10.3+, H36.0*"}:                             "icd10:E10.3 icd10:H36.0",
		{"icd10", "I21.4"}:                                      "icd10:I21.4",
		{"SCT", "64572001 |disease|:363698007=39057004"}:        "snomed:64572001",
		{"SCT", "421720008 |spray|+7946007 |suspension|"}:       "snomed:421720008 snomed:7946007",
		{"SCT", "44054006"}:                                     "snomed:44054006",
		{"http://id.who.int/icd/release/11/mms", "5A11/9B71.0"}: "icd11:5A11 icd11:9B71.0 icd11:9B71 icd11:5A1",
		{"http://www.whocc.no/atc", "A10BA02"}:                  "atc:A10BA02 atc:A10BA atc:A10B atc:A10 atc:A",
		{"http://fhir.de/CodeSystem/bfarm/ops", "5-470.11"}:     "ops:5-470.11 ops:5-470.1 ops:5-470 ops:5-47 ops:5",
		{"ICPC2", "T90"}:                                        "icpc:T90 icpc:T",
		{"I9C", "25000"}:                                        "icd9:250.00 icd9:250.0 icd9:250 code:25000",
	} {
		terms := make(map[string]bool)
		for _, t := range codeTerms(Code{in[0], in[1]}) {
			terms[string(t)] = true
		}
		for _, w := range strings.Fields(want) {
			if !terms[w] {
				t.Errorf("%v: no %s in %v", in, w, terms)
			}
		}
	}
}
