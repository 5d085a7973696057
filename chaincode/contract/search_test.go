package contract

import (
	"reflect"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A search gives the values of Get, and the lists of scopes, authorities and retirements.
func TestSearch(t *testing.T) {
	c := newChannel(t)
	doctor := person(t, "HospitalA", "doctor", "doctor")
	custodian := person(t, "HospitalA", "custodian", "custodian")
	_, err := c.submit(doctor, indexing(1, 2, 3), ledger.IndexPut)
	ok(t, nil, err)

	ask := []ledger.LabelBatch{labelBatch("HospitalB", 2), labelBatch("HospitalA", 3, 9)}
	known := ""
	search := func() ledger.SearchAnswer {
		t.Helper()
		payload, err := c.evaluate("HospitalC", person(t, "HospitalC", "nurse", "nurse"), ledger.IndexSearch, known, ask)
		return must[ledger.SearchAnswer](t, payload, err)
	}
	empty := search().Searchable
	if empty.Generation != "" || empty.Scopes == nil || empty.Hospitals == nil || empty.Retirements == nil || len(empty.Scopes)+len(empty.Hospitals)+len(empty.Retirements) > 0 {
		t.Errorf("an empty consortium: %+v", empty)
	}

	submit := func(who []byte, fn string, args ...any) {
		t.Helper()
		_, err := c.submit(who, wrapped(t, 1), fn, args...)
		ok(t, nil, err)
	}
	for _, scope := range []string{"trial", "consortium"} {
		submit(custodian, ledger.ScopeCreate, scope)
	}
	for _, msp := range []string{"HospitalB", "HospitalA"} {
		submit(person(t, msp, "authority", "authority"), ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://a.example"})
	}
	if got := search().Searchable; len(got.Retirements) > 0 || len(got.Scopes) != 2 {
		t.Errorf("before a roll: %+v", got)
	}
	submit(custodian, ledger.ScopeRoll, "trial", 2)
	submit(custodian, ledger.ScopeRetire, "trial", 1, "")

	payload, err := c.evaluate("HospitalA", doctor, ledger.IndexSearch, "", []ledger.LabelBatch{})
	if got := must[ledger.SearchAnswer](t, payload, err); got.Values == nil || len(got.Values) > 0 || len(got.Searchable.Scopes) != 2 {
		t.Errorf("without labels: %+v", got)
	}
	answer := search()
	payload, err = c.evaluate("HospitalA", doctor, ledger.IndexGet, ask)
	if want := must[[][]string](t, payload, err); !reflect.DeepEqual(answer.Values, want) || want[1][0] == "" {
		t.Errorf("values %q, want %q", answer.Values, want)
	}
	payload, err = c.evaluate("HospitalA", doctor, ledger.ScopeList)
	if want := must[[]ledger.Scope](t, payload, err); !reflect.DeepEqual(answer.Searchable.Scopes, want) || len(want) != 2 {
		t.Errorf("scopes %+v, want %+v", answer.Searchable.Scopes, want)
	}
	payload, err = c.evaluate("HospitalA", doctor, ledger.ScopeRetired, "trial")
	if want := must[[]ledger.Retirement](t, payload, err); !reflect.DeepEqual(answer.Searchable.Retirements, want) || len(want) != 1 {
		t.Errorf("retirements %+v, want %+v", answer.Searchable.Retirements, want)
	}
	if want := []string{"HospitalA", "HospitalB"}; !reflect.DeepEqual(answer.Searchable.Hospitals, want) {
		t.Errorf("hospitals %q, want %q", answer.Searchable.Hospitals, want)
	}

	// A caller that knows the current generation gets no lists. One that knows an older
	// generation gets all.
	known = answer.Searchable.Generation
	again := search()
	if s := again.Searchable; s.Generation != known || s.Scopes == nil || len(s.Scopes)+len(s.Hospitals)+len(s.Retirements) > 0 || !reflect.DeepEqual(again.Values, answer.Values) {
		t.Errorf("to one who knows it: %+v", again)
	}
	_, err = c.submit(doctor, indexing(7), ledger.IndexPut) // changes nothing of it
	ok(t, nil, err)
	if s := search().Searchable; s.Generation != known || len(s.Scopes) > 0 {
		t.Errorf("after new entries: %+v", s)
	}
	for name, change := range map[string]func(){
		"create": func() { submit(custodian, ledger.ScopeCreate, "another") },
		"roll":   func() { submit(custodian, ledger.ScopeRoll, "trial", 3) },
		"retire": func() { submit(person(t, "HospitalB", "custodian", "custodian"), ledger.ScopeRetire, "trial", 1, "") },
		"announce": func() {
			submit(person(t, "HospitalC", "authority", "authority"), ledger.AuthorityAnnounce, ledger.Announcement{URL: "https://c.example"})
		},
	} {
		change()
		s := search().Searchable
		if s.Generation == known || len(s.Scopes) < 2 || len(s.Hospitals) < 2 || len(s.Retirements) < 1 {
			t.Errorf("after %s: %+v", name, s)
		}
		known = s.Generation
	}
}
