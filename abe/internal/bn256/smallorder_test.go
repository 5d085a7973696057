package bn256

import (
	"math/big"
	"testing"
)

// TestSmallOrderPoints makes points of every small order on the twist. An attacker would
// pair them with a secret to learn the secret modulo those orders. The cofactor 2p-r is
// 13·7369·q with a prime q of 239 bits.
func TestSmallOrderPoints(t *testing.T) {
	p, _ := new(big.Int).SetString("65000549695646603732796438742359905742825358107623003571877145026864184071783", 10)
	cofactor := new(big.Int).Sub(new(big.Int).Lsh(p, 1), Order)
	q, rest := new(big.Int).DivMod(cofactor, big.NewInt(13*7369), new(big.Int))
	if rest.Sign() != 0 || q.BitLen() != 239 || !q.ProbablyPrime(32) {
		t.Fatalf("the cofactor is not 13·7369·q: %v, %v", q, rest)
	}
	all := new(big.Int).Mul(Order, cofactor)
	times := func(e *G2, k *big.Int) *G2 { return normal2(new(G2).ScalarMult(e, k)) } // the library's, which works for any point of the twist
	found := map[int64]bool{}
	for _, point := range twistPoints(8) {
		if !times(point, all).P.IsInfinity() {
			t.Fatal("not a point of the twist")
		}
		if InG2(point) {
			t.Error("a point of any order is in G2")
		}
		if !InG2(times(point, cofactor)) {
			t.Error("a point without its cofactor is not in G2")
		}
		for _, order := range []int64{13, 7369, 13 * 7369} {
			small := times(point, new(big.Int).Div(all, big.NewInt(order)))
			if small.P.IsInfinity() {
				continue
			}
			found[order] = true
			if !times(small, big.NewInt(order)).P.IsInfinity() {
				t.Fatalf("not of an order that divides %d", order)
			}
			if InG2(small) || InG2(normal2(new(G2).Add(small, Generator2()))) {
				t.Errorf("a point of order %d, alone or with one of order r, is in G2", order)
			}
			if e, err := DecodeG2(small.Marshal()); err == nil && (Element2{e}).Valid() {
				t.Errorf("a point of order %d was decoded and is valid", order)
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("orders found: %v", found)
	}
}

// twistPoints finds points of the twist, y² = x³ + b', with x = 1, 2, 3, ...
func twistPoints(n int) []*G2 {
	g := Generator2()
	cube := func(x, like *G2) { x.P.Y.Square(&like.P.X); x.P.Y.Mul(&x.P.Y, &like.P.X) }
	cubed := new2(g)
	cube(cubed, g)
	b := g.P.Y
	b.Square(&g.P.Y)
	b.Sub(&b, &cubed.P.Y)
	x, one := g.P.X, g.P.X
	x.SetZero()
	one.SetOne()
	var out []*G2
	for len(out) < n {
		x.Add(&x, &one)
		e := new2(g)
		e.P.X = x
		cube(e, e)
		square := e.P.Y
		square.Add(&e.P.Y, &b)
		if _, err := e.P.Y.Sqrt(&square); err != nil || !e.P.IsOnCurve() {
			continue
		}
		out = append(out, e)
	}
	return out
}
