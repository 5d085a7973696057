package policy

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

var testModulus, _ = new(big.Int).SetString("65000549695646603732796438742359905742570406053903786389881062969044166799969", 10)

func itoa(n int) string { return strconv.Itoa(n) }

// hardReuse returns a ring of n conditions. Each shares an attribute with the next.
func hardReuse(n int) string {
	var parts []string
	for i := range n * 4 {
		parts = append(parts, fmt.Sprintf("(A:x%d or A:x%d)", i, (i+1)%(n*4)))
	}
	return strings.Join(parts, " and ")
}

func TestCanonicalForm(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"A:x", "A:x"},
		{"  A:x\n\tAND\r\n B:y # who\n", "A:x and B:y"},
		{"# first\nA:x Or B:y", "A:x or B:y"},
		{"A:x and B:y or C:z", "A:x and B:y or C:z"},
		{"A:x and (B:y or C:z)", "A:x and (B:y or C:z)"},
		{"A:x or (B:y and C:z)", "A:x or B:y and C:z"},
		{"((A:x)) and ((B:y and (C:z)))", "A:x and B:y and C:z"},
		{"A:x or (B:y or C:z)", "A:x or B:y or C:z"},
		{"1 of (A:x, B:y)", "A:x or B:y"},
		{"2 of (A:x, B:y)", "A:x and B:y"},
		{"1 OF (A:x)", "A:x"},
		{"2 of(A:x,B:y,C:z)", "2 of (A:x, B:y, C:z)"},
		{"2 of ((A:x or D:w), B:y and E:v, 2 of (F:a, F:b, F:c))", "2 of (A:x or D:w, B:y and E:v, 2 of (F:a, F:b, F:c))"},
		{"3 of (A:x or A:y, B:y, C:z) and D:w", "(A:x or A:y) and B:y and C:z and D:w"},
		{`A:role=doctor`, `A:role=doctor`},
		{`A:role = "doctor"`, `A:role=doctor`},
		{`"A:role=doctor"`, `A:role=doctor`},
		{`"A:role=night nurse"`, `A:role="night nurse"`},
		{`A:ward="ward #3, (east)"`, `A:ward="ward #3, (east)"`},
		{`A:x="a\"b\\c"`, `A:x="a\"b\\c"`},
		{`A:x="a=b"`, `A:x="a=b"`},
		{`A:and and B:or or C:of`, `A:and and B:or or C:of`},
		{`AND:x and ORTHO:y or LABORATORY:DOCTOR`, `AND:x and ORTHO:y or LABORATORY:DOCTOR`},
		{"A:n>=3", "A:n>=3"},
		{"A:n > 2", "A:n>=3"},
		{"A:n<4", "A:n<=3"},
		{"A:n>=3<=7", "A:n>=3<=7"},
		{"A:n>=3 and B:y and A:n<8", "A:n>=3<=7 and B:y"},
		{"A:n>=3 and A:n<8", "A:n>=3<=7"},
		{"A:n>=0", "A:n>=0"},
		{"A:n<=65535", "A:n>=0"},
		{"A:n>=3 or A:n<=1", "A:n>=3 or A:n<=1"},
		{"2 of (A:n>=3, A:n<=8)", "A:n>=3<=8"},
	} {
		p, err := Parse(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if got := p.String(); got != test.want {
			t.Errorf("%q: canonical form %q, want %q", test.text, got, test.want)
		}
		again, err := Parse(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q: canonical form is not stable: %v, %v", test.text, again, err)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, test := range []struct {
		text         string
		line, column int
		message      string
		hint         string
	}{
		{"", 1, 1, "empty", "at least one"},
		{"# only a comment", 1, 17, "empty", ""},
		{"doctor", 1, 1, "names no authority", "MSPID:name=value"},
		{"A:x and", 1, 8, "found the end", ""},
		{"A:x\nand and B:y", 2, 5, "keyword 'and'", ""},
		{"A:x B:y", 1, 5, "found 'B:y'", "quotes"},
		{"(A:x", 1, 1, "not closed", "missing"},
		{"A:x)", 1, 4, "found ')'", "no '('"},
		{"()", 1, 2, "nothing between", ""},
		{"A:x && B:y", 1, 5, "'&'", "'and'"},
		{"A:x || B:y", 1, 5, "'|'", "'or'"},
		{"!A:x", 1, 1, "'!'", "who may open"},
		{"not A:x", 1, 1, "'not'", "who may open"},
		{"A:x, B:y", 1, 4, "found ','", "2 of"},
		{"0 of (A:x)", 1, 1, "not a count", ""},
		{"3 of (A:x, B:y)", 1, 1, "never", ""},
		{"x of (A:x)", 1, 1, "not a count", ""},
		{"2 of A:x", 1, 6, "expected '('", ""},
		{"2 of (A:x,)", 1, 11, "found ')'", ""},
		{`A:x="`, 1, 5, "not closed", ""},
		{"A:x=\"a\nb\"", 1, 5, "not closed", "same line"},
		{`A:x="a\n"`, 1, 7, "escape", ""},
		{"A:x=\"a\x01\"", 1, 7, "control", ""},
		{"A:x=\"\u00e4\"", 1, 6, "ASCII", ""},
		{"\u00e4:x", 1, 1, "'ä'", "ASCII"},
		{"# \u00e4\u00e4\nA:x ? B:y", 2, 5, "'?'", ""},
		{"\xff", 1, 1, "UTF-8", ""},
		{"A:x=", 1, 5, "expected a value", ""},
		{"A:x==b", 1, 5, "expected a value", ""},
		{"A:x=b=c", 1, 6, "second '='", "quotes"},
		{"A b:x", 1, 1, "names no authority", ""},
		{"A:b:c", 1, 1, "letters", ""},
		{":x", 1, 1, "letters", ""},
		{"A:", 1, 1, "letters", ""},
		{`A:x=" a"`, 1, 1, "space", ""},
		{`A:x="[x]"`, 1, 1, "reserved", ""},
		{"A:n>=x", 1, 6, "expected a number", ""},
		{"A:n>=65536", 1, 6, "expected a number", "65535"},
		{"A:n>65535", 1, 4, "no number", ""},
		{"A:n<0", 1, 4, "no number", ""},
		{"A:n>=5<=4", 1, 7, "no number", ""},
		{"A:n>=5 and A:n<=4", 1, 12, "no number", ""},
		{"A:n>=5=4", 1, 7, "after a comparison", ""},
		{"n>=5", 1, 1, "names no authority", ""},
		{strings.Repeat("x", MaxName) + ":y", 1, 1, "longer than", ""},
	} {
		_, err := Parse(test.text)
		var e *SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", test.text, err)
			continue
		}
		if e.Line != test.line || e.Column != test.column || !strings.Contains(e.Message, test.message) || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%q: %d:%d %s (hint %s); want %d:%d %s (%s)", test.text, e.Line, e.Column, e.Message, e.Hint, test.line, test.column, test.message, test.hint)
		}
	}
}

