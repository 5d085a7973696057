package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestNumbers checks comparisons for every relevant number. It also checks that two
// numbers of one person do not combine.
func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		text  string
		holds func(v int) bool
	}{
		{"A:n>=3", func(v int) bool { return v >= 3 }},
		{"A:n<=200", func(v int) bool { return v <= 200 }},
		{"A:n>=17<=100", func(v int) bool { return v >= 17 && v <= 100 }},
		{"A:n>40000", func(v int) bool { return v > 40000 }},
		{"A:n<1", func(v int) bool { return v == 0 }},
		{"A:n>=0", func(v int) bool { return true }},
		{"A:n>=1<=65534", func(v int) bool { return v >= 1 && v <= 65534 }},
	} {
		p := mustParse(t, test.text)
		if n := len(p.Attributes()); n > 2*numberBits-2 {
			t.Errorf("%s: %d attributes", test.text, n)
		}
		for _, v := range []int{0, 1, 2, 3, 4, 7, 8, 16, 17, 18, 99, 100, 101, 127, 128, 199, 200, 201, 32767, 32768, 40000, 40001, 65534, 65535} {
			if got := p.Satisfied(Holding(NumberAttributes("A", "n", uint16(v))...)); got != test.holds(v) {
				t.Errorf("%s for %d: %v", test.text, v, got)
			}
		}
	}
	// The flaw of the "bag of bits": 4 = 100 and 3 = 011 together make 111.
	both := Holding(append(NumberAttributes("A", "n", 4), NumberAttributes("A", "n", 3)...)...)
	if mustParse(t, "A:n>=5").Satisfied(both) || mustParse(t, "A:n<=2").Satisfied(both) || mustParse(t, "A:n>=5 or A:n<=2").Satisfied(both) {
		t.Error("keys for 3 and 4 satisfy what neither does")
	}
	ends := Holding(append(NumberAttributes("A", "n", 1), NumberAttributes("A", "n", 9)...)...)
	if mustParse(t, "A:n>=3 and A:n<=5").Satisfied(ends) {
		t.Error("keys for 1 and 9 satisfy a range in between")
	}
}

// TestNumberUniverse checks that the universe has every attribute of comparisons up to
// the largest number, and few others.
func TestNumberUniverse(t *testing.T) {
	for _, most := range []int{0, 1, 7, 10, 100, 1000} {
		all := NumberUniverse("A", "n", uint16(most))
		if len(all) > 2*most+40 {
			t.Errorf("%d: %d attributes", most, len(all))
		}
		known := Holding(all...)
		for k := range most + 1 {
			for _, text := range []string{fmt.Sprintf("A:n>=%d", k), fmt.Sprintf("A:n<=%d", k), fmt.Sprintf("A:n>%d", k), fmt.Sprintf("A:n>=%d<=%d", k/2, k)} {
				for _, a := range mustParse(t, text).Attributes() {
					if !known(a) {
						t.Fatalf("up to %d: %s needs %s", most, text, a)
					}
				}
			}
			for _, a := range NumberAttributes("A", "n", uint16(k)) {
				if !known(a) {
					t.Fatalf("up to %d: %d has %s", most, k, a)
				}
			}
		}
	}
}

// TestLongComparisons: intervals lengthen names, so expanded comparisons lengthen texts.
func TestLongComparisons(t *testing.T) {
	long := "A:" + strings.Repeat("n", MaxName-2)
	if _, err := Parse(long + ">=1"); !errors.Is(err, ErrName) {
		t.Errorf("name of %d bytes: %v", len(long), err)
	}
	fits := long[:MaxName-len(longestInterval)]
	p := mustParse(t, fits+">=1")
	if _, err := p.Spans(testModulus); err != nil || len(p.Attributes()) != 16 {
		t.Errorf("name of %d bytes: %v", len(fits), err)
	}
	var parts []string
	for i := range 16 {
		parts = append(parts, fmt.Sprintf("%s%02d>=1", fits[:len(fits)-2], i))
	}
	p = mustParse(t, strings.Join(parts, " or "))
	if _, err := p.Spans(testModulus); !errors.Is(err, ErrTooLong) {
		t.Errorf("256 long names: %v", err)
	}
	if r := p.Lint(nil); !errors.Is(r.Refusal, ErrTooLong) {
		t.Errorf("refusal %v", r.Refusal)
	}
}
