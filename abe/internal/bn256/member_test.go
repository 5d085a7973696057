package bn256

import (
	"bytes"
	"errors"
	"math/big"
	"testing"

	fentec "github.com/fentec-project/bn256"

	"github.com/chartseal/chartseal/abe/internal/pairing"
)

// TestSubgroupExponent checks the number theory of the fast membership checks. It
// computes everything from u.
func TestSubgroupExponent(t *testing.T) {
	u := paramU
	poly := func(coefficients ...int64) *big.Int { // a polynomial in u, constant term first
		sum := new(big.Int)
		for i := len(coefficients) - 1; i >= 0; i-- {
			sum.Mul(sum, u).Add(sum, big.NewInt(coefficients[i]))
		}
		return sum
	}
	p, r, trace := poly(1, 6, 24, 36, 36), poly(1, 6, 18, 36, 36), poly(1, 0, 6)
	if r.Cmp(Order) != 0 || new(big.Int).Add(p, big.NewInt(1)).Cmp(new(big.Int).Add(r, trace)) != 0 {
		t.Fatal("not the parameters of bn256")
	}
	mul := func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }
	add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
	sub := func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
	gcd := func(a, b *big.Int) *big.Int {
		return new(big.Int).GCD(nil, nil, new(big.Int).Abs(a), new(big.Int).Abs(b))
	}

	// GT: the exponent (u+1) + u·p + u·p² - 2u·p³ against the order p⁴-p²+1 of the
	// cyclotomic subgroup.
	p2 := mul(p, p)
	exponent := sub(add(add(poly(1, 1), mul(u, p)), mul(u, p2)), mul(poly(0, 2), mul(p2, p)))
	order := add(sub(mul(p2, p2), p2), big.NewInt(1))
	if gcd(exponent, order).Cmp(r) != 0 {
		t.Error("GT: the common divisor is not r")
	}

	// G2: ψ² = t·ψ - p, so (u+1) + uψ + uψ² - 2uψ³ = a + bψ, whose norm a² + a·b·t + b²·p
	// kills every point that passes. ψ³ = (t²-p)ψ - t·p.
	a := add(sub(poly(1, 1), mul(u, p)), mul(poly(0, 2), mul(trace, p)))
	b := sub(add(u, mul(u, trace)), mul(poly(0, 2), sub(mul(trace, trace), p)))
	norm := add(add(mul(a, a), mul(mul(a, b), trace)), mul(mul(b, b), p))
	twist := mul(r, sub(add(p, p), r))
	if gcd(norm, twist).Cmp(r) != 0 {
		t.Error("G2: the common divisor is not r")
	}
	if gcd(r, sub(add(p, p), r)).Cmp(big.NewInt(1)) != 0 {
		t.Error("G2: r divides the cofactor")
	}
	// The basis of the lattice that splits exponents.
	for i, row := range split.basis {
		sum := new(big.Int)
		for j, x := range row {
			sum.Add(sum, mul(x, new(big.Int).Exp(lambda, big.NewInt(int64(j)), nil)))
		}
		if sum.Mod(sum, r).Sign() != 0 {
			t.Errorf("row %d of the basis is not in the lattice", i)
		}
	}
	if new(big.Int).Mod(p, r).Cmp(lambda) != 0 {
		t.Error("λ is not p mod r")
	}
}

// TestMembershipAgainstOrder compares the fast checks with multiplication by r, for
// members and for others.
func TestMembershipAgainstOrder(t *testing.T) {
	for i := range int64(8) {
		g2 := new(G2).ScalarBaseMult(big.NewInt(i*i + 1))
		if !InG2(normal2(g2)) {
			t.Errorf("g2·%d is not in G2", i*i+1)
		}
		// A random element of GF(p¹²), raised to the easy parts of the final
		// exponentiation, is in the cyclotomic subgroup. Raised to the whole exponent, it
		// is in GT.
		junk := new(GT)
		if _, err := junk.Unmarshal(bytes.Repeat([]byte{byte(i + 1)}, SizeGT)); err != nil {
			t.Fatal(err)
		}
		if InGT(junk) {
			t.Error("junk is in GT")
		}
		easy := conjugateT(junk)
		inverse := newT(junk)
		inverse.P.Invert(junk.P)
		mulT(easy, easy, inverse)
		mulT(easy, easy, frobeniusT(easy, 2))
		if isOne(new(GT).ScalarMult(easy, Order)) || InGT(easy) {
			t.Error("an element of the cyclotomic subgroup is in GT")
		}
		if all := finalExponentiation(junk); !InGT(all) || !isOne(new(GT).ScalarMult(all, Order)) {
			t.Error("the final exponentiation does not end in GT")
		}
		square := newT(easy)
		squareT(square)
		if want := new(GT).Add(easy, easy); *square.P != *want.P {
			t.Error("cyclotomic squaring differs from multiplication")
		}
		quotient := newT(junk)
		mulConjugateT(quotient, quotient, easy)
		mulT(quotient, quotient, easy)
		if *quotient.P != *junk.P {
			t.Error("division and multiplication differ")
		}
	}
	if InG2(identity2()) || InGT(fentec.GetGTOne()) {
		t.Error("the identity counts as a member")
	}
}