func TestCaret(t *testing.T) {
	text := "A:x and\n\tB:\u00fc or C:z"
	_, err := Parse(text)
	var e *SyntaxError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if got, want := e.Caret(text), " B:\u00fc or C:z\n   ^"; got != want && got != " B:\u00fc or C:z\n ^" {
		t.Errorf("caret:\n%s\nwant\n%s", got, want)
	}
	long := strings.Repeat("A:x or ", 60) + "?"
	_, err = Parse(long)
	errors.As(err, &e)
	lines := strings.Split(e.Caret(long), "\n")
	if at := strings.Index(lines[1], "^"); at < 0 || lines[0][at] != '?' || len(lines[0]) > 101 {
		t.Errorf("caret of a long line:\n%s", e.Caret(long))
	}
	if got := (&SyntaxError{Line: 9}).Caret("one line"); got != "" {
		t.Errorf("caret outside the text: %q", got)
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"long", strings.Repeat(" ", MaxText) + "A:x", ErrTooLong},
		{"long canonical", strings.Repeat("A:x\nor ", 1) + `A:x="` + strings.Repeat("#", 20) + `"` + strings.Repeat(" ", MaxText-50), nil},
		{"deep", strings.Repeat("(", MaxDepth+1) + "A:x" + strings.Repeat(")", MaxDepth+1), ErrTooDeep},
		{"deep enough", strings.Repeat("(", MaxDepth) + "A:x" + strings.Repeat(")", MaxDepth), nil},
		{"deep thresholds", strings.Repeat("1 of (", MaxDepth+1) + "A:x" + strings.Repeat(")", MaxDepth+1), ErrTooDeep},
		{"many", "A:x" + strings.Repeat(" or A:y", MaxAttributes), ErrTooManyAttributes},
		{"enough", "A:x" + strings.Repeat(" or A:y", MaxAttributes-1), nil},
		{"many numbers", "A:n>=1" + strings.Repeat(" or A:n>=1", 16), ErrTooManyAttributes},
	} {
		_, err := Parse(test.text)
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := mustParse(t, hardReuse(6)).Spans(testModulus); !errors.Is(err, ErrReuse) || !strings.Contains(err.Error(), "and 9 more") {
		t.Errorf("reuse: %v", err)
	}
}

