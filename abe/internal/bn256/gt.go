package bn256

import "math/big"

// Arithmetic in GT. An element is xω + y over GF(p⁶). The code accesses bn256's fields X
// and Y through GT.P. The type of GT.P has no name outside the bn256 library, so
// temporaries are copies.

// mulT sets e = a·b with three multiplications in GF(p⁶) (Karatsuba). The bn256 library
// uses four. e may be a or b.
func mulT(e, a, b *GT) {
	sum, other := a.P.X, b.P.X
	sum.Add(&sum, &a.P.Y)
	other.Add(&other, &b.P.Y)
	sum.Mul(&sum, &other)
	xx, yy := a.P.X, a.P.Y
	xx.Mul(&xx, &b.P.X)
	yy.Mul(&yy, &b.P.Y)
	e.P.X.Sub(&sum, &xx)
	e.P.X.Sub(&e.P.X, &yy)
	xx.MulTau(&xx)
	e.P.Y.Add(&yy, &xx)
}

// mulConjugateT sets e = a·b⁻¹ for b in the cyclotomic subgroup. The inverse there is the
// conjugate -xω + y.
func mulConjugateT(e, a, b *GT) {
	sum, other := a.P.X, b.P.Y
	sum.Add(&sum, &a.P.Y)
	other.Sub(&other, &b.P.X)
	sum.Mul(&sum, &other)
	xx, yy := a.P.X, a.P.Y
	xx.Mul(&xx, &b.P.X) // minus the product with the conjugate's x
	yy.Mul(&yy, &b.P.Y)
	e.P.X.Add(&sum, &xx)
	e.P.X.Sub(&e.P.X, &yy)
	xx.MulTau(&xx)
	e.P.Y.Sub(&yy, &xx)
}

// squareT sets e = e² for e in the cyclotomic subgroup (Granger and Scott, eprint
// 2009/565). With s = ω³ and s² = ξ, e is A + Bω + Cω² over GF(p⁴) = GF(p²)(s), and
//
//	e² = (3A² - 2Ā) + (3sC² + 2B̄)ω + (3B² - 2C̄)ω²
func squareT(e *GT) {
	x, y := &e.P.X, &e.P.Y
	// A = y.Z + x.Y s, B = x.Z + y.X s, C = y.Y + x.X s
	a0, a1 := y.Z, x.Y
	b0, b1 := x.Z, y.X
	c0, c1 := y.Y, x.X

	// Squares (p + qs)² = p² + ξq² + ((p+q)² - p² - q²)s.
	p, q, m := a0, a1, a0
	m.Add(&m, &a1)
	m.Square(&m)
	p.Square(&p)
	q.Square(&q)
	m.Sub(&m, &p)
	m.Sub(&m, &q)
	q.MulXi(&q)
	p.Add(&p, &q)
	// y.Z = 3p - 2a0, x.Y = 3m + 2a1
	t := p
	t.Sub(&t, &a0)
	t.Add(&t, &t)
	y.Z.Add(&t, &p)
	t.Add(&m, &a1)
	t.Add(&t, &t)
	x.Y.Add(&t, &m)

	p, q, m = b0, b1, b0
	m.Add(&m, &b1)
	m.Square(&m)
	p.Square(&p)
	q.Square(&q)
	m.Sub(&m, &p)
	m.Sub(&m, &q)
	q.MulXi(&q)
	p.Add(&p, &q)
	// y.Y = 3p - 2c0, x.X = 3m + 2c1
	t.Sub(&p, &c0)
	t.Add(&t, &t)
	y.Y.Add(&t, &p)
	t.Add(&m, &c1)
	t.Add(&t, &t)
	x.X.Add(&t, &m)

	p, q, m = c0, c1, c0
	m.Add(&m, &c1)
	m.Square(&m)
	p.Square(&p)
	q.Square(&q)
	m.Sub(&m, &p)
	m.Sub(&m, &q)
	q.MulXi(&q)
	p.Add(&p, &q)
	// s·C² = ξm + ps, so x.Z = 3ξm + 2b0, y.X = 3p - 2b1
	m.MulXi(&m)
	t.Add(&m, &b0)
	t.Add(&t, &t)
	x.Z.Add(&t, &m)
	t.Sub(&p, &b1)
	t.Add(&t, &t)
	y.X.Add(&t, &p)
}

func newT(a *GT) *GT { return new(GT).Set(a) }

func isOne(a *GT) bool { return a.P.IsOne() }

// frobeniusT returns a^(p^i).
func frobeniusT(a *GT, i int) *GT {
	e := newT(a)
	for range i / 2 {
		e.P.FrobeniusP2(e.P)
	}
	if i%2 == 1 {
		e.P.Frobenius(e.P)
	}
	return e
}

// oddPowers returns a, a³, a⁵, a⁷.
func oddPowers(a *GT) [4]*GT {
	square := newT(a)
	squareT(square)
	out := [4]*GT{newT(a)}
	for i := 1; i < len(out); i++ {
		out[i] = new(GT)
		out[i].Set(out[i-1])
		mulT(out[i], out[i], square)
	}
	return out
}

// apply multiplies e by the power of a digit in width-4 non-adjacent form.
func apply(e *GT, powers *[4]*GT, digit int8) {
	switch {
	case digit > 0:
		mulT(e, e, powers[digit/2])
	case digit < 0:
		mulConjugateT(e, e, powers[-digit/2])
	}
}

// expU returns a^u for a in the cyclotomic subgroup.
func expU(a *GT) *GT {
	powers := oddPowers(a)
	e := newT(one)
	for i := len(nafU) - 1; i >= 0; i-- {
		squareT(e)
		apply(e, &powers, nafU[i])
	}
	return e
}

// InGT reports whether a has order r. It checks that a is in the cyclotomic subgroup,
// a^(p⁴)·a = a^(p²), that a is not one, and that a^((u+1) + u·p + u·p² - 2u·p³) = 1.
//
// The cyclotomic subgroup has order p⁴-p²+1. The greatest common divisor of the last
// exponent and p⁴-p²+1 is r, so the last check holds exactly for elements of order r; a
// test computes it (see Dai et al., eprint 2022/348).
func InGT(a *GT) bool {
	if a.P.IsZero() || isOne(a) {
		return false
	}
	left := frobeniusT(a, 4)
	mulT(left, left, a)
	if *left.P != *frobeniusT(a, 2).P {
		return false
	}
	au := expU(a)
	left = newT(a)
	mulT(left, left, au)
	mulT(left, left, frobeniusT(au, 1))
	mulT(left, left, frobeniusT(au, 2))
	right := newT(au)
	squareT(right)
	return *left.P == *frobeniusT(right, 3).P
}

// ExpT returns a^k for a in GT and any integer k.
func ExpT(a *GT, k *big.Int) *GT {
	var powers [dims][4]*GT
	powers[0] = oddPowers(a)
	for d := 1; d < dims; d++ {
		for i := range powers[d] {
			powers[d][i] = frobeniusT(powers[d-1][i], 1)
		}
	}
	var digits [dims][]int8
	length := 0
	for d, p := range parts(k) {
		digits[d] = p.naf(4)
		length = max(length, len(digits[d]))
	}
	e := newT(one)
	for i := length - 1; i >= 0; i-- {
		squareT(e)
		for d := range digits {
			if i < len(digits[d]) {
				apply(e, &powers[d], digits[d][i])
			}
		}
	}
	return e
}
