package policy

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	return p
}

func TestLintCoalitions(t *testing.T) {
	for _, test := range []struct {
		text  string
		alone string
		pairs [][2]string
	}{
		{"A:x", "A", nil},
		{"A:x or B:y", "A B", nil},
		{"A:x and B:y", "", [][2]string{{"A", "B"}}},
		{"A:x and B:y and C:z", "", nil},
		{"2 of (A:x, B:y, C:z)", "", [][2]string{{"A", "B"}, {"A", "C"}, {"B", "C"}}},
		{"A:x or B:y and C:z", "A", [][2]string{{"B", "C"}}},
		{"A:level>=3 and B:y", "", [][2]string{{"A", "B"}}},
	} {
		r := mustParse(t, test.text).Lint(nil)
		if got := strings.Join(r.Alone, " "); got != test.alone {
			t.Errorf("%s: alone %q, want %q", test.text, got, test.alone)
		}
		if !reflect.DeepEqual(r.Pairs, test.pairs) {
			t.Errorf("%s: pairs %v, want %v", test.text, r.Pairs, test.pairs)
		}
	}
}

func TestLintRedundant(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"A:x and B:y", ""},
		{"A:x or A:x and B:y", "A:x@7 B:y@15"},
		{"A:x and (A:x or B:y)", "A:x@9 B:y@16"},
		{"A:x and A:x", "A:x@0 A:x@8"},
		{"A:x and B:y or A:x and C:z", ""},
		{"A:n>=3 or A:n>=5", "A:n>=5@10"},
		{"2 of (A:x, A:x, B:y)", "B:y@16"},
	} {
		r := mustParse(t, test.text).Lint(nil)
		var got []string
		for _, p := range r.Redundant {
			got = append(got, p.Text+"@"+itoa(p.Offset))
		}
		if strings.Join(got, " ") != test.want || !r.Analysed {
			t.Errorf("%s: redundant %q, want %q (analysed %v)", test.text, strings.Join(got, " "), test.want, r.Analysed)
		}
	}
}

func TestLintPublished(t *testing.T) {
	published := append([]string{"HospitalA:role=doctor", "HospitalA:role=nurse", "HospitalB:role=doctor"}, NumberUniverse("HospitalA", "clearance", 7)...)
	r := mustParse(t, "HospitalA:role=doktor or HospitalB:role=doctor and Hospitalb:role=nurse or HospitalA:clearence>=2").Lint(published)
	if r.Satisfiable {
		t.Error("satisfiable")
	}
	got := map[string]string{}
	for _, u := range r.Unpublished {
		got[u.Attribute] = strings.Join(u.Suggestions, " ")
	}
	if !strings.HasPrefix(got["HospitalA:role=doktor"], "HospitalA:role=doctor") {
		t.Errorf("suggestions for doktor: %v", got)
	}
	if !strings.HasPrefix(got["HospitalA:clearence"], "HospitalA:clearance") {
		t.Errorf("suggestions for clearence: %v", got)
	}
	if !strings.Contains(got["Hospitalb:role=nurse"], "HospitalA:role=nurse") {
		t.Errorf("suggestions for Hospitalb: %v", got)
	}
	r = mustParse(t, "HospitalA:role=doctor or HospitalB:role=doctor and X:y or HospitalA:clearance>=2").Lint(published)
	if !r.Satisfiable || len(r.Unpublished) != 1 || len(r.Dead) != 1 || r.Dead[0].Text != "HospitalB:role=doctor and X:y" || r.Dead[0].Offset != 25 {
		t.Errorf("report %+v", r)
	}
}

func TestLintRefusal(t *testing.T) {
	r := mustParse(t, hardReuse(7)).Lint(nil)
	if !errors.Is(r.Refusal, ErrReuse) || r.Ciphertexts != 0 {
		t.Errorf("report %+v", r)
	}
	if r := mustParse(t, "A:x and B:y or C:z").Lint(nil); r.Refusal != nil || r.Ciphertexts != 1 || r.Rows != 3 {
		t.Errorf("report %+v", r)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"doctor", "doktor", 1}, {"role", "rloe", 1}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