func TestSplit(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"A:x and A:x", "A:x"},
		{"A:x or A:x and B:y", "A:x"},
		{"A:x and B:y or A:x and C:z", "A:x and (B:y or C:z)"},
		{"(A:x or B:y) and (A:x or C:z)", "A:x or B:y and C:z"},
		{"A:x and 2 of (A:x, B:y, C:z)", "A:x and (B:y or C:z)"},
		{"A:x or 2 of (A:x, B:y, C:z)", "A:x or B:y and C:z"},
		{"2 of (A:x, B:y, C:z) or 2 of (A:x, B:y, C:z)", "2 of (A:x, B:y, C:z)"},
		{"A:x and B:y or A:x and C:z or B:y and C:z", "A:x and (B:y or C:z) | B:y and C:z"},
		{"2 of (A:x and B:y, B:y and C:z, D:w)", "A:x and B:y and (C:z or D:w) | B:y and C:z and D:w"},
	} {
		spans, err := mustParse(t, test.text).Spans(testModulus)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		var got []string
		for _, s := range spans {
			got = append(got, s.String())
		}
		if strings.Join(got, " | ") != test.want {
			t.Errorf("%s: spans %s, want %s", test.text, strings.Join(got, " | "), test.want)
		}
	}
}

func TestMinimalSets(t *testing.T) {
	for _, test := range []struct {
		text     string
		limit    int
		want     string
		complete bool
	}{
		{"A:x", 5, "A:x", true},
		{"A:x or B:y and C:z", 5, "A:x; B:y C:z", true},
		{"A:x or A:x and B:y", 5, "A:x", true},
		{"2 of (A:x, B:y, C:z)", 5, "A:x B:y; A:x C:z; B:y C:z", true},
		{"A:n>=3 and B:y", 5, "A:n>=3 B:y", true},
		{"A:a or A:b or A:c", 2, "A:a; A:b", false},
	} {
		sets, complete := mustParse(t, test.text).MinimalSets(test.limit)
		var got []string
		for _, s := range sets {
			got = append(got, strings.Join(s, " "))
		}
		if strings.Join(got, "; ") != test.want || complete != test.complete {
			t.Errorf("%s: %s (%v), want %s (%v)", test.text, strings.Join(got, "; "), complete, test.want, test.complete)
		}
	}
	// A policy with a huge number of minimal sets must not take long.
	var parts []string
	for i := range 60 {
		parts = append(parts, fmt.Sprintf("(A:a%d or A:b%d or A:c%d)", i, i, i))
	}
	if sets, complete := mustParse(t, strings.Join(parts, " and ")).MinimalSets(10); len(sets) != 10 || complete {
		t.Errorf("%d sets, complete %v", len(sets), complete)
	}
	parts = nil
	for i := range MaxAttributes {
		parts = append(parts, fmt.Sprintf("A:x%d", i))
	}
	p := mustParse(t, "128 of ("+strings.Join(parts, ", ")+")")
	if sets := p.Missing(Holding("A:x7"), 3); len(sets) != 3 || len(sets[0]) != 127 {
		t.Errorf("%d sets", len(sets))
	}
	p.Lint(nil)
}

func TestAttributeNames(t *testing.T) {
	for _, good := range []string{"A:x", "HospitalA:role=doctor", "A.b-c_d:e.f=g h", `A:x="`, `A:x=\`, "A:x=[0..65535]", "A:x=[7]", "A:x=a]"} {
		a, err := ParseAttribute(good)
		if err != nil || a.String() != good {
			t.Errorf("%q: %v, %v", good, a, err)
		}
		p, err := Parse(a.Text())
		if err != nil || len(p.Attributes()) != 1 || p.Attributes()[0] != good {
			t.Errorf("%q: as policy text %q: %v, %v", good, a.Text(), p, err)
		}
	}
	for _, bad := range []string{"", "A", "A:", ":x", "A:x=", "A b:x", "A:x y", "A:x=a\n", "A:x=\u00e9", "A:x= a", "A:x=a ", "A:x=[", "A:x=[1..3]",
		"A:x=[01]", "A:x=[2..1]", "A:x=[0..65536]", "A:x=[4..4]", "A:x=[1..2]", "A/b:x", "A:x:y", "A:x=\x7f", strings.Repeat("A", 127) + ":x"} {
		if a, err := ParseAttribute(bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v, %v", bad, a, err)
		}
	}
}

// TestConcurrentUse shares a policy and a span program between goroutines, for the race
// detector.
func TestConcurrentUse(t *testing.T) {
	p := mustParse(t, "A:x and (B:y or 2 of (A:p, A:q, A:n>=3)) or A:x and B:z")
	spans, err := p.Spans(testModulus)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	for range 4 {
		go func() {
			for range 50 {
				_ = p.String()
				p.Lint([]string{"A:x"})
				for _, s := range spans {
					s.Solve(Holding("A:x", "B:z"))
				}
			}
			done <- true
		}()
	}
	for range 4 {
		<-done
	}
}
