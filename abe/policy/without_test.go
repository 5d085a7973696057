package policy

import "testing"

func TestWithout(t *testing.T) {
	for _, tc := range []struct{ text, gone, want string }{
		{"A:x or B:y", "A:x", "B:y"},
		{"A:x or B:y or C:z", "B:y", "A:x or C:z"},
		{"A:x", "A:x", ""},
		{"A:x and B:y", "A:x", ""},
		{"A:x and (B:y or C:z)", "C:z", "A:x and B:y"},
		{"A:x and B:y or C:z", "A:x", "C:z"},
		{"2 of (A:x, B:y, C:z)", "A:x", "B:y and C:z"},
		{"2 of (A:x, B:y, C:z, D:w)", "A:x", "2 of (B:y, C:z, D:w)"},
		{"2 of (A:x, B:y and C:z, D:w)", "B:y", "A:x and D:w"},
		{"A:x or B:y", "C:z", "A:x or B:y"},
		{"A:level>=3 or B:y", NumberAttributes("A", "level", 5)[0], "A:level>=3 or B:y"},
	} {
		p, err := Parse(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		rest := p.Without(Holding(tc.gone))
		if rest != nil {
			got = rest.String()
		}
		if got != tc.want {
			t.Errorf("%s without %s: %q, want %q", tc.text, tc.gone, got, tc.want)
		}
		if (rest == p) != (tc.text == tc.want) {
			t.Errorf("%s without %s: is it the same?", tc.text, tc.gone)
		}
	}
}