func TestDecode(t *testing.T) {
	g1, g2, gt := Generator1().Marshal(), Generator2().Marshal(), GeneratorT().Marshal()
	if e, err := DecodeG1(g1); err != nil || !bytes.Equal(e.Marshal(), g1) {
		t.Error(err)
	}
	if e, err := DecodeG2(g2); err != nil || !bytes.Equal(e.Marshal(), g2) {
		t.Error(err)
	}
	if e, err := DecodeGT(gt); err != nil || !bytes.Equal(e.Marshal(), gt) {
		t.Error(err)
	}
	for n := range len(gt) {
		if _, err := DecodeGT(gt[:n]); !errors.Is(err, pairing.ErrElement) {
			t.Fatalf("GT of %d bytes: %v", n, err)
		}
		if n < len(g1) {
			if _, err := DecodeG1(g1[:n]); !errors.Is(err, pairing.ErrElement) {
				t.Fatalf("G1 of %d bytes: %v", n, err)
			}
		}
		if n < len(g2) {
			if _, err := DecodeG2(g2[:n]); !errors.Is(err, pairing.ErrElement) {
				t.Fatalf("G2 of %d bytes: %v", n, err)
			}
		}
	}
	// Package abe's tests of malformed points cover the rest.
}

func TestSums(t *testing.T) {
	k, n := big.NewInt(123456789), big.NewInt(1000)
	a, b := BaseMul2(k), Generator2()
	var suite Suite
	times := []*big.Int{n, big.NewInt(1)}
	want := new(G2).Add(new(G2).ScalarMult(a, n), b)
	points := []pairing.G2{Element2{a}, Element2{b}}
	if !bytes.Equal(suite.Sum(points, times).Marshal(), want.Marshal()) || !bytes.Equal(suite.Sum(nil, nil).Marshal(), []byte{0}) ||
		!bytes.Equal(suite.Sum([]pairing.G2{Element2{a}, Element2{a}}, nil).Marshal(), new(G2).ScalarMult(a, big.NewInt(2)).Marshal()) {
		t.Error("Sum")
	}
	x, y := BaseExpT(k), GeneratorT()
	wantT := new(GT).Add(new(GT).ScalarMult(x, n), y)
	if !bytes.Equal(suite.Product([]pairing.GT{ElementT{x}, ElementT{y}}, times).Marshal(), wantT.Marshal()) ||
		!isOne(suite.Product(nil, nil).(ElementT).GT) {
		t.Error("Product")
	}
	for _, times := range []*big.Int{big.NewInt(1), big.NewInt(-1), n, new(big.Int).Neg(n), new(big.Int)} {
		got := suite.PairProduct([]pairing.Pair{{P: Element1{Generator1()}, Q: points[0], Times: times}})
		if !bytes.Equal(got.Marshal(), BaseExpT(new(big.Int).Mul(k, times)).Marshal()) {
			t.Errorf("e(g1, g2^k)^%v", times)
		}
	}
	if !bytes.Equal(mul1(Generator1(), k).Marshal(), new(G1).ScalarBaseMult(k).Marshal()) {
		t.Error("mul1")
	}
	if got := new(G1).Add(neg1(Generator1()), Generator1()); !got.P.IsInfinity() {
		t.Error("neg1")
	}
	h, err := suite.HashToG1("HospitalA/doctor")
	if err != nil {
		t.Fatal(err)
	}
	if theirs, _ := fentec.HashG1("HospitalA/doctor"); !bytes.Equal(h.Marshal(), theirs.Marshal()) {
		t.Error("HashToG1")
	}
	// A sum of equal or opposite affine points uses the complete formulas.
	e := new2(b)
	addAffine2(e, b, false)
	addAffine2(e, b, true)
	addAffine2(e, b, true)
	if !e.P.IsInfinity() {
		t.Error("b + b - b - b is not the identity")
	}
	addAffine2(e, b, true)
	if !equal2(e, func() *G2 { m := new2(b); m.P.Neg(b.P); return m }()) {
		t.Error("0 - b is not -b")
	}
}
