package group

import "math/big"

// Term2 and TermT are a group element and how often it counts. A nil Times is one.
type (
	Term2 struct {
		Element *G2
		Times   *big.Int
	}
	TermT struct {
		Element *GT
		Times   *big.Int
	}
)

// Sum2 is the sum of the terms, the identity for none.
func Sum2(terms []Term2) *G2 {
	e := identity2()
	for _, t := range terms {
		if t.Times == nil {
			add2(e, t.Element)
		} else {
			add2(e, mul2(t.Element, t.Times))
		}
	}
	return normal2(e)
}

// ProductT is the product of the terms, one for none.
func ProductT(terms []TermT) *GT {
	e := newT(one)
	for _, t := range terms {
		if t.Times == nil {
			mulT(e, e, t.Element)
		} else {
			mulT(e, e, ExpT(t.Element, t.Times))
		}
	}
	return e
}

// Mul1 returns a·k.
func Mul1(a *G1, k *big.Int) *G1 { return normal1(new(G1).ScalarMult(a, k)) }

// Neg1 returns -a.
func Neg1(a *G1) *G1 { return normal1(new(G1).Neg(a)) }
