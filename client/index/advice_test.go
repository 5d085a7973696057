package index

import (
	"strings"
	"testing"
	"time"
)

// A query that finds nothing gets a hint of what exists.
func TestAdvice(t *testing.T) {
	for query, want := range map[string]string{
		"asthma and home:HospitalZ":        "there is no hospital hospitalz; home: takes HospitalA, HospitalB",
		"asthma and home:hospitala":        "",
		"kind:ccd":                         "kind:ccd is no kind",
		"kind:ccda":                        "",
		"kind:Observation":                 "",
		"kind:fhir:conditon":               "kind:fhir:conditon is no resource type of FHIR",
		"kind:fhir:condition":              "",
		"kind:fhir":                        "",
		"icd10:XYZ":                        "XYZ is no code of ICD-10",
		"icd10:I2":                         "",
		"icd10:I21.4":                      "",
		"icd10:I20-I25":                    "",
		"icd10:U50-U73":                    "",
		"code:I21.4":                       "one of ICD-10 is found by icd10:I21.4",
		"code:local|I21.4":                 "",
		"kind:oru^r01":                     "",
		`"heart failure"`:                  "without quotes",
		"heart failure":                    "",
		"not home:HospitalZ and icd10:I21": "there is no hospital",
	} {
		got := strings.Join(MustParseQuery(query).Advice([]string{"HospitalA", "HospitalB"}), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// A record with a date in the future does not stay at the top for ever.
func TestFutureDatesDoNotLead(t *testing.T) {
	at := time.Date(2025, 3, 2, 12, 0, 0, 0, time.UTC)
	hit := func(last Day, written time.Time) Hit {
		return Hit{Posting: Posting{First: last, Last: last, Written: written}}
	}
	planned, recent := hit(civil(2031, 1, 1), at), hit(civil(2025, 4, 1), at.AddDate(0, 2, 0))
	if compareHits(recent, planned) >= 0 {
		t.Error("a date in the future leads")
	}
	if compareHits(hit(civil(2025, 3, 3), at), hit(civil(2025, 3, 2), at)) >= 0 {
		t.Error("a day that has begun elsewhere does not count")
	}
}
