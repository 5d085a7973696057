package words

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"HospitalA:role=doctor", "HospitalB:role=doctor", "x"}
	for in, want := range map[string]string{
		"HospitalA:role=docter": "HospitalA:role=doctor",
		"hospitalb:role=doctor": "HospitalB:role=doctor",
		"Clinic:grade=5":        "",
		"":                      "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
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

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb\r\nc":           "a b c",
		"\x1b[2Jgone":         `\x1b[2Jgone`,
		"a\u202etxt.exe":      `a\u202etxt.exe`,
		"Grüße 患者 report.pdf": "Grüße 患者 report.pdf",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}
