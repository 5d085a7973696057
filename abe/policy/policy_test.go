package policy

import (
	"math/big"
	"testing"
)

var testModulus = big.NewInt(1009)

func TestSmoke(t *testing.T) {
	for _, s := range []string{"HospitalA:role=doctor and (B:x or 2 of (X:a, Y:b, Z:c))", "A:x>=3 and A:x<=9 or A:y", "A:a and A:b or A:a and A:c", `A:b="x y" OR "A:b=c d"`, "2 of (A:a and A:b, A:b and A:c, A:d)"} {
		p, err := Parse(s)
		if err != nil {
			t.Fatal(err.(*SyntaxError).Caret(s), err)
		}
		sp, err := p.Spans(testModulus)
		t.Log(p, sp, err)
		for _, x := range sp {
			t.Log(x.Matrix())
		}
	}
}
