package client

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
)

// TestGivenWords: a value that no query can match is refused before anything is sealed.
func TestGivenWords(t *testing.T) {
	for name, r := range map[string]SealRequest{
		"empty keyword":           {Keywords: []string{" "}},
		"long keyword":            {Keywords: []string{strings.Repeat("x", maxWords+1)}},
		"keyword not UTF-8":       {Keywords: []string{"\xff\xfe"}},
		"keyword with a control":  {Keywords: []string{"a\x07b"}},
		"kind of two lines":       {Kind: "x\ny"},
		"patient with an escape":  {Patient: "\x1b[2J"},
		"date that is not a date": {Keywords: []string{"date:2019-13-45"}},
	} {
		if _, err := givenFacts(r.Kind, r.Patient, r.Keywords); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want %v", name, err, ErrInvalid)
		}
	}
	if f, err := givenFacts("", "mrn|1", []string{"çà et là", "icd10:I21.4"}); err != nil || len(f.Codes) != 1 {
		t.Errorf("got %+v, %v", f, err)
	}
}

// TestFactsInEnvelope: an envelope holds each keyword once and gives back facts and
// metadata. An envelope without facts gives back those of the metadata.
func TestFactsInEnvelope(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v := ledger.RecordVersion{ID: strings.Repeat("ab", 16), Version: 2, CID: "bafy"}
	facts := index.Facts{
		Kind: "fhir:Condition", Patients: []index.Identifier{{System: "mrn", Value: "1"}},
		Codes: []index.Code{{System: "http://snomed.info/sct", Code: "22298006"}, {System: "icd10", Code: "I21.4"}, {System: "icd10", Code: "I21.4"}},
		Dates: []index.Date{{Year: 2019, Month: 3, Day: 14}}, Born: []index.Date{{Year: 1950}}, Titles: []string{"A \"title\""}, Keywords: []string{"çà", "<b>"},
	}
	open := func(change func(*envelope.Metadata)) (*envelope.Metadata, index.Facts, error) {
		t.Helper()
		m, err := metadata(facts)
		if err != nil {
			t.Fatal(err)
		}
		m.Record, m.Version, m.CID = v.ID, v.Version, v.CID
		m.Key, m.Salt, m.SHA256 = make([]byte, envelope.KeySize), make([]byte, envelope.SaltSize), make([]byte, 32)
		change(&m)
		data, err := m.Seal(id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		return openEnvelope(data, v, []age.Identity{id})
	}
	same := func(m *envelope.Metadata) bool {
		return reflect.DeepEqual(m.Codes, []string{"icd10:I21.4", "snomed:22298006"}) && reflect.DeepEqual(m.Dates, []string{"2019-03-14"}) &&
			reflect.DeepEqual(m.Keywords, []string{"çà", "<b>", `A "title"`}) && m.Patient == "1" && m.Kind == "fhir:Condition"
	}
	m, got, err := open(func(*envelope.Metadata) {})
	if err != nil || !same(m) || !reflect.DeepEqual(got, facts) {
		t.Errorf("got %+v and %+v, %v", m, got, err)
	}
	m, got, err = open(func(m *envelope.Metadata) { m.Facts = nil })
	if err != nil || !same(m) || len(got.Codes) != 2 || len(got.Keywords) != 3 || len(got.Born) != 0 {
		t.Errorf("without facts: %+v and %+v, %v", m, got, err)
	}
	m, _, err = open(func(m *envelope.Metadata) { m.Codes = []string{"icd10:X"} })
	if err != nil || !same(m) {
		t.Errorf("with other codes than the facts': %+v, %v", m, err)
	}
	if _, _, err = open(func(m *envelope.Metadata) { m.Facts = json.RawMessage(`["troponin"]`) }); !errors.Is(err, ErrTampered) {
		t.Errorf("facts that are none: %v", err)
	}
}
