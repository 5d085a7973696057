package words

import "testing"

func TestSuggest(t *testing.T) {
	names := []string{"HospitalA:role=doctor", "HospitalB:role=doctor", "x"}
	for in, want := range map[string]string{
		"HospitalA:role=docter": "HospitalA:role=doctor",
		"hospitalb:role=doctor": "HospitalB:role=doctor",
		"Clinic:grade=5":        "",
		"":                      "",
	} {
		if got := Suggest(in, names); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Suggest("x", nil); got != "" {
		t.Errorf("of nothing, %q is nearest", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
