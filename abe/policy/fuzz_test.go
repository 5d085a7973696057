package policy

import "testing"

// FuzzParse feeds arbitrary text to the parser. An accepted policy must have a stable
// canonical form with the same meaning, and must compile or fail with a named error. A
// refusal must have a position that Caret can draw.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"HospitalA:role=doctor and (B:x or 2 of (X:a, Y:b, Z:c))", `A:x="a\"b" or "C:d=e f" # note`, "A:n>=3<=7 and A:n<5",
		"A:x and B:y or A:x and C:z or B:y and C:z", "((((A:x", "3 of (A:x, A:x, A:x, B:y)", "A:x AND\nnot B:y", "\xff\xfe", "A:x=[", `A:x="[4..7]"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			e, ok := err.(*SyntaxError)
			if !ok || e.Offset < 0 || e.Offset > len(text) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("error %#v", err)
			}
			_ = e.Caret(text)
			return
		}
		again, err := Parse(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("canonical form %q of %q is not stable: %v", p, text, err)
		}
		if !p.Satisfied(func(string) bool { return true }) || p.Satisfied(func(string) bool { return false }) {
			t.Fatalf("%q is constant", text)
		}
		spans, err := p.Spans(testModulus)
		if err != nil {
			return
		}
		attributes := p.Attributes()
		held := func(a string) bool { return len(a)%2 == 0 || a == attributes[0] }
		got := false
		for _, s := range spans {
			checkSpan(t, s)
			_, ok := s.Solve(held)
			got = got || ok
		}
		if got != p.Satisfied(held) {
			t.Fatalf("span programs of %q disagree with the evaluator", text)
		}
	})
}

// FuzzParseAttribute checks that an accepted name survives the round trip through a
// policy text.
func FuzzParseAttribute(f *testing.F) {
	for _, s := range []string{"A:x", "A:x=y z", `A:x="\`, "A:x=[4..7]", "A:x=[5..7]", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAttribute(s)
		if err != nil {
			return
		}
		p, err := Parse(a.Text())
		if a.String() != s || err != nil || len(p.Attributes()) != 1 || p.Attributes()[0] != s {
			t.Fatalf("%q became %v, %v", s, p, err)
		}
	})
}
