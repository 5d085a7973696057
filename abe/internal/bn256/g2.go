package bn256

import "math/big"

// psi is the endomorphism of G2 that raises to the p-th power, on the twist: (x, y) →
// (x̄·cx, ȳ·cy). The bn256 library does not export the two constants. Its Frobenius map
// of the generator reveals them: psiConstants.P.X is cx and .Y is cy.
func psi(e, a *G2) {
	p, q := e.P, a.P
	p.X.Conjugate(&q.X)
	p.X.Mul(&p.X, &psiConstants.P.X)
	p.Y.Conjugate(&q.Y)
	p.Y.Mul(&p.Y, &psiConstants.P.Y)
	p.Z.Conjugate(&q.Z)
	p.T.Conjugate(&q.T)
}

var psiConstants = func() *G2 {
	g := normal2(new(G2).ScalarBaseMult(big.NewInt(1)))
	image := new(G2).Set(g)
	if _, err := image.P.Frobenius(g.P); err != nil {
		panic("bn256: " + err.Error())
	}
	t := g.P.X
	t.Conjugate(&g.P.X)
	t.Invert(&t)
	image.P.X.Mul(&image.P.X, &t)
	t.Conjugate(&g.P.Y)
	t.Invert(&t)
	image.P.Y.Mul(&image.P.Y, &t)
	return image
}()

func new2(a *G2) *G2 { return new(G2).Set(a) }

func identity2() *G2 {
	e := new2(psiConstants)
	e.P.SetInfinity()
	return e
}

func equal2(a, b *G2) bool {
	a, b = normal2(new2(a)), normal2(new2(b))
	return a.P.X == b.P.X && a.P.Y == b.P.Y && a.P.Z == b.P.Z
}

// add2 adds b to e. bn256's Add fails if its result is also an operand and both operands
// are equal. So it works on a copy.
func add2(e, b *G2) {
	before := *e.P
	e.P.Add(&before, b.P)
}

// oddMultiples returns a, 3a, 5a, 7a.
func oddMultiples(a *G2) [4]*G2 {
	double := new2(a)
	double.P.Double(a.P)
	out := [4]*G2{new2(a)}
	for i := 1; i < len(out); i++ {
		out[i] = new2(a)
		out[i].P.Add(out[i-1].P, double.P)
	}
	return out
}

// addDigit adds the multiple of a digit in width-4 non-adjacent form to e. It overwrites
// scratch.
func addDigit(e, scratch *G2, multiples *[4]*G2, digit int8) {
	switch {
	case digit > 0:
		add2(e, multiples[digit/2])
	case digit < 0:
		scratch.P.Neg(multiples[-digit/2].P)
		add2(e, scratch)
	}
}

// InG2 reports whether a point a of the twist has order r and is not the identity. It
// checks [u+1]a + ψ([u]a) + ψ²([u]a) = ψ³([2u]a).
//
// ψ has the characteristic polynomial X² - tX + p. The greatest common divisor of two
// numbers is r: of the order r·(2p-r) of the twist, and of the resultant of that
// polynomial and (u+1) + uX + uX² - 2uX³. A test computes it (see Dai et al., eprint
// 2022/348).
func InG2(a *G2) bool {
	if a.P.IsInfinity() {
		return false
	}
	multiples := oddMultiples(a)
	scratch := new2(a)
	ua, t := identity2(), new2(a)
	for i := len(nafU) - 1; i >= 0; i-- {
		t.P.Double(ua.P)
		ua, t = t, ua
		addDigit(ua, scratch, &multiples, nafU[i])
	}
	left := new2(a)
	add2(left, ua)
	image := new2(ua)
	psi(image, ua)
	add2(left, image)
	psi(image, image)
	add2(left, image)
	psi(image, image)
	right := new2(image)
	right.P.Double(image.P)
	return equal2(left, right)
}

// Mul2 returns a·k for a in G2 and any integer k.
func Mul2(a *G2, k *big.Int) *G2 { return normal2(mul2(a, k)) }

func mul2(a *G2, k *big.Int) *G2 {
	var multiples [dims][4]*G2
	multiples[0] = oddMultiples(a)
	for d := 1; d < dims; d++ {
		for i := range multiples[d] {
			multiples[d][i] = new2(a)
			psi(multiples[d][i], multiples[d-1][i])
		}
	}
	var digits [dims][]int8
	length := 0
	for d, p := range parts(k) {
		digits[d] = p.naf(4)
		length = max(length, len(digits[d]))
	}
	e, t, scratch := identity2(), new2(a), new2(a)
	for i := length - 1; i >= 0; i-- {
		t.P.Double(e.P)
		e, t = t, e
		for d := range digits {
			if i < len(digits[d]) {
				addDigit(e, scratch, &multiples[d], digits[d][i])
			}
		}
	}
	return e
}
