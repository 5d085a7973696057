package bn256

import "math/big"

// sum2 is the sum of the points, the identity for none.
func sum2(points []*G2) *G2 {
	e := identity2()
	for _, p := range points {
		add2(e, p)
	}
	return normal2(e)
}

// productT is the product of the elements, one for none.
func productT(elements []*GT) *GT {
	e := newT(one)
	for _, f := range elements {
		mulT(e, e, f)
	}
	return e
}

// mul1 returns a·k for any integer k.
func mul1(a *G1, k *big.Int) *G1 {
	return normal1(new(G1).ScalarMult(a, new(big.Int).Mod(k, Order)))
}

// neg1 returns -a.
func neg1(a *G1) *G1 { return normal1(new(G1).Neg(a)) }
