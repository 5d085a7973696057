package bn256

import "math/big"

// sum2 returns the sum of the points. It is the identity if there are none.
func sum2(points []*G2) *G2 {
	e := identity2()
	for _, p := range points {
		add2(e, p)
	}
	return normal2(e)
}

// productT returns the product of the elements. It is one if there are none.
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
